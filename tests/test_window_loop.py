"""The window's event loop, on a real store, without a display: SDL paints into memory."""

import sys
import threading

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from prefrl.labelers.session import LabelingSession
from prefrl.labelers.subject import NOTHING_SAID, Subject, Trainer
from prefrl.labelers.window import desk, shapes, theme
from prefrl.labelers.window.actions import Action
from prefrl.labelers.window.clip import Clip, ScreenClip
from prefrl.labelers.window.desk import DeskThread
from prefrl.labelers.window.drawer import Drawer
from prefrl.labelers.window.labeling import label_in_window
from prefrl.labelers.window.layout import arrange
from prefrl.labelers.window.opening import window
from prefrl.labelers.window.window import Window
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Query
from prefrl.segments import Segment
from prefrl.store import PreferenceStore
from prefrl.testing import random_queries

LABELER = "ida"
COLOURS = [(250, 10, 10), (10, 10, 250)]


class FlatDrawer:
    """Clips of one colour, at once; the left one red, the right one blue."""

    def __init__(self):
        self.wanted = []

    def want(self, segments, height):
        self.wanted = [segment.id for segment in segments]

    def clip(self, segment):
        if segment.id not in self.wanted:  # the session's thread has put it forward only now
            return None
        colour = COLOURS[self.wanted.index(segment.id) % 2]
        return Clip([bytes(colour) * 20] * len(segment), (5, 4))


@pytest.fixture
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    return pygame


@pytest.fixture
def store(store, rng):
    store.ask(random_queries(6, rng))
    return store


def layout_of(pygame):
    return arrange(*pygame.display.get_window_size())


class Person:
    """Does one thing whenever a pair is on the screen: a key, a click, a function, or several of these."""

    def __init__(self, pygame, *does):
        self.pygame, self.does, self.seen, self.seconds = pygame, list(does), [], []

    def __call__(self, showing, seconds):
        self.seen.append(showing)
        self.seconds.append(seconds)
        does = self.does.pop(0) if self.does else "q"
        for thing in does if isinstance(does, list) else [does]:
            self.do(thing)

    def do(self, thing):
        if callable(thing):
            thing()
        elif isinstance(thing, Action):
            self.click(layout_of(self.pygame).buttons[thing].center)
        else:
            key = self.pygame.key.key_code(thing)
            self.pygame.event.post(self.pygame.event.Event(self.pygame.KEYDOWN, key=key, mod=0))

    def click(self, point):
        for kind in (self.pygame.MOUSEMOTION, self.pygame.MOUSEBUTTONDOWN, self.pygame.MOUSEBUTTONUP):
            self.pygame.event.post(self.pygame.event.Event(kind, pos=point, button=1))


def fail_first(method, times):
    """A method of a store whose database is away for a while."""
    failures = iter(range(times))

    def call(*args, **options):
        if next(failures, None) is not None:
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))
        return method(*args, **options)

    return call


def leave_soon(pygame):
    """Where there is no pair after this one to press a key at."""
    pygame.time.set_timer(pygame.event.Event(pygame.QUIT), 200, loops=1)


def sit_down(pygame, store, tmp_path, person, drawer=None, trainer=NOTHING_SAID):
    """Opens a window on the store, lets the person work until they leave, and returns the session."""

    def wake():
        pygame.event.post(pygame.event.Event(pygame.USEREVENT))

    session = LabelingSession(store, LABELER, np.random.default_rng(0), repeat=0.0)
    thread = DeskThread(session, store, lambda: trainer, wake)
    with window("test", "nothing"):
        try:
            Window(
                thread,
                drawer or FlatDrawer(),
                fps=40,
                labeler=LABELER,
                resume="prefrl resume runs/x",
                on_show=person,
            ).run()
        finally:
            thread.close()
    return session


def answered(store):
    return [(record.query_id, record.answer) for record in store.records() if record.withdrawn_at is None]


def in_order(showing, left, right):
    """What the store holds for an answer on the screen."""
    return right if showing.swapped else left


