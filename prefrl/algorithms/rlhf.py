"""The online loop: an agent learns from comparisons that are asked about what it does.

Christiano et al. 2017, sec. 2.2. Read `train` from top to bottom.

A run is a chain of legs, from one checkpoint to the next. Each leg starts its environments anew and seeds
every generator from (seed, step), so a run resumed after a checkpoint equals one never interrupted: it asks
the same queries, which by their content are found, answered, in the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
import torch
from filelock import FileLock, Timeout
from prefrl_envs.suite import find
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.vec_env import VecMonitor

from prefrl.agents.ppo import ReturnScale, check_spaces, make_ppo
from prefrl.algorithms.legs import Leg
from prefrl.algorithms.outcome import finish, record_episode
from prefrl.algorithms.proposals import propose
from prefrl.checkpoints import Learner, RewardLearner, checkpoints, load_checkpoint, save_checkpoint
from prefrl.config import RlhfConfig
from prefrl.labelers.base import Labeler, work
from prefrl.names import look_up_or_load
from prefrl.rewards.ensemble import Ensemble
from prefrl.rewards.fitting import ComparisonData, fit, make_optimizer
from prefrl.rollouts import Recorder, SegmentPool
from prefrl.runs import Row, RunFolder
from prefrl.schedules import SCHEDULES
from prefrl.selection import SELECTIONS
from prefrl.store import PreferenceStore
from prefrl.vecenv import make_vec_env

MAX_ATTEMPTS = 50  # times that new pairs are asked about in place of skipped ones


def train(
    config: RlhfConfig,
    run: RunFolder,
    labeler: Labeler,
    *,
    device: str = "cpu",
    on_row: Callable[[Row], None] = lambda row: None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Trains until `config.steps`, going on from the run's latest checkpoint where it has one.

    Args:
        labeler: answers the queries; never asked where `config.labels` is 0.
        device: of the agent and the reward model.
        on_row: told every row of progress.csv.
        stopped: asked after every rollout; once it says yes, the run is saved and left.

    Returns:
        Whether the run reached its end; only then does its folder hold policy.zip and summary.json.
    """
    torch.set_num_threads(config.threads)
    with only_trainer(run):
        recorder = make_recorder(config)
        learner = make_learner(config, recorder, device)
        if found := checkpoints(run.checkpoints):
            load_checkpoint(found[-1], learner, recorder, device)
        run.write_config(config)  # it may ask for more than the run was made for
        run.forget_outcome()
        run.forget_rows_after(learner.step)
        tensorboard = TensorBoardOutputFormat(str(run.tensorboard))
        learner.model.set_logger(Logger(str(run.path), [tensorboard]))
        with PreferenceStore(run.store) as store:
            feedback = Feedback(config, learner, store, labeler) if learner.reward else None
            ended = learn(config, run, learner, recorder, feedback, on_row, stopped)
            if ended:
                finish(config, learner, run, feedback.data if feedback else None)
        tensorboard.close()
        recorder.close()
    return ended


