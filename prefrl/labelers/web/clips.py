"""Clips by segment: drawn ahead, one after the other, the most urgent first; the last ones are kept."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import PriorityQueue
from typing import Protocol

import numpy as np

from prefrl.segments import Segment

KEPT = 400  # clips: about 20 MB, and as far back as a person undoes


class Draw(Protocol):
    """What makes a WebM of [T, S] render states, in one thread."""

    def __call__(self, states: np.ndarray) -> bytes: ...

    def close(self) -> None: ...


class Clips:
    """The clips of segments, from a thread that draws them.

    Args:
        start: makes what draws; called again where that has died.
        kept: clips to keep at most.

    Raises:
        ValueError: from `start`, nothing draws this.
    """

    def __init__(self, start: Callable[[], Draw], kept: int = KEPT) -> None:
        self._start, self._kept = start, kept
        self._draw: Draw | None = start()
        self._clips: OrderedDict[str, Future[bytes]] = OrderedDict()
        self._jobs: PriorityQueue[tuple[float, int, Segment | None, Future[bytes]]] = PriorityQueue()
        self._order, self._lock = itertools.count(), threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True, name="prefrl-clips")
        self._thread.start()

    def want(self, segments: Sequence[Segment]) -> None:
        """Has these drawn, the first ones first; returns at once."""
        for rank, segment in enumerate(segments):
            self._clip(segment, rank)

    def clip(self, segment: Segment) -> Future[bytes]:
        """The WebM of a segment, there or still to come; a ValueError in it says why nothing draws it."""
        return self._clip(segment, 0)

    def close(self) -> None:
        """Ends the thread and what draws; clips that are still to come are cancelled."""
        with self._lock:
            for clip in self._clips.values():
                clip.cancel()
        self._jobs.put((-1.0, next(self._order), None, Future()))
        self._thread.join(timeout=5)

    def _clip(self, segment: Segment, rank: int) -> Future[bytes]:
        with self._lock:
            clip = self._clips.get(segment.id)
            if clip is None or (clip.done() and clip.exception() is not None):
                clip = self._clips[segment.id] = Future()
                self._jobs.put((rank, next(self._order), segment, clip))
            elif rank == 0 and not clip.done():
                self._jobs.put((0, next(self._order), segment, clip))  # somebody looks at it now
            self._clips.move_to_end(segment.id)
            while len(self._clips) > self._kept:
                self._clips.popitem(last=False)
        return clip

    def _work(self) -> None:
        while True:
            _, _, segment, clip = self._jobs.get()
            if segment is None:
                break
            if clip.done() or not clip.set_running_or_notify_cancel():
                continue
            try:
                clip.set_result(self._drawn(segment))
            except ValueError as error:
                clip.set_exception(error)
        if self._draw is not None:
            self._draw.close()

    def _drawn(self, segment: Segment) -> bytes:
        if segment.render_states is None:
            raise ValueError("this clip keeps nothing to draw it by")
        try:
            self._draw = self._draw or self._start()
            return self._draw(segment.render_states)
        except (EOFError, OSError) as error:
            if self._draw is not None:
                self._draw.close()
            self._draw = None
            raise ValueError("the process that draws the clips has died") from error
