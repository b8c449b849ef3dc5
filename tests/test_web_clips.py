"""Clips for the page: drawn by a process of their own, the most urgent first."""

import threading
import time

import pytest

pytest.importorskip("starlette")

from pages import Drawn

from prefrl.labelers.web.clips import Clips
from prefrl.testing import random_queries


class TestClips:
    def test_the_most_urgent_first_and_each_once(self, rng):
        order, gate = [], threading.Event()

        class Slow(Drawn):
            def __call__(self, states):
                gate.wait()
                order.append(states.sum())
                return b"clip"

        segments = [segment for query in random_queries(3, rng) for segment in query.segments]
        clips = Clips(Slow)
        clips.want(segments[:1])
        time.sleep(0.05)  # it is being drawn
        clips.want(segments)
        urgent = clips.clip(segments[5])
        gate.set()
        assert urgent.result(5) == b"clip"
        assert all(clips.clip(segment).result(5) == b"clip" for segment in segments)
        clips.close()
        expected = [segments[number].render_states.sum() for number in (0, 5, 1, 2, 3, 4)]
        assert order == expected

    def test_a_process_that_died_is_started_again(self, rng):
        started = []

        class Dying(Drawn):
            def __init__(self):
                super().__init__()
                started.append(self)

            def __call__(self, states):
                if len(started) == 1:
                    raise EOFError
                return b"clip"

        (query,) = random_queries(1, rng)
        clips = Clips(Dying)
        with pytest.raises(ValueError, match="has died"):
            clips.clip(query.segments[0]).result(5)
        assert clips.clip(query.segments[0]).result(5) == b"clip"
        clips.close()
        assert [each.closed for each in started] == [True, True]

    def test_only_the_last_ones_are_kept(self, rng):
        drawn = []

        class Counting(Drawn):
            def __call__(self, states):
                drawn.append(1)
                return b"clip"

        segments = [segment for query in random_queries(3, rng) for segment in query.segments]
        clips = Clips(Counting, kept=2)
        for segment in [*segments, segments[-1], segments[0]]:
            clips.clip(segment).result(5)
        clips.close()
        assert len(drawn) == len(segments) + 1
