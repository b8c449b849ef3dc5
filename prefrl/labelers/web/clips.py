"""Clips by segment: drawn one after the other, the most urgent first; the last ones are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import zip_longest
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np

from prefrl.core.errors import PrefrlError
from prefrl.segments import Segment

KEPT = 400  # clips: about 20 MB, and as far back as a person undoes


class Draw(Protocol):
    """Makes a WebM of [T, S] render states, in one thread."""

    def __call__(self, states: np.ndarray) -> bytes: ...

    def close(self) -> None: ...


class Clips:
    """The clips of segments, from a thread that draws them.

    First come those that a browser waits for; then, ahead of time, those that somebody will want to see. What nobody
    wants any more is not drawn: in a crowd pairs are answered faster than clips are drawn.

    Args:
        start: makes what draws; called again where that has died.
        kept: clips to keep at most.

    Raises:
        PrefrlError: from `start`, nothing draws this.
    """

    def __init__(self, start: Callable[[], Draw], kept: int = KEPT) -> None:
        self._start, self._kept = start, kept
        self._draw: Draw | None = start()
        self._clips: OrderedDict[str, Future[bytes]] = OrderedDict()
        self._awaited: dict[str, tuple[int, Segment]] = {}  # with its rank, by id
        self._wanted: WeakKeyDictionary[object, list[Segment]] = WeakKeyDictionary()
        self._changed, self._closed = threading.Condition(), False
        self._thread = threading.Thread(target=self._work, daemon=True, name="prefrl-clips")
        self._thread.start()

    def want(self, who: object, segments: Sequence[Segment]) -> None:
        """Has these drawn, the first ones first, in place of what `who` wanted before; returns at once."""
        with self._changed:
            self._wanted[who] = list(segments)
            self._changed.notify()

    def clip(self, segment: Segment, rank: int = 0) -> Future[bytes]:
        """The WebM of a segment, there or still to come; a PrefrlError in it says why nothing draws it.

        Args:
            rank: of those that are waited for the lowest is drawn first.
        """
        with self._changed:
            clip = self._clips.get(segment.id)
            if clip is None or (clip.done() and clip.exception() is not None):
                clip = self._keep(segment)
            if not (clip.done() or clip.running()):
                before, _ = self._awaited.get(segment.id, (rank, segment))
                self._awaited[segment.id] = min(before, rank), segment
                self._changed.notify()
            self._clips.move_to_end(segment.id)
        return clip

    def close(self) -> None:
        """Ends the thread and what draws; clips that are still to come are cancelled."""
        with self._changed:
            self._closed = True
            for clip in self._clips.values():
                clip.cancel()
            self._changed.notify()
        self._thread.join(timeout=5)

    def _keep(self, segment: Segment) -> Future[bytes]:
        """A clip to come, in place of the drawn one that was asked for least lately."""
        clip = self._clips[segment.id] = Future()
        drawn = [name for name, each in self._clips.items() if each.done()]
        for name in drawn[: max(0, len(self._clips) - self._kept)]:
            del self._clips[name]
        return clip

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            segment, clip = job
            try:
                clip.set_result(self._drawn(segment))
            except PrefrlError as error:
                clip.set_exception(error)
        if self._draw is not None:
            self._draw.close()

    def _next_job(self) -> tuple[Segment, Future[bytes]] | None:
        """Waits for something to draw; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._most_urgent() is not None)
            if self._closed or (segment := self._most_urgent()) is None:
                return None
            self._awaited.pop(segment.id, None)
            clip = self._clips.get(segment.id) or self._keep(segment)
            clip.set_running_or_notify_cancel()
            return segment, clip

    def _most_urgent(self) -> Segment | None:
        if self._awaited:
            return min(self._awaited.values(), key=lambda awaited: awaited[0])[1]
        by_rank = (segment for rank in zip_longest(*self._wanted.values()) for segment in rank)
        return next((each for each in by_rank if each is not None and each.id not in self._clips), None)

    def _drawn(self, segment: Segment) -> bytes:
        if segment.render_states is None:
            raise PrefrlError("this clip keeps nothing to draw it by")
        try:
            self._draw = self._draw or self._start()
            return self._draw(segment.render_states)
        except (EOFError, OSError) as error:
            if self._draw is not None:
                self._draw.close()
            self._draw = None
            raise PrefrlError("the process that draws the clips has died") from error