def test_the_keys_answer_what_is_on_the_screen(pygame, store, tmp_path):
    person = Person(pygame, "left", "2", "down", "0")
    sit_down(pygame, store, tmp_path, person)
    first, second, third, fourth, _ = person.seen
    assert answered(store) == [
        (first.query.id, in_order(first, LEFT, RIGHT)),
        (second.query.id, in_order(second, RIGHT, LEFT)),
        (third.query.id, TIE),
        (fourth.query.id, INCOMPARABLE),
    ]
    assert person.seconds[0] is None
    assert all(0 < seconds < 5 for seconds in person.seconds[1:])


def test_the_buttons_and_the_clips_do_the_same(pygame, store, tmp_path):
    person = Person(pygame, Action.TIE, Action.SKIP, lambda: person.click(layout_of(pygame).clips[1].center))
    sit_down(pygame, store, tmp_path, person)
    third = person.seen[2]
    assert [answer for _, answer in answered(store)] == [TIE, INCOMPARABLE, in_order(third, RIGHT, LEFT)]


def test_a_click_that_ends_elsewhere_does_nothing(pygame, store, tmp_path):
    def drag():
        layout = layout_of(pygame)
        for kind, action in ((pygame.MOUSEBUTTONDOWN, Action.LEFT), (pygame.MOUSEBUTTONUP, Action.RIGHT)):
            pygame.event.post(pygame.event.Event(kind, pos=layout.buttons[action].center, button=1))

    sit_down(pygame, store, tmp_path, Person(pygame, [drag, "q"]))
    assert answered(store) == []


def test_every_answer_is_in_the_store_when_the_next_pair_shows(pygame, store, tmp_path):
    counts = []

    def count():
        counts.append(len(answered(store)))

    sit_down(pygame, store, tmp_path, Person(pygame, [count, "1"], [count, "1"], [count, "q"]))
    assert counts == [0, 1, 2]


def test_undo_brings_the_pair_back_as_it_was_and_takes_a_new_answer(pygame, store, tmp_path):
    person = Person(pygame, "1", "3", "u", "u", "2")
    sit_down(pygame, store, tmp_path, person)
    first, second, third, second_again, first_again, _ = person.seen
    assert (first_again, second_again) == (first, second)
    assert third is not second
    assert answered(store) == [(first.query.id, in_order(first, RIGHT, LEFT))]


def test_undo_with_nothing_to_undo_is_no_harm(pygame, store, tmp_path):
    sit_down(pygame, store, tmp_path, Person(pygame, ["u", "1"]))
    assert len(answered(store)) == 1


def test_a_key_too_many_says_nothing_of_a_pair_not_seen_yet(pygame, store, tmp_path):
    person = Person(pygame, ["1", "1", "1"])
    sit_down(pygame, store, tmp_path, person)
    assert len(answered(store)) == 1
    assert len(person.seen) == 2


def test_pause_slow_motion_replay_and_resizing_answer_nothing(pygame, store, tmp_path):
    def resize():
        pygame.event.post(pygame.event.Event(pygame.VIDEORESIZE, w=1000, h=700, size=(1000, 700)))

    sit_down(pygame, store, tmp_path, Person(pygame, ["p", "p", "f", "space", resize, "x", "q"]))
    assert answered(store) == []


def test_nothing_is_answered_under_the_page_of_help(pygame, store, tmp_path):
    person = Person(pygame, ["h", "1", "u", "escape", "2"])
    sit_down(pygame, store, tmp_path, person)
    first = person.seen[0]
    assert answered(store) == [(first.query.id, in_order(first, RIGHT, LEFT))]


def test_keys_with_control_are_for_somebody_else(pygame, store, tmp_path):
    def control_s():
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_s, mod=pygame.KMOD_LCTRL))

    sit_down(pygame, store, tmp_path, Person(pygame, [control_s, "q"]))
    assert answered(store) == []


def test_leaving_gives_back_what_is_held(pygame, store, tmp_path):
    held = []
    sit_down(pygame, store, tmp_path, Person(pygame, [lambda: held.append(store.counts().held), "q"]))
    assert held[0] > 0
    assert store.counts().held == 0


