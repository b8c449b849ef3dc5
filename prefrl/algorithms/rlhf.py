"""The online loop: an agent learns from comparisons that are asked about what it does.

Christiano et al. 2017, sec. 2.2. Read `train` from top to bottom.

A run is a chain of legs, from one checkpoint to the next. Each leg starts its environments anew and seeds
every generator from (seed, step), so a run resumed after a checkpoint equals one never interrupted: it asks
the same queries, which by their content are found, answered, in the store.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from prefrl_envs.suite import find
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.vec_env import VecMonitor

from prefrl.agents.averaging import running_average
from prefrl.agents.buffers import ReturnScale
from prefrl.agents.ppo import check_spaces, make_ppo
from prefrl.agents.precision import choose_precision
from prefrl.algorithms.feedback import Feedback, LabelerFeedback, PeopleFeedback
from prefrl.algorithms.legs import Leg
from prefrl.algorithms.outcome import finish, record_episode
from prefrl.checkpoints import Learner, RewardLearner, checkpoints, load_checkpoint, save_checkpoint
from prefrl.config import AtariConfig, PpoConfig, RlhfConfig
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
from prefrl.selection import SELECTIONS
from prefrl.store import PreferenceStore
from prefrl.vecenv import make_vec_env


def train(
    config: RlhfConfig,
    run: RunFolder,
    labeler: Labeler | None,
    *,
    device: str = "cpu",
    on_row: Callable[[Row], None] = lambda row: None,
    on_wait: Callable[[int], None] = lambda missing: None,
    on_judge: Callable[[], None] = lambda: None,
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
        stopped: asked after every rollout and while waiting; once it says yes, the run is saved and left.

    Returns:
        Whether the run reached its end; only then does its folder hold policy.zip and summary.json.
    """
    keep_freed_memory()
    with only_trainer(run.path):
        recorder = make_recorder(config)
        # Small networks lose by a second thread what the environments gain.
        torch.set_num_threads(config.threads if has_images(recorder) else 1)
        precision = choose_precision(
            config.precision, recorder.observation_space, config.agent.cnn, device, config.agent.batch_size
        )
        config = replace(config, precision=precision)  # once and for all, also on another machine
        learner = make_learner(config, recorder, device)
        if found := checkpoints(run.checkpoints):
            load_checkpoint(found[-1], learner, recorder, device)
        elif run.summary_file.exists():
            raise ValueError(
                f"{run.path} has ended, and its checkpoints are gone, from which it would go on; "
                "start another run with --out"
            )
        with PreferenceStore(run.store_location(config)) as store:
            store.belong_to(run.id(), f"{config.env_id} with seed {config.seed} in {run.path}")
            feedback = make_feedback(config, run, learner, store, labeler, on_wait, stopped)
            run.forget_rows_after(learner.step)
            run.write_config(config)  # it may ask for more than the run was made for
            run.forget_outcome()  # last: what cannot go on keeps what it came to
            tensorboard = TensorBoardOutputFormat(str(run.tensorboard))
            learner.model.set_logger(Logger(str(run.path), [tensorboard]))
            ended = learn(config, run, learner, recorder, feedback, on_row, stopped)
            if ended:
                on_judge()
                finish(config, learner, run, feedback)
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
            began, cpu_began = time.perf_counter(), time.process_time()
            if feedback is not None:
                if learner.step == 0:
                    leg.explore(config.initial_steps)
                feedback.attend(leg.generator)
                began += feedback.take_waited()
            told_to_stop = stopped()  # while it waited or fitted: nothing may be there to learn from
            if not told_to_stop:
                leg.learn_one_rollout()
            learner.wall_seconds += time.perf_counter() - began
            learner.cpu_seconds += time.process_time() - cpu_began
            if told_to_stop:
                break
            row = leg.row(feedback.num_labels if feedback else 0)
            log(learner, row)
            run.append(row)
            run.write_status(config, learner.step, feedback.num_labels if feedback else 0)
            on_row(row)
        if learner.step >= config.steps / 2 and not run.episode("midway").exists():
            record_episode(config, learner, run, "midway")
        save_checkpoint(learner, run.checkpoints)
    ended = learner.step >= config.steps
    if ended and feedback is not None and feedback.conclude(torch.Generator().manual_seed(config.seed)):
        save_checkpoint(learner, run.checkpoints)
    return ended


def make_feedback(
    config: RlhfConfig,
    run: RunFolder,
    learner: Learner,
    store: PreferenceStore,
    labeler: Labeler | None,
    on_wait: Callable[[int], None],
    stopped: Callable[[], bool],
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
    return PeopleFeedback(config, learner, store, wait, stopped)


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
    num_envs, clip_steps = config.agent.num_envs, config.query.clip_steps
    if config.labels and num_envs * (math.ceil(config.initial_steps / num_envs) // clip_steps) < 2:
        raise ValueError(
            f"{config.initial_steps} steps before learning, in {num_envs} environments, do not make two clips of "
            f"{clip_steps} to compare; raise --initial-steps, or --steps of which it is a part, or lower --clip-steps"
        )
    recorder = make_recorder(config)
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
    # Without the self-test of a precision: the run makes it, on its own number of threads.
    make_learner(replace(config, precision="fp32") if config.precision == "auto" else config, recorder, device)
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
        atari=config.atari,
        practice=True,
    )
    return Recorder(VecMonitor(venv))


def has_images(recorder: Recorder) -> bool:
    """Whether there are images among what is observed."""
    return bool(Inputs(recorder.observation_space, recorder.action_space).shapes.images)


def make_learner(config: RlhfConfig, recorder: Recorder, device: str) -> Learner:
    """A learner that has learned nothing yet."""
    cnn, batch_size = config.agent.cnn, config.agent.batch_size
    precision = choose_precision(config.precision, recorder.observation_space, cnn, device, batch_size)
    model = make_ppo(recorder, config.agent, config.seed, device, precision)
    scale = ReturnScale(config.agent.num_envs, config.agent.gamma)
    average = running_average(model.policy, config.agent.averaging)
    if not config.labels:
        return Learner(model, average, scale, None)
    ensemble = Ensemble(
        recorder.observation_space, recorder.action_space, config.reward, config.seed, device, precision
    )
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
