"""Sources of comparisons while an agent trains: a labeler inside the loop, or people in other processes."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import takewhile

import torch

from prefrl.algorithms.learner import Learner
from prefrl.algorithms.proposals import propose
from prefrl.config import RlhfConfig
from prefrl.core.errors import PrefrlError
from prefrl.labelers.base import Labeler
from prefrl.labelers.worker import introduce, work
from prefrl.preferences.dataset import PreferenceDataset
from prefrl.queries import AnsweredQuery, Past, Query
from prefrl.rewards.encoding import EncodedPreferences, by_pair, by_query
from prefrl.rewards.fitting import fit
from prefrl.rollouts import Rollout
from prefrl.schedules import SCHEDULES
from prefrl.seeds import Purpose, generator_of, seed_of
from prefrl.store import PreferenceStore

MAX_ATTEMPTS = 50  # times that new pairs are asked about in place of skipped ones

STOCK = 20  # queries that people find open, and labels by which they may be ahead of the schedule
START = 10  # labels without which an agent that does not wait does not start either
FIT_AFTER = 8  # new labels that are worth a fit before the next round
POLL_S = 0.25


class Feedback(ABC):
    """Asks for comparisons, and fits the reward model to what has been answered.

    Attributes:
        num_labels: answers that compare.
        no_more_pairs: whether the run ended without labels that it waited for: the pool had no pairs to ask about.
    """

    num_labels = 0
    no_more_pairs = False
    _waited = 0.0

    @abstractmethod
    def add(self, rollout: Rollout, began_at: int) -> None:
        """Adds a rollout that began at that step to the pool of what is asked about."""

    @abstractmethod
    def collect(self) -> None:
        """Asks what is due by now, waits for people, and takes answers in."""

    @abstractmethod
    def fit_due(self) -> bool:
        """Whether it is time to fit the reward model to the answers."""

    @abstractmethod
    def fit(self) -> None:
        """Fits the reward model to the answers."""

    @property
    def data(self) -> EncodedPreferences | None:
        """The answers as the reward model reads them; None where there is none."""
        return None

    @abstractmethod
    def conclude(self) -> bool:
        """After the last rollout: learns from what is left; returns whether it is done, or was told to stop."""

    def take_waited(self) -> float:
        """Seconds spent waiting for labels since the last call: no time of training."""
        waited, self._waited = self._waited, 0.0
        return waited


class NoFeedback(Feedback):
    """The part of feedback in a run on the true reward: none."""

    def add(self, rollout: Rollout, began_at: int) -> None:
        pass

    def collect(self) -> None:
        pass

    def fit_due(self) -> bool:
        return False

    def fit(self) -> None:
        raise AssertionError("there is no reward model")

    def conclude(self) -> bool:
        return True


class Comparisons(Feedback):
    """The common part of both sources: a schedule, a pool, a store, and a reward model.

    Attributes:
        dataset: the comparisons that are learned from.
    """

    def __init__(self, config: RlhfConfig, learner: Learner, store: PreferenceStore) -> None:
        assert learner.reward is not None
        self._config, self._learner, self._store = config, learner, store
        self._reward = learner.reward
        self.dataset = PreferenceDataset(store.queries)
        name_of = {"pair": by_pair, "query": by_query}[learner.heldout_by]
        self._encoded = EncodedPreferences(self._reward.ensemble, name_of)

    @property
    def data(self) -> EncodedPreferences:
        """The dataset as the reward model reads it; what is new is encoded here."""
        self._encoded.update(self.dataset)
        return self._encoded

    def add(self, rollout: Rollout, began_at: int) -> None:
        """Adds a rollout that began at that step to the pool of what is asked about."""
        self._reward.pool.add(rollout, generator_of(self._config.seed, Purpose.SEGMENTS, began_at))

    def _due(self) -> int:
        """Labels due by now; the run's last round asks for all the rest."""
        config, since_start = self._config, self._learner.step - self._config.steps_before_learning
        iteration = self._learner.agent.iteration_steps
        until_last_round = (config.steps - config.steps_before_learning - iteration) // config.query.round_steps
        until_last_round *= config.query.round_steps
        if since_start >= until_last_round:
            return config.labels
        schedule = SCHEDULES[config.query.schedule]
        return schedule(
            since_start, until_last_round, config.labels, config.initial_labels, config.query.schedule_constant
        )

    def _ask(self, number: int, nonce: int, past: Past | None = None) -> int:
        """Asks about `number` pairs of the pool, none of which was asked about before; returns how many there were.

        Args:
            past: what of the store the run has asked; None: all.
        """
        config, step = self._config, self._learner.step
        # A stream of its own: a resumed run that finds answers here already draws the same pairs later.
        rng = generator_of(config.seed, Purpose.QUERIES, step, nonce)
        fitted = self._learner.rounds > 0
        asked = self._store.pairs(past)
        queries = propose(self._reward, number, step, nonce, config.query, rng, fitted=fitted, asked=asked)
        self._store.ask(queries, answers_wanted=lambda query: answers_wanted(query, config.overlap))
        return len(queries)

    def fit(self) -> None:
        """Fits the reward model to all answers so far, then normalizes the reward over the pool of recent steps."""
        settings, reward, learner = self._config.reward, self._reward, self._learner
        recent = list(reward.pool.segments)
        reward.ensemble.see(recent)
        data = self.data
        epochs = settings.epochs if learner.rounds else settings.initial_epochs
        generator = torch.Generator().manual_seed(seed_of(self._config.seed, Purpose.FIT, learner.rounds))
        began = time.perf_counter()
        learner.fit = fit(reward.ensemble, reward.optimizer, data, epochs, generator)
        reward.ensemble.standardise(recent)
        learner.fit_seconds += time.perf_counter() - began
        learner.rounds += 1


