"""The parts of a run, and the checks before anything is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

from prefrl_envs.suite import find

from prefrl.agents.config import PpoConfig
from prefrl.agents.ppo import check_spaces
from prefrl.agents.precision import choose_precision
from prefrl.agents.registry import make_agent
from prefrl.algorithms.feedback import Feedback, LabelerFeedback, NoFeedback, PeopleFeedback
from prefrl.algorithms.learner import Learner, RewardLearner
from prefrl.config import RlhfConfig
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up_or_load
from prefrl.labelers.base import Labeler
from prefrl.presets import has_own_settings
from prefrl.rewards.config import LEAST_L2, MOST_L2
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.fitting import make_optimizer
from prefrl.rewards.inputs import Inputs
from prefrl.rollouts import EpisodeReturns, Recorder, SegmentPool
from prefrl.runs import RunFolder
from prefrl.runs.status import Status
from prefrl.seeds import Purpose, seed_of
from prefrl.selection import SELECTIONS
from prefrl.store import PreferenceStore
from prefrl.vecenv import MonitoredVecEnv, make_vec_env


def make_feedback(
    config: RlhfConfig,
    run: RunFolder,
    learner: Learner,
    store: PreferenceStore,
    labeler: Labeler | None,
    on_wait: Callable[[int], None],
    stopped: Callable[[], bool],
    only_labels: bool = False,
) -> Feedback:
    """Makes the source of comparisons; `NoFeedback` in a run on the true reward."""
    if learner.reward is None:
        return NoFeedback()
    if labeler is not None:
        return LabelerFeedback(config, learner, store, labeler)

    def wait(missing: int) -> None:
        status = Status(
            step=learner.step,
            steps=config.steps,
            labels=store.labels(),
            labels_wanted=config.labels,
            waiting_for=missing,
        )
        run.write_status(status)
        on_wait(missing)

    if config.question is not None:
        store.begin_with_question(config.question)
    return PeopleFeedback(config, learner, store, wait, stopped, only_labels=only_labels)


def check(config: RlhfConfig, device: str) -> None:
    """Refuses what could not be trained, before anything is written.

    Raises:
        PrefrlError: an environment, a network, a selection or a store that does not exist, settings that do not fit
            together, or a setting or a preset that is for other environments.
    """
    if config.store is not None:
        with PreferenceStore(config.store) as store:
            store.check_owner()
    look_up_or_load("selection", config.query.selection, SELECTIONS)
    if config.on_end != "absorb" and find(config.env_id):
        raise PrefrlError(
            f"`on_end` {config.on_end} is for environments outside the suite; {config.env_id} never ends early"
        )
    row = find(config.env_id)
    options = config.task.options
    if options is not None and (row is None or row.options is not type(options)):
        raise PrefrlError(
            "`atari.boxes`, `atari.end_penalty` and `atari.show_score` are for the suite's Atari games, not for "
            f"{config.env_id}"
        )
    if config.atari.end_penalty is not None and (config.labels == 0 or config.labeler == "human"):
        raise PrefrlError("`atari.end_penalty` is for the oracle, and this run asks none; leave it out")
    num_envs, clip_steps = config.agent.num_envs, config.clip_steps
    if config.labels > (most := most_pairs(config)):
        raise PrefrlError(
            f"{config.labels} labels are more than the {most} different pairs of clips that this run can show; "
            "lower `labels` or `clip_steps`, or raise `steps` or `query.pool_steps`"
        )
    first = config.steps_before_learning
    if config.labels and num_envs * (math.ceil(first / num_envs) // clip_steps) < 2:
        raise PrefrlError(
            f"{first} steps before learning, in {num_envs} environments, do not make two clips of "
            f"{clip_steps} to compare; raise `initial_steps` or lower `clip_steps`"
        )
    if not (config.reward.l2 == 0 or LEAST_L2 <= config.reward.l2 <= MOST_L2):
        raise PrefrlError(f"l2 must be 0, which turns it off, or from {LEAST_L2} to {MOST_L2}, got {config.reward.l2}")
    with closing(make_recorder(config)) as recorder:
        _check_recorder(config, recorder)
        make_learner(config, recorder, device)


def _check_recorder(config: RlhfConfig, recorder: Recorder) -> None:
    """Refuses what does not fit the environment's observations, actions and states."""
    if config.labeler == "human" and not recorder.can_be_drawn():
        raise PrefrlError(
            f"{config.env_id} has no states to draw clips from, so nobody can compare them; use an oracle"
        )
    row, clip_steps = find(config.env_id), config.clip_steps
    fits = row is None or recorder.is_stream or clip_steps <= (config.horizon or row.horizon)
    if config.labels and row is not None and not fits:
        raise PrefrlError(
            f"a clip of {clip_steps} steps is longer than an episode of {config.env_id}, which has {row.horizon}; "
            "lower `clip_steps`, or raise `horizon`"
        )
    check_spaces(recorder.observation_space, recorder.action_space)
    if isinstance(config.agent, PpoConfig) and config.agent.cnn != PpoConfig.cnn and not has_images(recorder):
        raise PrefrlError(
            f"`agent.cnn` {config.agent.cnn} reads images, and {config.env_id} has none; `agent.net` sets its layers"
        )
    if has_images(recorder) and config.preset != "default" and not has_own_settings(config.preset, config.env_id):
        raise PrefrlError(
            f"preset {config.preset} reads the images of the suite's Atari games alone, not those of {config.env_id}; "
            "use `preset` default"
        )


def most_pairs(config: RlhfConfig) -> int:
    """Different pairs of clips that a run can show at most: each clip with those in the pool with it."""
    clip_steps = config.clip_steps
    clips, pool = config.steps // clip_steps, max(2, config.query.pool_steps // clip_steps)
    held = min(clips, pool)
    return held * (held - 1) // 2 + (clips - held) * (pool - 1)


def make_recorder(config: RlhfConfig) -> Recorder:
    """The environments that the agent learns in. The Monitor inside sees the true reward, the agent does not."""
    seed = seed_of(config.seed, Purpose.ENVIRONMENTS)
    venv = make_vec_env(config.task, config.agent.num_envs, seed, threads=config.threads, practice=True)
    return Recorder(MonitoredVecEnv(venv))


def has_images(recorder: Recorder) -> bool:
    """Whether there are images among what is observed."""
    return bool(Inputs(recorder.observation_space, recorder.action_space).shapes.images)


def make_learner(config: RlhfConfig, recorder: Recorder, device: str) -> Learner:
    """A learner that has learned nothing yet."""
    precision = choose_precision(config.precision, recorder.observation_space, device)
    agent = make_agent(
        recorder, config.agent, seed=config.seed, total_steps=config.steps, device=device, precision=precision
    )
    returns = EpisodeReturns(recorder.num_envs)
    if not config.labels:
        return Learner(agent, returns, None)
    seed = seed_of(config.seed, Purpose.REWARD_MODEL)
    ensemble = RewardEnsemble(recorder.observation_space, recorder.action_space, config.reward, seed, device, precision)
    pool = SegmentPool(config.env_id, config.clip_steps, config.query.pool_steps)
    return Learner(agent, returns, RewardLearner(ensemble, make_optimizer(ensemble), pool))
