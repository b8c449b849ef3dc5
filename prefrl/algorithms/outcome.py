"""What a run came to: its last policy's returns, how good its reward model is, and episodes to look at."""

from __future__ import annotations

import numpy as np
import torch
from prefrl_envs.suite import find
from safetensors.numpy import save_file

from prefrl.checkpoints import Learner
from prefrl.config import RlhfConfig
from prefrl.evaluation import Policy, act_by, act_randomly, play_episodes, true_returns
from prefrl.metrics import pearson, spearman
from prefrl.names import load_plugin
from prefrl.rewards.ensemble import Ensemble
from prefrl.rewards.fitting import ComparisonData, assess
from prefrl.rollouts import Rollout, SegmentPool
from prefrl.runs import RunFolder, cpu_name, git_commit, versions, write_json

# Seeds of environments that no training leg shares: evaluation starts from states of its own.
EVALUATION, RANDOM, SEGMENTS, FILM = (2**30 + 10_000 * i for i in range(4))


def finish(config: RlhfConfig, learner: Learner, run: RunFolder, data: ComparisonData | None) -> None:
    """Writes policy.zip, the reward model, the last episode and summary.json."""
    learner.model.save(run.policy)
    if learner.reward is not None:
        learner.reward.ensemble.save(run.reward_model, versions())
    record_episode(config, learner, run, "after")
    write_json(run.summary_file, summarise(config, learner, run, data))


def summarise(config: RlhfConfig, learner: Learner, run: RunFolder, data: ComparisonData | None) -> dict:
    """The content of summary.json. Returns are true ones, of fresh episodes, of the last policy."""
    space = learner.model.action_space
    evaluation = _play(config, act_by(learner.model, deterministic=True), EVALUATION)
    best = true_returns(evaluation)
    chance = true_returns(_play(config, act_randomly(space, config.eval_episodes, config.seed), RANDOM))
    reward_model = None
    if learner.reward is not None and data is not None:
        reward_model = _diagnose(config, learner, run, data)
    return {
        "study": config.study,
        "env_id": config.env_id,
        "variant": config.variant or config.preset,
        "preset": config.preset,
        "labels": config.labels,
        "labels_answered": len(data) if data is not None else 0,
        "seed": config.seed,
        "steps": learner.step,
        "true_return_mean": float(best.mean()),
        "true_return_std": float(best.std()),
        "eval_episodes": config.eval_episodes,
        "random_return_mean": float(chance.mean()),
        **measure(config, evaluation),
        "wall_seconds": round(learner.wall_seconds, 1),
        "fit_seconds": round(learner.fit_seconds, 1),
        "steps_per_second": round(learner.step / learner.wall_seconds, 1),
        "threads": config.threads,
        "device": str(learner.model.device),
        "cpu": cpu_name(),
        "git_commit": git_commit(),
        "reward_model": reward_model,
        "versions": versions(),
    }


def measure(config: RlhfConfig, rollout: Rollout) -> dict[str, float]:
    """Means over the episodes of what the suite measures of a behaviour, by name; nothing where it measures nothing."""
    row = find(config.env_id)
    if row is None or row.measure is None or rollout.render_states is None:
        return {}
    figures = load_plugin(row.measure)(rollout.render_states)
    return {f"{name}_mean": float(np.mean(values)) for name, values in figures.items()}


def record_episode(config: RlhfConfig, learner: Learner, run: RunFolder, name: str) -> None:
    """Keeps one deterministic episode: what draws it, true and learned rewards. Touches no generator."""
    policy = act_by(learner.model, deterministic=True)
    rollout = play_episodes(config.env_id, policy, 1, config.seed + FILM, horizon=config.horizon, on_end=config.on_end)
    arrays = {"true_rewards": rollout.true_rewards[:, 0]}
    if rollout.render_states is not None:
        arrays["render_states"] = rollout.render_states[:, 0]
    if learner.reward is not None and learner.rounds:
        arrays["learned_rewards"] = learner.reward.ensemble(*rollout.flat())
    metadata = {"step": str(learner.step)} | {f"version.{k}": v for k, v in versions().items()}
    run.episode(name).parent.mkdir(exist_ok=True)
    save_file({key: np.ascontiguousarray(a) for key, a in arrays.items()}, run.episode(name), metadata)


def _play(config: RlhfConfig, policy: Policy, seed: int) -> Rollout:
    return play_episodes(
        config.env_id, policy, config.eval_episodes, config.seed + seed,
        horizon=config.horizon, on_end=config.on_end, threads=config.threads,
    )  # fmt: skip


def _diagnose(config: RlhfConfig, learner: Learner, run: RunFolder, data: ComparisonData) -> dict:
    """Accuracy out of bag, and predicted against true return of fresh segments that no query used."""
    assert learner.reward is not None
    torch.manual_seed(config.seed)  # of the last policy's actions, which are drawn as in training
    rollout = _play(config, act_by(learner.model, deterministic=False), SEGMENTS)
    predicted, true = segment_returns(learner.reward.ensemble, config, rollout)
    shown = np.random.default_rng(config.seed).permutation(len(true))[:500]
    save_file({"predicted_returns": predicted[shown], "true_returns": true[shown]}, run.diagnostics)
    return {
        "heldout_accuracy": assess(learner.reward.ensemble, data).heldout_accuracy,
        "pearson": pearson(predicted, true),
        "spearman": spearman(predicted, true),
    }


def segment_returns(ensemble: Ensemble, config: RlhfConfig, rollout: Rollout) -> tuple[np.ndarray, np.ndarray]:
    """[S] predicted and [S] true return of the segments that a rollout is cut into."""
    pool = SegmentPool(config.env_id, config.query.clip_steps, rollout.dones.size)
    pool.add(rollout, np.random.default_rng(config.seed))
    segments = list(pool.segments)
    return ensemble.returns(segments), np.array([segment.true_return for segment in segments], np.float32)