def number_kept(steps: Sequence[int], window: int | None) -> int:
    """Number of the latest comparisons that the reward model is trained on.

    Args:
        steps: of their queries, in the order of asking.
        window: at least so many; None for all. What was asked at one step is forgotten together, so that no label is
            forgotten before a fit has seen it.
    """
    if window is None or not steps:
        return len(steps)
    together = sum(1 for _ in takewhile(lambda step: step == steps[-1], reversed(steps)))
    return min(len(steps), max(window, together))


def answers_wanted(query: Query, overlap: float) -> int:
    """2 for that share of all queries, by the query's own name, so that a resumed run decides the same; else 1."""
    return 2 if int(query.id[:8], 16) / 2**32 < overlap else 1


class LabelerFeedback(Comparisons):
    """A labeler inside the loop, which answers at once: a run stays the same from one time to the next.

    After a kill the store may be ahead of the checkpoint. The run's past is what was asked before the step and the
    nonce that come next; what lies after them is asked again, and found answered.
    """

    def __init__(self, config: RlhfConfig, learner: Learner, store: PreferenceStore, labeler: Labeler) -> None:
        super().__init__(config, learner, store)
        introduce(store, labeler)  # before training begins
        self._labeler = labeler
        self._seen: set[str] = set()
        self._read_answers()

    def collect(self) -> None:
        """Asks and answers in rounds, one every `round_steps`, the first after the random actions."""
        if self.fit_due():
            self._answer_what_is_due()

    def fit_due(self) -> bool:
        """Whether this is a round's step; a step has one round at most."""
        learner = self._learner
        since_start = learner.step - self._config.steps_before_learning
        return since_start >= learner.rounds * self._config.query.round_steps and learner.round_step != learner.step

    def conclude(self) -> bool:
        """Fits once more if labels are still owed: the run was extended, or had too few pairs to ask about."""
        if self._answer_what_is_due():
            self._fit_to_answers()
        self.no_more_pairs = self.num_labels < self._config.labels
        return True

    def _past(self) -> Past:
        """The queries that the run has asked so far, by step and nonce of the next ones."""
        step, asked = self._learner.step, self._learner.asked
        nonce = asked[1] + 1 if asked is not None and asked[0] == step else 0
        return Past(step, nonce, self._learner.known_queries)

    def _answer_what_is_due(self) -> int:
        """Has the labels answered that the budget lacks by now; returns how many queries were asked.

        For each pair that was skipped or given back another one is asked: nobody else is to answer in the loop. What
        the pool has no pairs for is left to the next round.
        """
        due, asked = self._due(), 0
        self._store.release(self._labeler.name)  # what it had in hand when it was killed
        for _ in range(MAX_ATTEMPTS):
            past = self._past()
            lacking = due - self._store.owed(past)
            new = self._ask(lacking, past.nonce, past) if lacking > 0 else 0
            if not new:
                break
            work(self._store, self._labeler)
            self._store.expire(before_step=past.step + 1)
            self._learner.asked = past.step, past.nonce
            asked += new
        return asked

    def fit(self) -> None:
        """Ends the round: takes its answers in, and fits.

        Raises:
            PrefrlError: there is no comparison.
        """
        self._fit_to_answers()
        self._learner.round_step = self._learner.step

    def _fit_to_answers(self) -> None:
        self._read_answers()
        if self._learner.asked is None:
            raise PrefrlError("all clips that were recorded are alike, so that there are no two to compare")
        if not len(self.dataset):
            raise PrefrlError(
                f"{self._labeler.name} skipped every pair it was asked about; there is nothing to learn from"
            )
        super().fit()

    def _read_answers(self) -> None:
        new = [each for each in self._store.answered_queries(self._past()) if each.query_id not in self._seen]
        self._seen.update(each.query_id for each in new)
        self.num_labels += sum(each.answer.comparable for each in new)
        self.dataset.add(new)
        kept = number_kept([each.step for each in self.dataset.answered], self._config.reward.label_window)
        self.dataset.keep(range(len(self.dataset) - kept, len(self.dataset)))


