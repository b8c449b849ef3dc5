"""Doing something again and again while something else takes its time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def repeating(action: Callable[[], object], every_s: float, passing: type[Exception]) -> Iterator[None]:
    """Calls `action` every `every_s` seconds, from a thread of its own, for as long as the context.

    Args:
        passing: errors that pass by themselves, such as a file system that is away: the next call tries again.
    """
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(every_s):
            with suppress(passing):
                action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
