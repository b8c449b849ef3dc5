"""The online loop: an agent learns from comparisons that are asked about what it does.

Christiano et al. 2017, sec. 2.2. Read `train` from top to bottom.

A checkpoint holds where the environments are, and what is drawn depends on the seed and the step, so a run resumed
from one equals a run that never stopped: it asks the same queries, which by their content are found, answered, in the
store.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import torch
from prefrl_envs.suite import find
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.preprocessing import is_image_space

from prefrl.agents.averaging import running_average
from prefrl.agents.buffers import ReturnScale
from prefrl.agents.ppo import check_spaces, make_ppo
from prefrl.agents.precision import choose_precision, fast_precision
from prefrl.algorithms.feedback import Feedback, LabelerFeedback, PeopleFeedback
from prefrl.algorithms.outcome import finish, record_episode
from prefrl.algorithms.training import Training
from prefrl.checkpoints import Learner, RewardLearner, checkpoints, load_checkpoint, save_checkpoint
from prefrl.config import LEAST_L2, MOST_L2, AtariConfig, PpoConfig, RlhfConfig
from prefrl.heap import keep_freed_memory
from prefrl.labelers.base import Labeler
from prefrl.names import look_up_or_load
from prefrl.presence import only_trainer
from prefrl.presets import is_game
from prefrl.rewards.ensemble import Ensemble
from prefrl.rewards.fitting import make_optimizer
from prefrl.rewards.inputs import Inputs
from prefrl.rollouts import Recorder, SegmentPool
from prefrl.runs import Row, RunFolder
from prefrl.seeds import Purpose, seed_of
from prefrl.selection import SELECTIONS
from prefrl.store import PreferenceStore
from prefrl.vecenv import MonitoredVecEnv, make_vec_env

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
    on_row: Callable[[Row], None] = lambda row: None,
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
        on_row: told every row of progress.csv.
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
        learner, episodes, begins_anew = make_learner(config, recorder, device), None, False
        if found := checkpoints(run.checkpoints):
            episodes = load_checkpoint(found[-1], learner, recorder, device)
            if begins_anew := episodes is None:
                on_note(BEGIN_ANEW)
        elif run.summary_file.exists():
            raise ValueError(
                f"{run.path} has ended, and its checkpoints are gone, from which it would go on; "
                "start another run with --out"
            )
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
            tensorboard = TensorBoardOutputFormat(str(run.tensorboard))
            learner.model.set_logger(Logger(str(run.path), [tensorboard]))
            training = Training(config, learner, recorder, episodes)
            ended = learn(config, run, training, learner, recorder, feedback, on_row, stopped)
            if ended:
                if feedback is not None and feedback.no_more_pairs:
                    on_note(too_few_pairs(feedback.num_labels, config))
                on_judge()
                finish(config, learner, run, feedback)
        tensorboard.close()
    return ended


def learn(
    config: RlhfConfig,
    run: RunFolder,
    training: Training,
    learner: Learner,
    recorder: Recorder,
    feedback: Feedback | None,
    on_row: Callable[[Row], None],
    stopped: Callable[[], bool],
) -> bool:
    """The iterations of a run, until its end or until told to stop; returns whether it reached its end."""
    if learner.step == 0:
        record_episode(config, learner, run, "before")
    stop = stopped()
    while learner.step < config.steps and not stop:
        began, cpu_began, began_at = time.perf_counter(), cpu_seconds(recorder), learner.step
        if feedback is not None:
            if learner.step == 0:
                training.explore(config.initial_steps)
            feedback.attend()
            began += feedback.take_waited()
            stop = stopped()  # while it waited or fitted: nothing may be there to learn from
        if not stop:
            training.learn_one_rollout()
        learner.wall_seconds += time.perf_counter() - began
        learner.cpu_seconds += cpu_seconds(recorder) - cpu_began
        if not stop:
            row = training.row(feedback.num_labels if feedback else 0)
            log(learner, row)
            run.append(row)
            run.write_status(config, learner.step, feedback.num_labels if feedback else 0)
            on_row(row)
            stop = stopped()
        if stop or is_on_the_grid(config, began_at, learner.step):
            if learner.step >= config.steps / 2 and not run.episode("midway").exists():
                record_episode(config, learner, run, "midway")
            save_checkpoint(learner, run.checkpoints, training.get_state())
    ended = learner.step >= config.steps
    if ended and feedback is not None:
        rounds = learner.rounds
        ended = feedback.conclude()
        if learner.rounds > rounds:
            save_checkpoint(learner, run.checkpoints, training.get_state())
    return ended


def is_on_the_grid(config: RlhfConfig, before: int, now: int) -> bool:
    """Whether a checkpoint is due between two steps, or the run has ended."""
    return now >= config.steps or before // config.checkpoint_steps < now // config.checkpoint_steps


def cpu_seconds(recorder: Recorder) -> float:
    """Processor time taken so far, by the environments' own processes too."""
    return time.process_time() + getattr(recorder.venv, "other_cpu_seconds", 0.0)


def make_feedback(
    config: RlhfConfig,
    run: RunFolder,
    learner: Learner,
    store: PreferenceStore,
    labeler: Labeler | None,
    on_wait: Callable[[int], None],
    stopped: Callable[[], bool],
    only_labels: bool = False,
) -> Feedback | None:
    """Where the comparisons come from; None for an agent on the true reward."""
    if learner.reward is None:
        return None
    if labeler is not None:
        return LabelerFeedback(config, learner, store, labeler)

    def wait(missing: int) -> None:
        run.write_status(config, learner.step, store.labels(), waiting_for=missing)
        on_wait(missing)

    if config.question is not None:
        store.begin_with_question(config.question)
    return PeopleFeedback(config, learner, store, wait, stopped, only_labels=only_labels)


