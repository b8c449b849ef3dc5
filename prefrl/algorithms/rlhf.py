"""The online loop: an agent learns from comparisons that are asked about what it does.

Christiano et al. 2017, sec. 2.2. Read `learn` from top to bottom.

A checkpoint holds where the environments are, and what is drawn depends on the seed and the step, so a run resumed
from one equals a run that never stopped: it asks the same queries, which by their content are found, answered, in the
store.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np
import torch
from prefrl_envs.suite import find
from stable_baselines3.common.preprocessing import is_image_space

from prefrl.agents.base import Agent, Metrics
from prefrl.agents.precision import choose_precision, fast_precision
from prefrl.algorithms.feedback import Feedback
from prefrl.algorithms.learner import Learner, load_checkpoint, save_checkpoint
from prefrl.algorithms.log import LOG_STEPS, RunLog
from prefrl.algorithms.outcome import finish, record_episode
from prefrl.algorithms.setup import has_images, make_feedback, make_learner, make_recorder
from prefrl.config import RlhfConfig
from prefrl.core.errors import PrefrlError
from prefrl.heap import keep_freed_memory
from prefrl.labelers.base import Labeler
from prefrl.rollouts import Rollout
from prefrl.runs import RunFolder
from prefrl.runs.checkpoints import checkpoints
from prefrl.runs.lock import only_trainer
from prefrl.runs.progress import ProgressRow
from prefrl.seeds import Purpose, seed_of
from prefrl.store import PreferenceStore

BEGIN_ANEW = (
    "episodes begin anew: where they were is not in the checkpoint, since the environment has no get_state and "
    "set_state, or the checkpoint is of version 0.1; from here on the run is as likely as the uninterrupted one, and "
    "not the same bit for bit"
)


def train(
    config: RlhfConfig,
    run: RunFolder,
    labeler: Labeler | None,
    *,
    device: str = "cpu",
    on_row: Callable[[ProgressRow, Metrics], None] = lambda row, metrics: None,
    on_wait: Callable[[int], None] = lambda missing: None,
    on_judge: Callable[[], None] = lambda: None,
    on_note: Callable[[str], None] = lambda text: None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Trains until `config.steps`, going on from the run's latest checkpoint where it has one.

    Args:
        labeler: answers the queries at once, inside the loop; never asked where `config.labels` is 0. None: people
            answer in processes of their own.
        device: of the agent and the reward model.
        on_row: told every row of progress.csv, with the metrics of its latest iteration.
        on_wait: told again and again for how many labels the agent waits, and 0 once they are there.
        on_judge: told when all is learned and saved, before the final policy plays to be judged.
        on_note: told, in a line each, what the run decided by itself.
        stopped: asked after every rollout and while waiting; once it says yes, the run is saved and left.

    Returns:
        Whether the run reached its end; then its folder holds policy.zip and summary.json. While it is extended by
        labels alone those of its former end stay there.
    """
    keep_freed_memory()
    with only_trainer(run.path), closing(make_recorder(config)) as recorder:
        # Small networks lose by a second thread what the environments gain.
        torch.set_num_threads(config.threads if has_images(recorder) else 1)
        precision = choose_precision(config.precision, recorder.observation_space, device)
        if config.precision == "auto" and is_image_space(recorder.observation_space):
            on_note(f"precision {precision}: {fast_precision(device)[1]}")
        config = replace(config, precision=precision)  # once and for all, also on another machine
        learner, begins_anew = make_learner(config, recorder, device), False
        if found := checkpoints(run.checkpoints):
            begins_anew = not load_checkpoint(found[-1], learner)
            if begins_anew:
                on_note(BEGIN_ANEW)
        elif run.summary_file.exists():
            raise PrefrlError(
                f"{run.path} has ended, and its checkpoints are gone, from which it would go on; "
                "start another run in another folder"
            )
        if begins_anew or not found:
            learner.agent.begin()
        with PreferenceStore(run.store_location(config)) as store:
            store.belong_to(run.id(), f"{config.env_id} with seed {config.seed} in {run.path}")
            if begins_anew:
                learner.known_queries = store.last_query()  # others are asked now than those that it had asked
            # A run that has ended, and has no more steps to do, goes on for its labels alone.
            only_labels = run.summary_file.exists() and learner.step >= config.steps
            feedback = make_feedback(config, run, learner, store, labeler, on_wait, stopped, only_labels)
            run.forget_rows_after(learner.step)
            run.write_config(config)  # it may ask for more than the run was made for
            if not only_labels:
                run.forget_outcome()  # last: what cannot go on keeps what it came to
            with closing(RunLog(config, learner, run, recorder, on_row)) as log:
                if learner.step == 0:
                    record_episode(config, learner, run, "before")
                ended = learn(config, run, learner, feedback, log, stopped)
            if ended:
                if feedback.no_more_pairs:
                    on_note(too_few_pairs(feedback.num_labels, config))
                on_judge()
                finish(config, learner, run, feedback)
    return ended