def learn(
    config: RlhfConfig,
    run: RunFolder,
    learner: Learner,
    recorder: Recorder,
    feedback: Feedback | None,
    on_row: Callable[[Row], None],
    stopped: Callable[[], bool],
) -> bool:
    """The legs of a run, until its end or until told to stop; returns whether it reached its end."""
    if learner.step == 0:
        record_episode(config, learner, run, "before")
    while learner.step < config.steps and not stopped():
        leg = Leg(config, learner, recorder)
        leg_end = min(config.steps, (learner.step // config.checkpoint_steps + 1) * config.checkpoint_steps)
        while learner.step < leg_end and not stopped():
            began = time.perf_counter()
            if feedback is not None:
                if learner.step == 0:
                    leg.explore(config.initial_steps)
                if feedback.is_due():
                    feedback.ask()
                    feedback.fit(leg.generator)
            leg.learn_one_rollout()
            learner.wall_seconds += time.perf_counter() - began
            row = leg.row(feedback.num_labels if feedback else 0)
            log(learner, row)
            run.append(row)
            on_row(row)
        if learner.step >= config.steps / 2 and not run.episode("midway").exists():
            record_episode(config, learner, run, "midway")
        save_checkpoint(learner, run.checkpoints)
    ended = learner.step >= config.steps
    if ended and feedback is not None and feedback.num_labels < config.labels:
        # A run extended by labels alone, or a labeler who skipped: the reward model learns from the rest.
        feedback.ask()
        feedback.fit(torch.Generator().manual_seed(config.seed))
        save_checkpoint(learner, run.checkpoints)
    return ended


@contextmanager
def only_trainer(run: RunFolder) -> Iterator[None]:
    """Two trainers in one folder would overwrite each other's checkpoints; the lock goes with its process."""
    try:
        with FileLock(run.path / ".training", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(f"another process is training in {run.path}; wait for it or stop it") from error


class Feedback:
    """Asks the labeler what is due, and fits the reward model to what has been answered."""

    def __init__(self, config: RlhfConfig, learner: Learner, store: PreferenceStore, labeler: Labeler) -> None:
        assert learner.reward is not None
        self._config, self._learner, self._store, self._labeler = config, learner, store, labeler
        self._reward = learner.reward
        self._seen: set[str] = set()
        self.data = ComparisonData(self._reward.ensemble)
        self.num_labels = 0
        self._read_answers()

    def is_due(self) -> bool:
        """Whether a round of queries is due: the first after the random actions, then every `round_steps`."""
        since_start = self._learner.step - self._config.initial_steps
        return since_start >= self._learner.rounds * self._config.query.round_steps

    def ask(self) -> None:
        """Has the labels answered that are due by now; for each skipped pair asks about another one."""
        config, step = self._config, self._learner.step
        due = self._due(step - config.initial_steps)
        self._store.release(self._labeler.name)  # what it had in hand when it was killed
        have = self._store.labels(before_step=step)
        for attempt in range(MAX_ATTEMPTS):
            if have >= due:
                return
            # A stream of its own: a resumed run that finds answers here already draws the same pairs later.
            rng = np.random.default_rng([config.seed, step, attempt])
            fitted = self._learner.rounds > 0
            self._store.ask(propose(self._reward, due - have, step, attempt, config.query, rng, fitted=fitted))
            work(self._store, self._labeler)
            have = self._store.labels(before_step=step + 1)

    def _due(self, since_start: int) -> int:
        """Labels due that many steps after the random actions; the run's last round asks for all the rest."""
        config = self._config
        rollout = config.agent.num_envs * config.agent.n_steps
        until_last_round = (config.steps - config.initial_steps - rollout) // config.query.round_steps
        until_last_round *= config.query.round_steps
        if since_start >= until_last_round:
            return config.labels
        schedule = SCHEDULES[config.query.schedule]
        return schedule(
            since_start, until_last_round, config.labels, config.initial_labels, config.query.schedule_constant
        )

    def fit(self, generator: torch.Generator) -> None:
        """One fit to all answers so far, then the reward's normalisation over the pool of recent steps."""
        self._read_answers()
        if not len(self.data):
            raise ValueError(
                f"{self._labeler.name} skipped every pair it was asked about; there is nothing to learn from"
            )
        settings, reward = self._config.reward, self._reward
        obs, actions = reward.pool.steps()
        reward.ensemble.see(obs)
        epochs = settings.epochs if self._learner.rounds else settings.initial_epochs
        began = time.perf_counter()
        stats = fit(reward.ensemble, reward.optimizer, self.data, epochs, generator)
        reward.ensemble.standardise(obs, actions)
        self._learner.fit_seconds += time.perf_counter() - began
        self._learner.fit = asdict(stats)
        self._learner.rounds += 1

    def _read_answers(self) -> None:
        new = self._store.answered(known=self._seen, up_to_step=self._learner.step)
        self._seen.update(comparison.query.id for comparison in new)
        self.num_labels += sum(comparison.answer.comparable for comparison in new)
        self.data.add(new)
        if self._config.reward.label_window is not None:
            self.data.keep_latest(self._config.reward.label_window)


def check(config: RlhfConfig, device: str) -> None:
    """Refuses what could not be trained, before anything is written.

    Raises:
        ValueError: an environment, a network or a selection that there is not, or that do not fit together.
    """
    look_up_or_load("selection", config.query.selection, SELECTIONS)
    if config.on_end != "absorb" and find(config.env_id):
        raise ValueError(
            f"--on-end {config.on_end} is for environments outside the suite; {config.env_id} never ends early"
        )
    recorder = make_recorder(config)
    check_spaces(recorder.observation_space, recorder.action_space)
    make_learner(config, recorder, device)
    recorder.close()


def make_recorder(config: RlhfConfig) -> Recorder:
    """The environments that the agent learns in. The Monitor inside sees the true reward, the agent does not."""
    venv = make_vec_env(
        config.env_id,
        config.agent.num_envs,
        config.seed,
        horizon=config.horizon,
        on_end=config.on_end,
        threads=config.threads,
    )
    return Recorder(VecMonitor(venv))


def make_learner(config: RlhfConfig, recorder: Recorder, device: str) -> Learner:
    """A learner that has learned nothing yet."""
    model = make_ppo(recorder, config.agent, config.seed, device)
    scale = ReturnScale(config.agent.num_envs, config.agent.gamma)
    if not config.labels:
        return Learner(model, scale, None)
    ensemble = Ensemble(recorder.observation_space, recorder.action_space, config.reward, config.seed, device)
    pool = SegmentPool(config.env_id, config.query.clip_steps, config.query.pool_steps)
    return Learner(model, scale, RewardLearner(ensemble, make_optimizer(ensemble), pool))


def log(learner: Learner, row: Row) -> None:
    """To TensorBoard, beside SB3's own; written with the next rollout's."""
    record = learner.model.logger.record
    if row["learned_return"] is not None:
        record("rollout/ep_learned_rew_mean", row["learned_return"])
    if learner.reward is not None:
        record("reward_model/labels", row["labels"])
        for name, value in learner.fit.items():
            if value is not None:
                record(f"reward_model/{name}", value)
