"""One sitting for each tab of a browser, and what the page is told of it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from prefrl.core.errors import PrefrlError
from prefrl.labelers.session import Choice, LabelingSession, Showing
from prefrl.segments import Segment
from prefrl.store import PreferenceStore

FORGOTTEN_AFTER = 3600.0  # seconds; its pairs go back much sooner, with their leases
MOST_TABS = 200


class Tab:
    """A session behind a lock.

    A turn is one pair on the screen, counted: what the page says of an earlier turn is not taken for this one's,
    so that it may say it twice where it heard no reply.
    """

    def __init__(self, labeler: str, session: LabelingSession) -> None:
        self.labeler = labeler
        self._session, self._lock = session, threading.Lock()
        self._turn, self._on_screen, self._closed = 0, session.current, False

    def answer(self, turn: int, choice: Choice) -> str:
        """Takes an answer down; returns what went wrong, or "".

        Raises:
            PrefrlError: no such choice.
        """
        with self._lock:
            if turn != self._update() or self._session.current is None:
                return "stale"
            return self._change(lambda: self._session.answer(choice))

    def undo(self, turn: int) -> str:
        """Takes the last answer back; returns what went wrong, or ""."""
        with self._lock:
            if turn != self._update():
                return "stale"
            return self._change(self._session.undo)

    def refill(self) -> None:
        """Keeps what it holds, and takes what is open."""
        with self._lock:
            self._refill()

    def close(self) -> None:
        """Gives back what it holds, and takes nothing any more."""
        with self._lock:
            self._closed = True
            self._session.close()

    def segments(self) -> list[Segment]:
        """Segments of the pair on the screen and of the pairs ahead, in this order."""
        with self._lock:
            return [segment for showing in self._showings() for segment in (showing.left, showing.right)]

    def state(self) -> dict[str, Any]:
        """Ids of segments by side, pair by pair; the first pair is on the screen.

        Recorded ones are shown in whole pixels.
        """
        with self._lock:
            return {
                "labeler": self.labeler,
                "turn": self._update(),
                "recorded": self._session.current is not None and self._session.current.left.recorded,
                "pairs": [{"left": showing.left.id, "right": showing.right.id} for showing in self._showings()],
                "answers": self._session.answers,
                "per_minute": self._session.per_minute,
            }

    def _change(self, change: Callable[[], object]) -> str:
        said = ""
        try:
            change()
        except PrefrlError as error:
            said = str(error)
        self._turn, self._on_screen = self._turn + 1, self._session.current
        self._refill()
        return said

    def _refill(self) -> None:
        if not self._closed:
            self._session.refill()

    def _update(self) -> int:
        if self._session.current is not self._on_screen:
            self._turn, self._on_screen = self._turn + 1, self._session.current
        return self._turn

    def _showings(self) -> list[Showing]:
        current = self._session.current
        return [] if current is None else [current, *self._session.ahead]


class Tabs:
    """The open tabs, by an id that cannot be guessed.

    Args:
        repeat: share of the pairs that a labeler sees a second time.
        clock: seconds since any moment.
    """

    def __init__(
        self,
        store: PreferenceStore,
        rng: np.random.Generator,
        *,
        repeat: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._rng, self._repeat, self._clock = store, rng, repeat, clock
        self._tabs: dict[str, Tab] = {}
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tabs)

    def open(self, labeler: str) -> str:
        """A new sitting; returns its id.

        Raises:
            PrefrlError: too many are open.
        """
        self.forget_unseen()
        with self._lock:
            if len(self._tabs) >= MOST_TABS:
                raise PrefrlError(f"{MOST_TABS} tabs are open already; close some")
            (rng,) = self._rng.spawn(1)
        session = LabelingSession(self._store, labeler, rng, repeat=self._repeat, clock=self._clock)
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._tabs[name], self._seen[name] = Tab(labeler, session), self._clock()
        return name

    def find(self, name: str) -> Tab | None:
        """The tab of an id, seen now."""
        with self._lock:
            if name in self._tabs:
                self._seen[name] = self._clock()
            return self._tabs.get(name)

    def close(self, name: str) -> None:
        """Ends a sitting; what it holds is open again."""
        with self._lock:
            tab = self._tabs.pop(name, None)
            self._seen.pop(name, None)
        if tab is not None:
            tab.close()

    def close_all(self) -> None:
        for name in list(self._tabs):
            self.close(name)

    def forget_unseen(self) -> None:
        """Closes those of which nothing was heard for an hour."""
        now = self._clock()
        for name, seen in list(self._seen.items()):
            if now - seen > FORGOTTEN_AFTER:
                self.close(name)
