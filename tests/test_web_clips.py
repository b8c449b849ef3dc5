"""Clips for the page: drawn by a process of their own, the most urgent first."""

import threading
import time

import pytest
from pages import Drawn

from prefrl.labelers.web.clips import Clips
from prefrl.testing import random_queries


class Gated(Drawn):
    """Draws nothing until its gate is open, and then notes in which order."""

    def __init__(self):
        super().__init__()
        self.began, self.gate, self.order = threading.Event(), threading.Event(), []

    def __call__(self, states):
        self.began.set()
        self.gate.wait(5)
        self.order.append(states)
        return b"clip"

    def numbers(self, segments):
        """Which of the segments were drawn, in their order."""
        return [[each.render_states is states for each in segments].index(True) for states in self.order]


class Labeler:
    """Somebody who wants clips."""


class TestClips:
    @pytest.fixture
    def segments(self, rng):
        return [segment for query in random_queries(4, rng) for segment in query.segments]

    @pytest.fixture
    def gated(self):
        return Gated()

    @pytest.fixture
    def clips(self, gated, segments):
        """With its first clip being drawn."""
        clips = Clips(lambda: gated)
        clips.clip(segments[0])
        assert gated.began.wait(5)
        yield clips
        gated.gate.set()
        clips.close()

    def test_what_is_waited_for_comes_first_then_what_is_wanted_and_each_once(self, clips, gated, segments):
        somebody, another = Labeler(), Labeler()
        clips.want(somebody, [segments[0], segments[1], segments[2]])
        clips.want(another, [segments[3], segments[4], segments[5]])
        clips.clip(segments[6], rank=2)
        clips.clip(segments[5], rank=1)
        waited = [clips.clip(segments[6], rank=4), clips.clip(segments[5])]
        gated.gate.set()
        assert [clip.result(5) for clip in waited] == [b"clip"] * 2
        assert clips.clip(segments[2], rank=9).result(5) == b"clip"
        while len(gated.order) < 7:
            time.sleep(0.01)
        assert gated.numbers(segments)[:3] == [0, 5, 6]
        assert sorted(gated.numbers(segments)[3:]) == [1, 2, 3, 4]

    def test_ahead_of_time_everybodys_first_clip_comes_before_anybodys_second(self, clips, gated, segments):
        labelers = [Labeler() for _ in range(3)]
        for number, labeler in enumerate(labelers):
            clips.want(labeler, segments[2 * number + 1 : 2 * number + 3])
        gated.gate.set()
        while len(gated.order) < 7:
            time.sleep(0.01)
        assert sorted(gated.numbers(segments)[1:4]) == [1, 3, 5]
        assert sorted(gated.numbers(segments)[4:]) == [2, 4, 6]

    def test_what_nobody_wants_any_more_is_not_drawn(self, clips, gated, segments):
        somebody, gone = Labeler(), Labeler()
        clips.want(somebody, segments[1:3])
        clips.want(gone, segments[3:5])
        clips.want(somebody, segments[5:7])
        del gone
        gated.gate.set()
        assert clips.clip(segments[7], rank=9).result(5) == b"clip"
        while len(gated.order) < 4:
            time.sleep(0.01)
        time.sleep(0.05)
        assert sorted(gated.numbers(segments)) == [0, 5, 6, 7]

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

    def test_those_still_to_come_are_kept_however_many(self, rng):
        gated = Gated()
        segments = [segment for query in random_queries(3, rng) for segment in query.segments]
        clips = Clips(lambda: gated, kept=2)
        waited = [clips.clip(segment) for segment in segments]
        again = [clips.clip(segment) for segment in segments]
        gated.gate.set()
        assert [clip.result(5) for clip in waited + again] == [b"clip"] * 12
        clips.close()
        assert len(gated.order) == 6
