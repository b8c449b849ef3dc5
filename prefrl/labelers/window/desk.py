"""The session in a thread of its own: a slow disk or a busy database never stops the clips."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from prefrl.labelers.session import Choice, LabelingSession, Showing
from prefrl.labelers.subject import NOTHING_SAID, Trainer
from prefrl.labelers.window.actions import Action
from prefrl.store import PreferenceStore


@dataclass(frozen=True)
class Desk:
    """What lies before the labeler, at one moment.

    Attributes:
        current: the pair to judge, or None where nothing is open.
        ahead: pairs that come next.
        answers, per_minute: of this session.
        waiting: queries that want an answer, those in somebody's hand among them.
        problem: why the last answer or undo was refused; empty where it was not.
    """

    current: Showing | None = None
    ahead: tuple[Showing, ...] = ()
    answers: int = 0
    per_minute: float = 0.0
    waiting: int = 0
    trainer: Trainer = NOTHING_SAID
    problem: str = ""


class DeskThread:
    """Owns a session: carries out one thing after the other, and leaves what came of it in `desk`.

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
        self.desk = Desk(session.current, tuple(session.ahead))
        self._session, self._store, self._ask_trainer, self._on_change = session, store, trainer, on_change
        self._waiting, self._trainer = 0, NOTHING_SAID
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session")
        self._urgent: Future[None] | None = None
        self._later: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way; until it has arrived, the pair on the screen is no longer open."""
        return self._urgent is not None and not self._urgent.done()

    def answer(self, choice: Action) -> None:
        """Takes the answer down and puts the next pair forward, which shows that it is in the store."""
        self._do_now(lambda: self._answer(choice))

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
        """Gives back what is held."""
        self._thread.submit(self._session.close).result(timeout=10)
        self._thread.shutdown()

    def _do_now(self, what: Callable[[], None]) -> None:
        self.check()
        self._urgent = self._thread.submit(what)
        self._later = self._thread.submit(self._look)

    def _answer(self, choice: Action) -> None:
        try:
            self._session.answer(cast(Choice, choice.value))
        except ValueError:  # the same person answered it in another window; the next pair lies before them
            self._publish("This pair was answered elsewhere")
        else:
            self._waiting = max(0, self._waiting - 1)
            self._publish()

    def _undo(self) -> None:
        try:
            self._session.undo()
        except ValueError:
            self._publish("That answer was withdrawn elsewhere")
        else:
            self._publish()

    def _look(self) -> None:
        problem = self.desk.problem
        self._session.refill()
        self._publish(problem)  # first of all the clips: counting takes longer
        counts = self._store.counts()
        self._waiting, self._trainer = counts.open + counts.held, self._ask_trainer()
        self._publish(problem)

    def _publish(self, problem: str = "") -> None:
        session = self._session
        self.desk = Desk(
            session.current,
            tuple(session.ahead),
            session.answers,
            session.per_minute,
            self._waiting,
            self._trainer,
            problem,
        )
        self._on_change()
