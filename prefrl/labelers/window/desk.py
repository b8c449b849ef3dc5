"""The session in a thread of its own: a slow disk or a busy database never stops the clips."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from sqlalchemy.exc import SQLAlchemyError

from prefrl.core.errors import PrefrlError
from prefrl.labelers.session import Choice, LabelingSession, Showing
from prefrl.labelers.subject import NOTHING_SAID, Trainer
from prefrl.labelers.window.actions import Action
from prefrl.store import PreferenceStore

RETRY_S = 1.0  # between two tries to store an answer, or to take it back
UNREACHABLE = "The store cannot be reached. Trying again…"
NOT_SAVED = "Not saved yet: the store cannot be reached. Trying again…"
NOT_TAKEN_BACK = "Not taken back yet: the store cannot be reached. Trying again…"


@dataclass(frozen=True)
class Desk:
    """The pairs and clips before the labeler at one moment.

    Attributes:
        question: what is asked.
        current: the pair to judge, or None where nothing is open.
        ahead: pairs that come next.
        answers, per_minute: of this session.
        waiting: queries that want an answer, those in somebody's hand among them.
        problem: why the last answer or undo was refused; empty where it was not.
        trouble: what does not work at present; empty where all is well.
    """

    question: str
    current: Showing | None = None
    ahead: tuple[Showing, ...] = ()
    answers: int = 0
    per_minute: float = 0.0
    waiting: int = 0
    trainer: Trainer = NOTHING_SAID
    problem: str = ""
    trouble: str = ""


class DeskThread:
    """Owns a session: carries out one thing after the other, and leaves what came of it in `desk`.

    While the store cannot be reached, it says so there, and tries again.

    Args:
        trainer: says how far the trainer is.
        on_change: called in the session's thread when `desk` is new.
    """

    def __init__(
        self,
        session: LabelingSession,
        store: PreferenceStore,
        trainer: Callable[[], Trainer],
        on_change: Callable[[], None],
    ) -> None:
        self._session, self._store, self._ask_trainer, self._on_change = session, store, trainer, on_change
        self._question, self._waiting, self._trainer = store.question, 0, NOTHING_SAID
        self.desk = Desk(self._question, session.current, tuple(session.ahead))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session")
        self._urgent: Future[None] | None = None
        self._later: Future[None] | None = None
        self._leaving = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way; until it has arrived, the pair on the screen is no longer open."""
        return self._urgent is not None and not self._urgent.done()

    def answer(self, showing: Showing, choice: Action) -> None:
        """Takes down what was said of a pair and puts the next one forward, which shows that it is in the store."""
        self._do_now(lambda: self._answer(showing, choice))

    def undo(self) -> None:
        self._do_now(self._undo)

    def poll(self) -> None:
        """Looks for new pairs and how far everybody is; nothing where it does so already."""
        if self._later is None or self._later.done():
            self._later = self._thread.submit(self._look)

    def check(self) -> None:
        """Raises what went wrong in the session's thread."""
        for done in (self._urgent, self._later):
            if done is not None and done.done():
                done.result()

    def close(self) -> None:
        """Tries for the last time to store an answer that is on its way, and gives back what is held."""
        self._leaving.set()
        with suppress(SQLAlchemyError):  # then the leases run out by themselves
            self._thread.submit(self._session.close).result(timeout=10)
        self._thread.shutdown()

    def _do_now(self, what: Callable[[], None]) -> None:
        self.check()
        self._urgent = self._thread.submit(what)
        self._later = self._thread.submit(self._look)

    def _answer(self, showing: Showing, choice: Action) -> None:
        session = self._session
        if session.current is not showing:  # its lease ran out, and somebody else has it now
            return self._publish("This pair went to somebody else")
        try:
            # What is stored has left the screen, even where the next pair cannot be had.
            stored = self._insist(
                lambda: session.answer(cast(Choice, choice.value)), lambda: session.current is not showing, NOT_SAVED
            )
        except PrefrlError:  # the same person answered it in another window; the next pair lies before them
            return self._publish("This pair was answered elsewhere")
        if stored:
            self._waiting = max(0, self._waiting - 1)
            self._publish()

    def _undo(self) -> None:
        try:
            if self._insist(self._session.undo, lambda: False, NOT_TAKEN_BACK):
                self._publish()
        except PrefrlError:
            self._publish("That answer was withdrawn elsewhere")

    def _insist(self, what: Callable[[], object], done: Callable[[], bool], trouble: str) -> bool:
        """Tries until the store has heard it, and says meanwhile that it has not.

        Args:
            done: whether it has heard nonetheless, asked after a try that failed.

        Returns:
            Whether it has; the person leaves otherwise.
        """
        while True:
            try:
                what()
                return True
            except SQLAlchemyError:
                if done():
                    return True
                if self._leaving.is_set():
                    return False
            self._publish(trouble=trouble)
            self._leaving.wait(RETRY_S)

    def _look(self) -> None:
        problem, trouble = self.desk.problem, self.desk.trouble
        try:
            self._session.refill()
            self._publish(problem, trouble)  # first of all the clips: counting takes longer
            counts, self._question = self._store.counts(), self._store.question
        except SQLAlchemyError:
            return self._publish(problem, trouble or UNREACHABLE)
        self._waiting, self._trainer = counts.open + counts.held, self._ask_trainer()
        self._publish(problem)

    def _publish(self, problem: str = "", trouble: str = "") -> None:
        session = self._session
        self.desk = Desk(
            self._question,
            session.current,
            tuple(session.ahead),
            session.answers,
            session.per_minute,
            self._waiting,
            self._trainer,
            problem,
            trouble,
        )
        self._on_change()