def test_it_waits_while_nothing_is_open_and_goes_on_by_itself(pygame, store, tmp_path, rng, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WAITING_S", 0.05)
    later = random_queries(1, rng)
    looks = []

    class Asking(FlatDrawer):
        """Asks once the window has been waiting for a while."""

        def want(self, segments, height):
            super().want(segments, height)
            looks.append(store.counts().open + store.counts().held)
            if looks[-1] == 0 and looks.count(0) == 3:
                store.ask(later)

    person = Person(pygame, *"111111", ["2", lambda: leave_soon(pygame)])
    sit_down(pygame, store, tmp_path, person, Asking())
    assert len(answered(store)) == 7
    assert person.seen[6].query.id == later[0].id
    assert person.seconds[6] is None  # no key brought it


@pytest.fixture
def written(monkeypatch):
    """All lines of text that were painted, beside those of the buttons."""
    lines = []

    def write(surface, text, *where, **how):
        lines.append(text)
        shapes.write(surface, text, *where, **how)

    monkeypatch.setattr("prefrl.labelers.window.parts.write", write)
    return lines


def test_a_store_that_cannot_be_counted_is_asked_again(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WAITING_S", 0.05)
    monkeypatch.setattr(store, "counts", fail_first(store.counts, 10))

    class Waiting(FlatDrawer):
        """The person answers when the figures are there again."""

        def want(self, segments, height):
            super().want(segments, height)
            if written and written[-1].startswith("0 answers   ·   6 waiting") and not person.does:
                person.does = ["q"]
                person.do("1")

    person = Person(pygame, [])
    sit_down(pygame, store, tmp_path, person, Waiting())
    assert desk.UNREACHABLE in written
    assert len(answered(store)) == 1


def test_an_answer_is_kept_until_the_store_takes_it(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr(desk, "RETRY_S", 0.05)
    monkeypatch.setattr(store, "answer", fail_first(store.answer, 20))
    person = Person(pygame, ["1", "2"])
    session = sit_down(pygame, store, tmp_path, person)
    assert desk.NOT_SAVED in written
    first = person.seen[0]
    assert answered(store) == [(first.query.id, in_order(first, LEFT, RIGHT))]  # the second key came too early
    assert session.answers == 1


def test_an_answer_is_stored_once_where_only_the_next_pair_is_missing(pygame, store, tmp_path, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WAITING_S", 0.05)

    def lose_claims():
        monkeypatch.setattr(store, "claim", fail_first(store.claim, 8))

    person = Person(pygame, [lose_claims, "1"], *"1111", ["1", lambda: leave_soon(pygame)])
    sit_down(pygame, store, tmp_path, person)
    assert len(answered(store)) == len(person.seen) == 6


def test_who_leaves_while_the_store_is_away_waits_for_nothing(pygame, store, tmp_path, monkeypatch):
    for name in ("answer", "release", "counts"):
        monkeypatch.setattr(store, name, fail_first(getattr(store, name), 10**9))
    session = sit_down(pygame, store, tmp_path, Person(pygame, ["1", lambda: leave_soon(pygame)]))
    assert session.answers == 0
    assert answered(store) == []


def test_an_undo_is_kept_until_the_store_takes_it(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr(desk, "RETRY_S", 0.05)
    monkeypatch.setattr(store, "withdraw", fail_first(store.withdraw, 20))
    person = Person(pygame, "1", "1", "u")
    sit_down(pygame, store, tmp_path, person)
    first, second, _, second_again = person.seen
    assert desk.NOT_TAKEN_BACK in written
    assert second_again is second
    assert [query for query, _ in answered(store)] == [first.query.id]  # and none but the last one


def test_a_key_for_a_pair_that_is_no_longer_held_says_nothing_of_the_next_one(store):
    session = LabelingSession(store, LABELER, np.random.default_rng(0))
    gone = session.current
    thread = DeskThread(session, store, lambda: NOTHING_SAID, lambda: None)
    session.answer("tie")
    thread.answer(gone, Action.LEFT)
    thread.close()
    assert answered(store) == [(gone.query.id, TIE)]
    assert thread.desk.problem == "This pair went to somebody else"


def test_a_question_that_is_changed_meanwhile_is_asked(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WORKING_S", 0.0)
    person = Person(pygame, lambda: store.set_question("Which is quieter?"), "1", "1", "1")

    class UntilAsked(FlatDrawer):
        """The person goes on when the new question is there."""

        def want(self, segments, height):
            super().want(segments, height)
            if "Which is quieter?" in written:
                person.do("q")

    sit_down(pygame, store, tmp_path, person, UntilAsked())
    assert written[0] == "Which is better?"
    assert "Which is quieter?" in written


def test_what_is_no_fault_of_the_store_ends_the_window(pygame, store, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "counts", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sit_down(pygame, store, tmp_path, Person(pygame, []))


def test_it_says_that_nobody_trains_once_nothing_is_open(pygame, store, tmp_path, written):
    person = Person(pygame, *"11111", ["1", lambda: leave_soon(pygame)])
    gone = Trainer(step=3000, steps=100_000, waiting_for=5, running=False)
    sit_down(pygame, store, tmp_path, person, trainer=gone)
    assert "Training is not running" in written
    assert "`prefrl resume runs/x` goes on with it; then new pairs appear here by themselves." in written


def test_what_was_answered_elsewhere_is_passed_over(pygame, store, tmp_path):
    def answer_elsewhere():
        query = person.seen[0].query
        store.answer(query.id, LABELER, TIE)

    person = Person(pygame, [answer_elsewhere, "1"])
    sit_down(pygame, store, tmp_path, person)
    assert len(person.seen) == 2
    assert answered(store) == [(person.seen[0].query.id, TIE)]


def test_the_picture(pygame, store, tmp_path, monkeypatch):
    """Red on the left, blue on the right, the accent round the clip that was chosen."""
    monkeypatch.setattr("prefrl.labelers.window.window.GLOW_S", 600)
    pixels = {}

    def look(name):
        surface, layout = pygame.display.get_surface(), layout_of(pygame)
        left, right = (clip.center for clip in layout.clips)
        edge = (layout.clips[0].left - 2, layout.clips[0].center[1])
        pixels[name] = [tuple(surface.get_at(point))[:3] for point in (left, right, edge)]

    sit_down(pygame, store, tmp_path, Person(pygame, [lambda: look("before"), "1"], [lambda: look("after"), "q"]))
    assert pixels["before"] == [*COLOURS, theme.BACKGROUND]
    left, right, edge = pixels["after"]
    assert (left, right) == tuple(COLOURS)
    assert edge == theme.ACCENT


def moving(env_id, steps, rng, offset):
    """A segment whose states can be drawn, and are all it has."""
    states = np.linspace(0, 1, steps, dtype=np.float32)[:, None] * np.ones(4, np.float32) * offset
    return Segment(env_id, states, np.zeros((steps, 1)), np.zeros(steps), states)


def test_a_whole_window_draws_in_a_process_of_its_own(pygame, tmp_path, rng):
    segments = [moving("prefrl/CartPole-v0", 5, rng, offset) for offset in (0.1, 0.2, 0.15, -0.1)]
    subject = Subject(env_id="prefrl/CartPole-v0", horizon=None, on_end="absorb", folder=tmp_path)
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        store.set_question("Which pole stands better?")
        store.ask([Query(tuple(segments[:2]), 0), Query(tuple(segments[2:]), 1)])
        person = Person(pygame, "1", ["2", lambda: leave_soon(pygame)])
        assert label_in_window(store, subject, LABELER, rng, on_show=person) == 2
        assert len(answered(store)) == 2
        assert store.counts().held == 0


def test_what_cannot_be_drawn_is_said_and_given_back(pygame, tmp_path, rng):
    subject = Subject(env_id="prefrl/CartPole-v0", horizon=None, on_end="absorb", folder=tmp_path)
    blind = [Segment("prefrl/CartPole-v0", np.full((3, 4), i), np.zeros((3, 1)), np.zeros(3)) for i in range(2)]
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        store.ask([Query(tuple(blind), 0)])
        with pytest.raises(ValueError, match="CartPole-v0 keep nothing to draw them by"):
            label_in_window(store, subject, LABELER, rng)
        assert store.counts().held == 0


@pytest.mark.filterwarnings("ignore:.*not in the possible render_modes")
def test_an_environment_that_nothing_draws_is_said_by_the_process_that_draws(rng):
    drawn = threading.Event()
    drawer = Drawer("prefrl/Nowhere-v0", None, "absorb", drawn.set)
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
