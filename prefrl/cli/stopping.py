"""Ctrl-C, as a request."""

from __future__ import annotations

import signal
import sys


class StopOnSignal:
    """Ctrl-C or a polite kill asks to stop; a second Ctrl-C does not ask.

    Args:
        reply: what is said to the first one.
    """

    def __init__(self, reply: str) -> None:
        self._reply, self._asked = reply, False

    def asked(self) -> bool:
        return self._asked

    def no_longer_ask(self) -> None:
        """From here on the first one leaves at once: all that was learned is saved."""
        self._asked = True

    def __enter__(self) -> StopOnSignal:
        self._before = {kind: signal.signal(kind, self._handle) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _handle(self, kind: int, _: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print(f"\n{self._reply}; once more to leave at once", file=sys.stderr)