def learn(
    config: RlhfConfig,
    run: RunFolder,
    learner: Learner,
    feedback: Feedback,
    log: RunLog,
    stopped: Callable[[], bool],
) -> bool:
    """Trains until the run's end or until told to stop; returns whether it reached its end."""
    agent, timed = learner.agent, log.timed
    stop = stopped()
    while agent.step < config.steps and not stop:
        before = agent.step
        if agent.step == 0 and config.steps_before_learning:
            feedback.add(
                timed("explore", agent.explore, config.steps_before_learning, config.query.random_share), began_at=0
            )
        timed("queries", feedback.collect)  # ask what is due, wait for people, take answers in
        if feedback.fit_due():
            timed("fit", feedback.fit)
            timed("relabel", relabel, learner)
        stop = stopped()  # it may have waited for long, with nothing to learn from
        if not stop:
            for _ in range(iterations_at_a_time(config, agent)):
                began_at = agent.step
                reinitialize_if_due(config, agent)
                rollout = timed("collect", agent.collect)
                rewards = timed("reward", pay, config, learner, rollout)
                metrics = timed("update", agent.update, rollout, rewards)
                timed("pool", feedback.add, rollout, began_at)
                log.add(rollout, rewards)
            log.write(feedback, metrics)
            stop = stopped()
        if stop or is_on_the_grid(config, before, agent.step):
            log.count_time(feedback)
            if agent.step >= config.steps / 2 and not run.episode("midway").exists():
                record_episode(config, learner, run, "midway")
            save_checkpoint(learner, run.checkpoints)
    return agent.step >= config.steps and conclude(run, learner, feedback)


def conclude(run: RunFolder, learner: Learner, feedback: Feedback) -> bool:
    """Learns from the labels that are left; returns whether they are all there."""
    rounds = learner.rounds
    ended = feedback.conclude()
    if learner.rounds > rounds:
        relabel(learner)
        save_checkpoint(learner, run.checkpoints)
    return ended


def pay(config: RlhfConfig, learner: Learner, rollout: Rollout) -> np.ndarray:
    """[T, N] rewards of a rollout: learned ones, or true ones in a run without labels."""
    if learner.reward is not None:
        return learner.reward.ensemble(rollout.obs, rollout.actions).reshape(rollout.dones.shape)
    row = find(config.env_id)
    # Scores differ between games by three orders of magnitude: their signs are what is usual to learn from.
    by_sign = row is not None and row.rewarded_by == "sign"
    return np.sign(rollout.true_rewards) if by_sign else rollout.true_rewards


def relabel(learner: Learner) -> None:
    """Pays the agent anew for the steps that it keeps."""
    assert learner.reward is not None
    learner.agent.relabel(learner.reward.ensemble)


def reinitialize_if_due(config: RlhfConfig, agent: Agent) -> None:
    """Draws fresh weights in the first iteration from `reset_step` on: few steps fall on the end of one."""
    reset_step = config.agent.reset_step
    if reset_step is not None and 0 <= agent.step - reset_step < agent.iteration_steps:
        agent.reinitialize(seed_of(config.seed, Purpose.FRESH_AGENT, reset_step))


def iterations_at_a_time(config: RlhfConfig, agent: Agent) -> int:
    """Returns how many iterations share their questions and their row of progress.csv."""
    return math.ceil(min(LOG_STEPS, config.steps - agent.step) / agent.iteration_steps)


def is_on_the_grid(config: RlhfConfig, before: int, now: int) -> bool:
    """Whether a checkpoint is due between two steps, or the run has ended."""
    return now >= config.steps or before // config.checkpoint_steps < now // config.checkpoint_steps


def too_few_pairs(answered: int, config: RlhfConfig) -> str:
    """The note about a run whose budget of labels could not be met."""
    return (
        f"{answered} of {config.labels} labels were given: the run had no more different pairs of clips to show; "
        "lower `clip_steps`, or raise `query.pool_steps` or `initial_steps`"
    )
