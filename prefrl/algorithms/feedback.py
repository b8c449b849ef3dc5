"""Where comparisons come from while an agent trains: an oracle inside the loop, or people in processes of their own."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch

from prefrl.algorithms.proposals import propose
from prefrl.checkpoints import Learner
from prefrl.config import RlhfConfig
from prefrl.labelers.base import Labeler, work
from prefrl.queries import Answer, Comparison, Query
from prefrl.rewards.fitting import ComparisonData, fit
from prefrl.schedules import SCHEDULES
from prefrl.store import PreferenceStore

MAX_ATTEMPTS = 50  # times that new pairs are asked about in place of skipped ones

STOCK = 20  # queries that people find open, and labels by which they may be ahead of the schedule
START = 10  # labels without which an agent that does not wait does not start either
FIT_AFTER = 8  # new labels that are worth a fit before the next round
POLL_S = 0.25

Given = tuple[str, str, Answer]
"""Query, labeler and what they said: an answer that is turned round is another one."""


class Feedback(ABC):
    """Asks for comparisons, and fits the reward model to what has been answered.

    Attributes:
        data: the comparisons that the reward model is trained on.
        num_labels: answers that compare.
    """

    def __init__(self, config: RlhfConfig, learner: Learner, store: PreferenceStore) -> None:
        assert learner.reward is not None
        self._config, self._learner, self._store = config, learner, store
        self._reward = learner.reward
        self.data = ComparisonData(self._reward.ensemble)
        self.num_labels = 0
        self._waited = 0.0

    @abstractmethod
    def attend(self, generator: torch.Generator) -> None:
        """Before each rollout: asks what is due, takes answers in, fits where it is time to."""

    @abstractmethod
    def conclude(self, generator: torch.Generator) -> bool:
        """After the last rollout: learns from what is left; returns whether anything was."""

    def take_waited(self) -> float:
        """Seconds that `attend` spent waiting for labels since the last call: no time of training."""
        waited, self._waited = self._waited, 0.0
        return waited

    def _due(self) -> int:
        """Labels due by now; the run's last round asks for all the rest."""
        config, since_start = self._config, self._learner.step - self._config.initial_steps
        rollout = config.agent.num_envs * config.agent.n_steps
        until_last_round = (config.steps - config.initial_steps - rollout) // config.query.round_steps
        until_last_round *= config.query.round_steps
        if since_start >= until_last_round:
            return config.labels
        schedule = SCHEDULES[config.query.schedule]
        return schedule(
            since_start, until_last_round, config.labels, config.initial_labels, config.query.schedule_constant
        )

    def _ask(self, number: int, nonce: int) -> None:
        """Asks about `number` pairs of the pool."""
        config, step = self._config, self._learner.step
        # A stream of its own: a resumed run that finds answers here already draws the same pairs later.
        rng = np.random.default_rng([config.seed, step, nonce])
        fitted = self._learner.rounds > 0
        queries = propose(self._reward, number, step, nonce, config.query, rng, fitted=fitted)
        self._store.ask(queries, answers_wanted=lambda query: answers_wanted(query, config.overlap))

    def _fit(self, generator: torch.Generator) -> None:
        """One fit to all answers so far, then the reward's normalisation over the pool of recent steps."""
        settings, reward = self._config.reward, self._reward
        recent = list(reward.pool.segments)
        reward.ensemble.see(recent)
        epochs = settings.epochs if self._learner.rounds else settings.initial_epochs
        began = time.perf_counter()
        stats = fit(reward.ensemble, reward.optimizer, self.data, epochs, generator)
        reward.ensemble.standardise(recent)
        self._learner.fit_seconds += time.perf_counter() - began
        self._learner.fit = asdict(stats)
        self._learner.rounds += 1

    def _take_in(self, comparisons: list[Comparison]) -> None:
        """More to train on, and no more than the window holds."""
        self.data.add(comparisons)
        if self._config.reward.label_window is not None:
            self.data.keep_latest(self._config.reward.label_window)


def answers_wanted(query: Query, overlap: float) -> int:
    """2 for that share of all queries, by the query's own name, so that a resumed run decides the same; else 1."""
    return 2 if int(query.id[:8], 16) / 2**32 < overlap else 1


