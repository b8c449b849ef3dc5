"""The process that draws the page's clips, run here in a thread."""

import io
import threading
from contextlib import contextmanager
from multiprocessing import Pipe
from types import SimpleNamespace

import av
import numpy as np
import pytest
from prefrl_envs.task import TaskConfig

from prefrl.labelers.web import drawing

STATES = np.zeros((60, 6), np.float32)


@pytest.fixture
def draw(monkeypatch):
    """Maps (states, seconds that drawing them takes) to the width and height of the clip that comes back."""
    clock = SimpleNamespace(now=0.0, seconds=0.0)

    @contextmanager
    def renderer(task, width, height):
        def frames(states):
            clock.now += clock.seconds * len(states) / len(STATES)
            return np.zeros((len(states), height, width, 3), np.uint8)

        yield frames

    monkeypatch.setattr("prefrl.labelers.drawing.renderer", renderer)
    monkeypatch.setattr(drawing, "become_a_drawing_process", lambda: None)
    monkeypatch.setattr("prefrl.labelers.drawing.time", SimpleNamespace(perf_counter=lambda: clock.now))
    ours, theirs = Pipe()
    thread = threading.Thread(target=drawing.draw_until_closed, args=(theirs, TaskConfig("prefrl/Hopper-v0")))
    thread.start()
    assert ours.recv() == ""

    def size_of_a_clip(states, seconds=0.0):
        clock.seconds = seconds
        ours.send(states)
        with av.open(io.BytesIO(ours.recv_bytes())) as video:
            return video.streams.video[0].width, video.streams.video[0].height

    yield size_of_a_clip
    ours.close()
    thread.join(5)
    assert not thread.is_alive()


def test_clips_are_smaller_where_drawing_takes_long_and_large_again_where_it_does_not(draw):
    assert draw(STATES, seconds=1.4) == (480, 480)
    smaller, _ = draw(STATES, seconds=0.1)
    assert 320 <= smaller <= 342  # half the time, as near as a clip may get
    assert draw(STATES, seconds=0.1) == (480, 480)


def test_recorded_screens_keep_their_own_size(draw):
    from prefrl_envs import screens

    packed = screens.stack([screens.pack(np.zeros((1, 210, 160, 3), np.uint8)) for _ in range(5)])[:, 0]
    before = draw(packed)
    draw(STATES, seconds=9.0)
    assert draw(packed) == before == (640, 420)
