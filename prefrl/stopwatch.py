"""Timers for the parts of a run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Stopwatch:
    """Adds up the seconds spent in the parts of an iteration.

    Args:
        processor_seconds: processor time so far, of all threads and processes.

    Attributes:
        parts: seconds by the clock since the last `take`, by part.
    """

    def __init__(self, processor_seconds: Callable[[], float] = time.process_time) -> None:
        self._processor_seconds = processor_seconds
        self.parts: defaultdict[str, float] = defaultdict(float)
        self._processor = 0.0

    def __call__(self, part: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls the function; its time counts for `part`."""
        began, processor_began = time.perf_counter(), self._processor_seconds()
        try:
            return function(*args, **kwargs)
        finally:
            self.parts[part] += time.perf_counter() - began
            self._processor += self._processor_seconds() - processor_began

    def take(self) -> tuple[dict[str, float], float]:
        """Returns the seconds by part, and the processor time of all parts, since the last call."""
        taken = dict(self.parts), self._processor
        self.parts.clear()
        self._processor = 0.0
        return taken
