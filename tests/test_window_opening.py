"""A window as `prefrl label` opens it: with a process that draws, on a display or without one."""

import sys
import threading

import numpy as np
import pytest
from prefrl_envs.task import TaskConfig
from windows import LABELER, Person, answered, leave_soon

from prefrl.labelers.subject import Subject
from prefrl.labelers.window import theme
from prefrl.labelers.window.clip import ScreenClip
from prefrl.labelers.window.drawer import Drawer
from prefrl.labelers.window.labeling import label_in_window
from prefrl.labelers.window.opening import window
from prefrl.queries import Query
from prefrl.segments import Segment
from prefrl.store import PreferenceStore


def moving(env_id, steps, rng, offset):
    """A segment whose states can be drawn, and are all it has."""
    states = np.linspace(0, 1, steps, dtype=np.float32)[:, None] * np.ones(4, np.float32) * offset
    return Segment(env_id, {"obs": states}, np.zeros((steps, 1)), np.zeros(steps), states)


def test_a_whole_window_draws_in_a_process_of_its_own(pygame, tmp_path, rng):
    segments = [moving("prefrl/CartPole-v0", 5, rng, offset) for offset in (0.1, 0.2, 0.15, -0.1)]
    subject = Subject(task=TaskConfig("prefrl/CartPole-v0"), folder=tmp_path)
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        store.ask([Query(tuple(segments[:2]), 0), Query(tuple(segments[2:]), 1)])
        person = Person(pygame, "1", ["2", lambda: leave_soon(pygame)])
        question = "Which pole stands better?"
        assert label_in_window(store, subject, LABELER, rng, question=question, on_show=person) == 2
        assert store.question == question
        assert len(answered(store)) == 2
        assert store.counts().held == 0


def test_what_cannot_be_drawn_is_said_and_given_back(pygame, tmp_path, rng):
    subject = Subject(task=TaskConfig("prefrl/CartPole-v0"), folder=tmp_path)
    blind = [
        Segment("prefrl/CartPole-v0", {"obs": np.full((3, 4), i)}, np.zeros((3, 1)), np.zeros(3)) for i in range(2)
    ]
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        store.ask([Query(tuple(blind), 0)])
        with pytest.raises(ValueError, match="CartPole-v0 keep nothing to draw them by"):
            label_in_window(store, subject, LABELER, rng)
        assert store.counts().held == 0


@pytest.mark.filterwarnings("ignore:.*not in the possible render_modes")
def test_an_environment_that_nothing_draws_is_said_by_the_process_that_draws(rng):
    drawn = threading.Event()
    drawer = Drawer(TaskConfig("prefrl/Nowhere-v0"), drawn.set)
    segment = moving("prefrl/Nowhere-v0", 3, rng, 0.1)
    try:
        drawer.want([segment], 100)
        assert drawn.wait(timeout=60)
        with pytest.raises(ValueError, match="Nowhere"):
            drawer.clip(segment)
    finally:
        drawer.close()


def test_a_display_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="no display .*; try this"), window("test", "try this"):
        pass


def test_a_display_that_does_not_answer_is_said(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":9876")
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")  # everywhere: where there is no X, it does not answer either
    for name in ("WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="; try this"), window("test", "try this"):
        pass


def test_recorded_screens_are_shown_in_whole_pixels_on_the_panel(pygame, rng):
    screen = rng.integers(0, 255, (210, 160, 3), np.uint8)
    with window("test", "no display"):
        shown = pygame.surfarray.array3d(ScreenClip([screen.tobytes()], (160, 210)).frame(0, (500, 430)))
    expected = screen.transpose(1, 0, 2).repeat(3, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(shown[10:490, 5:425], expected)
    assert (shown[:10] == theme.PANEL).all()
    assert (shown[:, 425:] == theme.PANEL).all()