class LabelerFeedback(Feedback):
    """A labeler inside the loop, which answers at once: a run stays the same from one time to the next."""

    def __init__(self, config: RlhfConfig, learner: Learner, store: PreferenceStore, labeler: Labeler) -> None:
        super().__init__(config, learner, store)
        self._labeler = labeler
        self._seen: set[str] = set()
        self._read_answers()

    def attend(self, generator: torch.Generator) -> None:
        """A round every `round_steps`, the first after the random actions: ask, answer, fit."""
        since_start = self._learner.step - self._config.initial_steps
        if since_start >= self._learner.rounds * self._config.query.round_steps:
            self._answer_what_is_due()
            self._fit_to_answers(generator)

    def conclude(self, generator: torch.Generator) -> bool:
        """Of a run extended by labels alone, or of a labeler who skipped: the reward model learns from the rest."""
        if self.num_labels >= self._config.labels:
            return False
        self._answer_what_is_due()
        self._fit_to_answers(generator)
        return True

    def _answer_what_is_due(self) -> None:
        """Has the labels answered that are due by now; for each skipped pair asks about another one."""
        step, due = self._learner.step, self._due()
        self._store.release(self._labeler.name)  # what it had in hand when it was killed
        have = self._store.labels(before_step=step)
        for attempt in range(MAX_ATTEMPTS):
            if have >= due:
                return
            self._ask(due - have, attempt)
            work(self._store, self._labeler)
            have = self._store.labels(before_step=step + 1)

    def _fit_to_answers(self, generator: torch.Generator) -> None:
        self._read_answers()
        if not len(self.data):
            raise ValueError(
                f"{self._labeler.name} skipped every pair it was asked about; there is nothing to learn from"
            )
        self._fit(generator)

    def _read_answers(self) -> None:
        for new in self._store.answered_in_parts(known=self._seen, up_to_step=self._learner.step):
            self._seen.update(comparison.query.id for comparison in new)
            self.num_labels += sum(comparison.answer.comparable for comparison in new)
            self._take_in(new)


class PeopleFeedback(Feedback):
    """People answer in processes of their own, in any order, whenever they like, and may take an answer back.

    They find a small stock of open queries about what the agent did lately. With `pace` wait the agent does
    nothing while labels are due; with go it does, once there are enough to start with.
    """

    def __init__(
        self,
        config: RlhfConfig,
        learner: Learner,
        store: PreferenceStore,
        on_wait: Callable[[int], None],
        stopped: Callable[[], bool],
    ) -> None:
        super().__init__(config, learner, store)
        self._on_wait, self._stopped = on_wait, stopped
        self._revision = -1
        self._given: set[Given] = set()
        self._fitted: set[Given] = set()  # a resumed trainer fits anew: what came meanwhile is not known
        self._fitted_step = learner.step
        self._read_answers()

    def attend(self, generator: torch.Generator) -> None:
        """Keeps the stock, waits where it has to, and fits once enough is new."""
        config = self._config
        self._store.expire(before_step=self._learner.step - config.query.pool_steps)
        self._keep_stock()
        began, has_waited = time.perf_counter(), False
        while (missing := self._needed() - self._store.labels()) > 0 and not self._stopped():
            self._on_wait(missing)
            has_waited = True
            time.sleep(POLL_S)
            self._keep_stock()
        self._waited += time.perf_counter() - began
        if missing > 0:
            return  # told to stop: what was answered meanwhile is fitted to once the run goes on
        if has_waited:
            self._on_wait(0)  # a long fit may come now
        self._read_answers()
        new = len(self._given ^ self._fitted)
        round_is_due = self._learner.step - self._fitted_step >= config.query.round_steps
        if len(self.data) and (not self._learner.rounds or new >= FIT_AFTER or (new and round_is_due)):
            self._fit(generator)
            self._fitted, self._fitted_step = self._given, self._learner.step

    def conclude(self, generator: torch.Generator) -> bool:
        """Learns from what was answered since the last fit, and takes back what nobody has answered."""
        self._store.expire(before_step=self._learner.step + 1)
        self._read_answers()
        if self._given == self._fitted or not len(self.data):
            return False
        self._fit(generator)
        self._fitted = self._given
        return True

    def _needed(self) -> int:
        """Labels without which the agent does not go on."""
        if self._config.pace == "wait":
            return self._due()
        return 0 if self._learner.rounds else min(START, self._config.initial_labels)

    def _keep_stock(self) -> None:
        """Asks as many queries as are missing from the stock, never more than the budget has left."""
        counts = self._store.counts()
        ahead_of_schedule = self._due() + STOCK - counts.labels
        stock = min(STOCK, ahead_of_schedule, self._config.labels - counts.labels)
        unanswered = counts.asked - counts.labels - counts.skipped - counts.expired  # of two opinions one may be there
        missing = stock - unanswered
        if missing > 0:
            self._ask(missing, nonce=counts.asked)

    def _read_answers(self) -> None:
        """What is new; all of them anew where one was taken back."""
        if (revision := self._store.revision()) == self._revision:
            return
        self._revision = revision
        standing = [record for record in self._store.records() if record.withdrawn_at is None and not record.repeat]
        given = {(record.query_id, record.labeler, record.answer) for record in standing if record.answer.comparable}
        if not given >= self._given:
            self.data = ComparisonData(self._reward.ensemble)
            self._given = set()
        new = given - self._given
        known = {record.query_id for record in standing} - {query_id for query_id, _, _ in new}
        for comparisons in self._store.answered_in_parts(known):
            self._take_in([c for c in comparisons if (c.query.id, c.labeler, c.answer) in new])
        self._given = given
        self.num_labels = len({query_id for query_id, _, _ in given})