def check(config: RlhfConfig, device: str) -> None:
    """Refuses what could not be trained, before anything is written.

    Raises:
        ValueError: an environment, a network, a selection or a store that there is not, that do not fit together, or an
            option or a preset that is for other environments.
    """
    if config.store is not None:
        with PreferenceStore(config.store) as store:
            store.check_owner()
    look_up_or_load("selection", config.query.selection, SELECTIONS)
    if config.on_end != "absorb" and find(config.env_id):
        raise ValueError(
            f"--on-end {config.on_end} is for environments outside the suite; {config.env_id} never ends early"
        )
    if config.atari != AtariConfig() and not is_game(config.env_id):
        raise ValueError(
            "--boxes, --end-penalty and --show-score are for the suite's Atari games (Pong, or --game NAME), not for "
            f"{config.env_id}"
        )
    if config.atari.end_penalty is not None and (config.labels == 0 or config.labeler == "human"):
        raise ValueError("--end-penalty is for the oracle, and this run asks none; leave it out")
    num_envs, clip_steps, row = config.agent.num_envs, config.query.clip_steps, find(config.env_id)
    if config.labels and row is not None and not row.game and clip_steps > (config.horizon or row.horizon):
        raise ValueError(
            f"a clip of {clip_steps} steps is longer than an episode of {config.env_id}, which has {row.horizon}; "
            "lower --clip-steps, or raise --horizon"
        )
    if config.labels > (most := most_pairs(config)):
        raise ValueError(
            f"{config.labels} labels are more than the {most} different pairs of clips that this run can show; "
            "lower --labels or --clip-steps, or raise --steps or --pool-steps"
        )
    if config.labels and num_envs * (math.ceil(config.initial_steps / num_envs) // clip_steps) < 2:
        raise ValueError(
            f"{config.initial_steps} steps before learning, in {num_envs} environments, do not make two clips of "
            f"{clip_steps} to compare; raise --initial-steps, or --steps of which it is a part, or lower --clip-steps"
        )
    if not (config.reward.l2 == 0 or LEAST_L2 <= config.reward.l2 <= MOST_L2):
        raise ValueError(f"l2 must be 0, which turns it off, or from {LEAST_L2} to {MOST_L2}, got {config.reward.l2}")
    with closing(make_recorder(config)) as recorder:
        _check_recorder(config, recorder)
        make_learner(config, recorder, device)


def _check_recorder(config: RlhfConfig, recorder: Recorder) -> None:
    """Refuses what does not fit the environment's observations, actions and states."""
    if config.labeler == "human" and not recorder.can_be_drawn():
        raise ValueError(f"{config.env_id} has no states to draw clips from, so nobody can compare them; use an oracle")
    check_spaces(recorder.observation_space, recorder.action_space)
    if config.agent.cnn != PpoConfig.cnn and not has_images(recorder):
        raise ValueError(f"--cnn {config.agent.cnn} reads images, and {config.env_id} has none; --net sets its layers")
    if has_images(recorder) and config.preset != "default" and not is_game(config.env_id):
        raise ValueError(
            f"preset {config.preset} reads the images of the suite's Atari games alone, not those of {config.env_id}; "
            "use --preset default"
        )


def most_pairs(config: RlhfConfig) -> int:
    """Different pairs of clips that a run can show at most: each clip with those in the pool with it."""
    clip_steps = config.query.clip_steps
    clips, pool = config.steps // clip_steps, max(2, config.query.pool_steps // clip_steps)
    held = min(clips, pool)
    return held * (held - 1) // 2 + (clips - held) * (pool - 1)


def too_few_pairs(answered: int, config: RlhfConfig) -> str:
    """What to say of a run whose budget of labels could not be met."""
    return (
        f"{answered} of {config.labels} labels were given: the run had no more different pairs of clips to show; "
        "lower --clip-steps, or raise --pool-steps or --initial-steps"
    )


def make_recorder(config: RlhfConfig) -> Recorder:
    """The environments that the agent learns in. The Monitor inside sees the true reward, the agent does not."""
    venv = make_vec_env(
        config.env_id,
        config.agent.num_envs,
        seed_of(config.seed, Purpose.ENVIRONMENTS),
        horizon=config.horizon,
        on_end=config.on_end,
        threads=config.threads,
        atari=config.atari,
        practice=True,
    )
    return Recorder(MonitoredVecEnv(venv))


def has_images(recorder: Recorder) -> bool:
    """Whether there are images among what is observed."""
    return bool(Inputs(recorder.observation_space, recorder.action_space).shapes.images)


def make_learner(config: RlhfConfig, recorder: Recorder, device: str) -> Learner:
    """A learner that has learned nothing yet."""
    precision = choose_precision(config.precision, recorder.observation_space, device)
    model = make_ppo(recorder, config.agent, seed_of(config.seed, Purpose.POLICY), device, precision)
    scale = ReturnScale(config.agent.num_envs, config.agent.gamma)
    average = running_average(model.policy, config.agent.averaging)
    if not config.labels:
        return Learner(model, average, scale, None)
    seed = seed_of(config.seed, Purpose.REWARD_MODEL)
    ensemble = Ensemble(recorder.observation_space, recorder.action_space, config.reward, seed, device, precision)
    pool = SegmentPool(config.env_id, config.query.clip_steps, config.query.pool_steps)
    return Learner(model, average, scale, RewardLearner(ensemble, make_optimizer(ensemble), pool))


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
