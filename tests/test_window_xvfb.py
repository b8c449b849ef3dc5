"""A real window on a real X server, with real keys: `prefrl label` as a person runs it."""

import os
import subprocess
import sys
import time
from itertools import groupby

import numpy as np
import pytest

from prefrl.presets import preset_config
from prefrl.queries import LEFT, RIGHT, TIE, Query
from prefrl.runs import RunFolder
from prefrl.segments import Segment
from prefrl.store import PreferenceStore

PATIENCE_S = 60


@pytest.fixture
def run(tmp_path):
    """A run's folder as a trainer leaves it that has asked five questions: five steps each of a pole that falls."""
    folder = RunFolder(tmp_path / "run")
    folder.create(preset_config("default", "prefrl/CartPole-v0", labels=10, steps=10_000))
    steps = np.linspace(0, 1, 5)[:, None]
    segments = [
        Segment("prefrl/CartPole-v0", {"obs": states}, np.zeros((5, 1)), np.zeros(5), states.astype(np.float32))
        for states in (steps * np.array([0.2, 0, 0.1 * number, 0]) for number in range(10))
    ]
    with PreferenceStore(folder.store) as store:
        store.ask([Query((left, right), 0) for left, right in zip(segments[::2], segments[1::2], strict=True)])
    return folder


def label(run, display, *options):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SDL_", "WAYLAND_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "prefrl.cli", "label", str(run.path), "--name", "ida", *options],
        env=environment | {"DISPLAY": display},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def press_until(display, key, holds):
    """Presses a key again and again until something holds; before its pair is drawn, a key does nothing."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, f"{key} changed nothing"
        subprocess.run(["xdotool", *key], env=os.environ | {"DISPLAY": display}, check=True)
        time.sleep(0.2)


def records(run):
    with PreferenceStore.existing(run.store) as store:
        return store.records()


def valid(run):
    return [record for record in records(run) if record.withdrawn_at is None]


def on_screen(record):
    """What was chosen: "left", "right" or "tie"."""
    swap = {LEFT: RIGHT, RIGHT: LEFT}
    answer = swap.get(record.answer, record.answer) if record.swapped else record.answer
    return {LEFT: "left", RIGHT: "right", TIE: "tie"}[answer]


def test_keys_and_clicks_label_pairs_and_leaving_gives_back_the_rest(run, x_display):
    process = label(run, x_display)
    try:
        press_until(x_display, ["key", "3"], lambda: len(valid(run)) >= 1)
        press_until(x_display, ["key", "u"], lambda: not valid(run))
        press_until(x_display, ["key", "Left"], lambda: len(valid(run)) >= 1)
        click = ["mousemove", "900", "300", "click", "1"]
        press_until(x_display, click, lambda: on_screen(valid(run)[-1]) == "right")
        press_until(x_display, ["key", "q"], lambda: process.poll() is not None)
    finally:
        process.kill()
    assert process.stdout is not None
    assert process.stdout.read().strip() == f"answers saved: {len(valid(run))}"
    assert process.returncode == 0
    # A slow machine may have got a key twice.
    assert [choice for choice, _ in groupby(map(on_screen, valid(run)))] == ["left", "right"]
    assert {on_screen(record) for record in records(run) if record.withdrawn_at is not None} == {"tie"}
    with PreferenceStore.existing(run.store) as store:
        assert (store.counts().held, store.counts().open) == (0, 5 - len(valid(run)))


def test_a_window_that_is_killed_loses_nothing(run, x_display):
    process = label(run, x_display)
    try:
        press_until(x_display, ["key", "1"], lambda: len(valid(run)) >= 1)
    finally:
        process.kill()
        process.wait()
    before = [record.query_id for record in valid(run)]
    process = label(run, x_display)
    try:
        press_until(x_display, ["key", "2"], lambda: len(valid(run)) == 5)  # what the dead one held, too
        press_until(x_display, ["key", "q"], lambda: process.poll() is not None)
    finally:
        process.kill()
    assert [record.query_id for record in valid(run)][: len(before)] == before
    assert len({record.query_id for record in valid(run)}) == len(valid(run))
