"""A person's labeling session without its display: the next pair, its sides, answers, and undo."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up
from prefrl.labelers.base import person_name
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Query
from prefrl.segments import Segment
from prefrl.store import PreferenceStore

Choice = Literal["left", "right", "tie", "skip"]
ON_SCREEN = {"left": LEFT, "right": RIGHT, "tie": TIE, "skip": INCOMPARABLE}
MIRRORED = {LEFT: RIGHT, RIGHT: LEFT}

REPEAT_AFTER = 10  # answers between a pair and its repeat: too many to answer from memory
AWAY_AFTER = 5  # leases that one pair may be on the screen before the others go back
PACE_OVER = 20  # answers that the pace is a mean of


@dataclass(frozen=True, eq=False)
class Showing:
    """A query as it is on the screen.

    Attributes:
        swapped: the query's first segment is on the right.
        repeat: this labeler sees the query a second time.
    """

    query: Query
    swapped: bool
    repeat: bool = False

    @property
    def left(self) -> Segment:
        return self.query.segments[int(self.swapped)]

    @property
    def right(self) -> Segment:
        return self.query.segments[1 - int(self.swapped)]


class LabelingSession:
    """Hands out pairs to one person, and takes down what they say of them.

    For one thread at a time: a tool that has several of them calls it under a lock.
    """

    def __init__(
        self,
        store: PreferenceStore,
        labeler: str,
        rng: np.random.Generator,
        *,
        repeat: float = 0.05,
        ahead: int = 2,
        lease_s: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Claims the first pairs.

        Args:
            labeler: the person's name.
            rng: draws the sides and the repeats.
            repeat: chance that the next pair is one that was answered at least 10 answers ago, sides swapped.
            ahead: pairs to hold beside the one on the screen, so that their clips can be drawn before it is their turn.
            lease_s: seconds after which the store gives the pairs to others, unless `refill` is called meanwhile.
            clock: seconds since any moment.

        Raises:
            PrefrlError: that is no person's name.
        """
        self._store, self._labeler, self._rng = store, person_name(labeler), rng
        self._repeat, self._num_ahead, self._lease_s, self._clock = repeat, ahead, lease_s, clock
        self._queue: deque[Showing] = deque()  # the first one is on the screen
        self._given: list[Showing] = []  # what undo goes back through
        self._seconds: list[float] = []  # that each of these took
        self._repeated: set[str] = set()
        self._shown_at = self._renewed_at = self._looked_at = clock()
        self.refill()

    @property
    def current(self) -> Showing | None:
        """The pair on the screen; None if no query is open."""
        return self._queue[0] if self._queue else None

    @property
    def ahead(self) -> list[Showing]:
        """The next pairs, held already."""
        return list(self._queue)[1:]

    @property
    def answers(self) -> int:
        """Answers of this session, repeats and skips too, without those undone."""
        return len(self._given)

    @property
    def per_minute(self) -> float:
        """Answers a minute at the pace of the last 20, without the time in which nothing was open."""
        last = self._seconds[-PACE_OVER:]
        return 60 * len(last) / sum(last) if sum(last) else 0.0

    def refill(self) -> None:
        """Claims pairs until `ahead` are held beside the one on the screen, and keeps the leases of all alive.

        To be called now and then, every second or so, and while nothing is open. Once nobody has answered for
        five leases' time, it does nothing: what is held goes back to the others. After a sleep, of a phone for
        one, what others took meanwhile is gone from the screen.
        """
        now = self._clock()
        if now - self._looked_at > self._lease_s:
            self._shown_at = now  # it slept, and somebody has woken it
        self._looked_at = now
        if self._queue and now - self._shown_at > AWAY_AFTER * self._lease_s:
            return
        if self._queue and now - self._renewed_at > self._lease_s / 4:
            self._renew()
        while len(self._queue) <= self._num_ahead and (query := self._store.claim(self._labeler, self._lease_s)):
            if again := self._draw_repeat():
                self._put(again)
            self._put(Showing(query, swapped=bool(self._rng.random() < 0.5)))

    def answer(self, choice: Choice) -> None:
        """Takes down what the person says of the pair on the screen, and shows the next one.

        Args:
            choice: by what is on the screen, whatever the query's own order.

        Raises:
            PrefrlError: nothing is on the screen, no such choice, or the store refuses the answer, because this
                labeler gave another one elsewhere; then the next pair is shown.
        """
        on_screen, showing = look_up("choice", choice, ON_SCREEN), self.current
        if showing is None:
            raise PrefrlError("nothing is open now, so there is nothing to answer")
        in_order = MIRRORED.get(on_screen, on_screen) if showing.swapped else on_screen
        seconds = self._clock() - self._shown_at
        try:
            self._store.answer(
                showing.query.id, self._labeler, in_order, seconds, swapped=showing.swapped, repeat=showing.repeat
            )
        except PrefrlError:
            self._next()
            raise
        self._given.append(showing)
        self._seconds.append(seconds)
        self._next()

    def undo(self) -> bool:
        """Withdraws this session's last answer and shows its pair again, sides as they were.

        Returns:
            Whether there was one.

        Raises:
            PrefrlError: it has been withdrawn elsewhere; the next call undoes the one before.
        """
        if not self._given:
            return False
        showing = self._given[-1]
        try:
            self._store.withdraw(showing.query.id, self._labeler, showing.repeat, self._lease_s)
        except PrefrlError:
            self._forget_last()
            raise
        self._forget_last()  # not before: where the store cannot be reached, undo is tried again
        # A repeat of what is answered anew would repeat nothing.
        others = [each for each in self._queue if not each.repeat or each.query.id != showing.query.id]
        if len(others) < len(self._queue):
            self._repeated.discard(showing.query.id)
        self._queue = deque([showing, *others])
        self._shown_at = self._clock()
        return True

    def close(self) -> None:
        """Gives back what it holds."""
        self._store.release(self._labeler, [each.query.id for each in self._queue if not each.repeat])
        self._queue.clear()

    def _forget_last(self) -> None:
        self._given.pop()
        self._seconds.pop()

    def _put(self, showing: Showing) -> None:
        if not self._queue:
            self._shown_at = self._clock()
        self._queue.append(showing)

    def _next(self) -> None:
        self._queue.popleft()
        self._shown_at = self._clock()
        if self._queue and self._shown_at - self._renewed_at >= self._lease_s:  # nobody called `refill`
            self._renew()
        if not self._queue:
            self.refill()

    def _renew(self) -> None:
        """Keeps the leases; what others have taken meanwhile is no longer ours to show."""
        self._renewed_at, before = self._clock(), self.current
        ours = [each.query.id for each in self._queue if not each.repeat]
        held = self._store.extend(self._labeler, ours, self._lease_s)
        self._queue = deque(each for each in self._queue if each.repeat or each.query.id in held)
        if self.current is not before:
            self._shown_at = self._clock()

    def _draw_repeat(self) -> Showing | None:
        if self._rng.random() >= self._repeat:
            return None
        old = self._given[: max(0, len(self._given) - REPEAT_AFTER)]
        candidates = [each for each in old if not each.repeat and each.query.id not in self._repeated]
        if not candidates:
            return None
        chosen = candidates[self._rng.integers(len(candidates))]
        self._repeated.add(chosen.query.id)
        return replace(chosen, swapped=not chosen.swapped, repeat=True)