class PeopleFeedback(Comparisons):
    """People answer in processes of their own, in any order, whenever they like, and may take an answer back.

    They find a small stock of open queries about what the agent did lately. With `pace` wait the agent does
    nothing while labels are due; with go it does, once there are enough to start with.

    Args:
        on_wait: told for how many labels the agent waits.
        stopped: whether to wait no longer.
        only_labels: whether the run was extended by labels alone: they are waited for at any pace.
    """

    def __init__(
        self,
        config: RlhfConfig,
        learner: Learner,
        store: PreferenceStore,
        on_wait: Callable[[int], None],
        stopped: Callable[[], bool],
        *,
        only_labels: bool = False,
    ) -> None:
        super().__init__(config, learner, store)
        self._on_wait, self._stopped, self._only_labels = on_wait, stopped, only_labels
        self._revision = -1
        self._has_waited = False
        self._standing: set[AnsweredQuery] = set()  # an answer that is turned round is another one
        self._fitted: set[AnsweredQuery] = set()  # a resumed trainer fits anew: what came meanwhile is not known
        self._fitted_step = learner.step
        self._short_at: tuple[int, int] | None = None  # step and rounds at which the pool had no more pairs
        self._read_answers()

    def collect(self) -> None:
        """Keeps the stock, and waits where it has to."""
        self._store.expire(before_step=self._learner.step - self._config.query.pool_steps)
        self._has_waited = self._wait_for(self._needed())
        if self._has_waited:
            self._read_answers()

    def fit_due(self) -> bool:
        """Whether enough is new. Not if waiting was cut short: the answers are fitted to once the run goes on."""
        if not self._has_waited or not len(self.dataset):
            return False
        new = len(self._standing ^ self._fitted)
        round_is_due = self._learner.step - self._fitted_step >= self._config.query.round_steps
        return not self._learner.rounds or new >= FIT_AFTER or (new > 0 and round_is_due)

    def conclude(self) -> bool:
        """Waits for the labels that are left, learns from them, and takes back what nobody has answered."""
        waits = self._config.pace == "wait" or self._only_labels
        if waits and not self._wait_for(self._config.labels):
            return False
        self._store.expire(before_step=self._learner.step + 1)
        self._read_answers()
        if self._standing != self._fitted and len(self.dataset):
            self.fit()
        self.no_more_pairs = waits and self.num_labels < self._config.labels
        return True

    def fit(self) -> None:
        """Fits to the answers that stand."""
        super().fit()
        self._fitted, self._fitted_step = self._standing, self._learner.step

    def _wait_for(self, needed: int) -> bool:
        """Keeps the stock until there are so many labels, or no more pairs to ask about; False: told to stop."""
        exhausted = self._keep_stock()
        began, has_waited = time.perf_counter(), False
        while (missing := needed - self._store.labels()) > 0 and not self._stopped():
            if exhausted and not self._unanswered():
                break
            self._on_wait(missing)
            has_waited = True
            time.sleep(POLL_S)
            exhausted = self._keep_stock()
        self._waited += time.perf_counter() - began
        if missing > 0 and self._stopped():
            return False
        if has_waited:
            self._on_wait(0)  # a long fit may come now
        return True

    def _needed(self) -> int:
        """Labels without which the agent does not go on."""
        if self._config.pace == "wait":
            return self._due()
        return 0 if self._learner.rounds else min(START, self._config.initial_labels)

    def _unanswered(self) -> int:
        """Queries that somebody may still answer; of two opinions one may be there."""
        counts = self._store.counts()
        return counts.asked - counts.labels - counts.skipped - counts.expired

    def _keep_stock(self) -> bool:
        """Asks as many queries as are missing from the stock, never more than the budget has left.

        Returns:
            Whether the pool has fewer pairs than are missing; it is not searched again until it has changed.
        """
        now = self._learner.step, self._learner.rounds
        counts = self._store.counts()
        ahead_of_schedule = self._due() + STOCK - counts.labels
        stock = min(STOCK, ahead_of_schedule, self._config.labels - counts.labels)
        # Of the same moment as the labels: else one answered in between is asked for twice.
        missing = stock - (counts.asked - counts.labels - counts.skipped - counts.expired)
        if missing <= 0 or self._short_at == now:
            return missing > 0
        if self._ask(missing, nonce=counts.asked) < missing:
            self._short_at = now
        return self._short_at == now

    def _read_answers(self) -> None:
        """Has in the dataset the latest of the answers that stand, whatever came first or was taken back."""
        if (revision := self._store.revision()) == self._revision:
            return
        self._revision = revision
        standing = [each for each in self._store.answered_queries() if each.answer.comparable]
        self._standing = set(standing)
        self.num_labels = len({each.query_id for each in standing})
        number = number_kept([each.step for each in standing], self._config.reward.label_window)
        wanted = standing[len(standing) - number :]
        still_wanted = set(wanted)
        self.dataset.keep([i for i, each in enumerate(self.dataset.answered) if each in still_wanted])
        kept = set(self.dataset.answered)
        self.dataset.add(each for each in wanted if each not in kept)
