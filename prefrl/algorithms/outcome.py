"""What a run came to: its final policy's returns, how good its reward model is, and episodes to look at."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from prefrl_envs.suite import find
from safetensors.numpy import save_file

from prefrl.algorithms.feedback import Feedback
from prefrl.algorithms.learner import Learner
from prefrl.config import RlhfConfig
from prefrl.core.registry import load_plugin
from prefrl.evaluation import Actor, act_randomly, as_judged, play_episodes, play_games, true_returns
from prefrl.metrics import pearson, spearman
from prefrl.processor import cpu_name
from prefrl.rewards.encoding import EncodedPreferences
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.fitting import assess
from prefrl.rollouts import Rollout, SegmentPool
from prefrl.runs import RunFolder
from prefrl.runs.provenance import git_commit, peak_memory_mb, versions
from prefrl.runs.summary import RewardModelQuality, Summary, write_summary
from prefrl.seeds import Purpose, generator_of, seed_of

MEASURED_STEPS = 1000  # a behavior is measured over so many, however short episodes are: what is begun must go on

SCREENS_KEPT = 240  # of an episode drawn from recorded screens: what a report shows, 0.1 MB in Pong


def finish(config: RlhfConfig, learner: Learner, run: RunFolder, feedback: Feedback) -> None:
    """Writes policy.zip, the reward model, the last episode and summary.json: of the mean of the latest policies."""
    learner.agent.save_policy(run.policy)
    if learner.reward is not None:
        learner.reward.ensemble.save(run.reward_model, versions())
    record_episode(config, learner, run, "after")
    write_summary(run.summary_file, summarize(config, learner, run, feedback))


def summarize(config: RlhfConfig, learner: Learner, run: RunFolder, feedback: Feedback) -> Summary:
    """Judges the agent's policy by the true returns of fresh episodes, and by all else that is measured."""
    agent = learner.agent
    policy = as_judged(agent.policy, config.env_id)
    best = true_returns(_play(config, policy, Purpose.EVALUATION))
    at_random = act_randomly(agent.action_space, config.eval_episodes, seed_of(config.seed, Purpose.RANDOM_POLICY))
    chance = true_returns(_play(config, at_random, Purpose.RANDOM_POLICY))
    reward_model = None
    if feedback.data is not None:
        reward_model = _diagnose(config, learner, run, feedback.data)
    scores = game_scores(config, policy)
    measures = measure(config, policy)
    summary = Summary(
        study=config.study,
        env_id=config.env_id,
        variant=config.variant or config.preset,
        preset=config.preset,
        labels=config.labels,
        labels_answered=feedback.num_labels,
        no_more_pairs=feedback.no_more_pairs,
        seed=config.seed,
        steps=learner.step,
        true_return_mean=float(best.mean()),
        true_return_std=float(best.std()),
        eval_episodes=config.eval_episodes,
        random_return_mean=float(chance.mean()),
        measures=measures,
        wall_seconds=round(learner.wall_seconds, 1),
        cpu_seconds=round(learner.cpu_seconds, 1),
        fit_seconds=round(learner.fit_seconds, 1),
        steps_per_second=round(learner.step / learner.wall_seconds, 1),
        peak_memory_mb=peak_memory_mb(),
        threads=config.threads,
        device=str(agent.device),
        precision=config.precision,
        cpu=cpu_name(),
        git_commit=git_commit(),
        reward_model=reward_model,
        versions=versions(),
    )
    return summary if scores is None else with_games(summary, scores, config, learner)


def measure(config: RlhfConfig, policy: Actor) -> dict[str, float]:
    """What the suite measures of a behavior, by name: means over fresh episodes. Nothing where it measures nothing."""
    row = find(config.env_id)
    if row is None or row.measure is None:
        return {}
    rollout = _play(replace(config, horizon=MEASURED_STEPS), policy, Purpose.EVALUATION)
    figures = load_plugin(row.measure)(rollout.render_states)
    return {name: float(np.mean(values)) for name, values in figures.items()}


def game_scores(config: RlhfConfig, policy: Actor) -> np.ndarray | None:
    """[N] unclipped scores of complete games; None where there is no score.

    In the continuing stream an episode's return is no game's score: it starts and stops in the middle of games.
    """
    row = find(config.env_id)
    if row is None or not row.scored:
        return None
    seed = seed_of(config.seed, Purpose.EVALUATION)
    return play_games(config.task, policy, config.eval_episodes, seed, threads=config.threads)


def with_games(summary: Summary, scores: np.ndarray, config: RlhfConfig, learner: Learner) -> Summary:
    """Adds the scores, and how many games ended while the agent trained and how long they took.

    What is said of games that ended says nothing of those that go on, one in each console: the longer games are, the
    more of them are missing.
    """
    games = learner.games
    return replace(
        summary,
        score_mean=float(scores.mean()),
        score_std=float(scores.std()),
        score_games=len(scores),
        games_ended=games.ended,
        games_unfinished=config.agent.num_envs,
        game_steps_mean=games.steps / games.ended if games.ended else None,
    )


def record_episode(config: RlhfConfig, learner: Learner, run: RunFolder, name: str) -> None:
    """Keeps one episode of the policy: what draws it, true and learned rewards. Touches no generator."""
    rollout = _play(config, as_judged(learner.agent.policy, config.env_id), Purpose.EPISODE, episodes=1)
    arrays = {"true_rewards": rollout.true_rewards[:, 0]}
    if rollout.render_states is not None:
        states = rollout.render_states[:, 0]
        arrays["render_states"] = states[:SCREENS_KEPT] if states.dtype == np.uint8 else states
    if learner.reward is not None and learner.rounds:
        arrays["learned_rewards"] = learner.reward.ensemble(rollout.obs, rollout.actions)
    metadata = {"step": str(learner.step)} | {f"version.{k}": v for k, v in versions().items()}
    run.episode(name).parent.mkdir(exist_ok=True)
    save_file({key: np.ascontiguousarray(a) for key, a in arrays.items()}, run.episode(name), metadata)


def _play(config: RlhfConfig, policy: Actor, purpose: Purpose, episodes: int | None = None) -> Rollout:
    number = episodes or config.eval_episodes
    return play_episodes(config.task, policy, number, seed_of(config.seed, purpose), threads=config.threads)


def _diagnose(config: RlhfConfig, learner: Learner, run: RunFolder, data: EncodedPreferences) -> RewardModelQuality:
    """Accuracy out of bag, and predicted against true return of fresh segments that no query used."""
    assert learner.reward is not None
    rollout = _play(config, partial(learner.agent.policy.act, deterministic=False), Purpose.DIAGNOSTICS)
    predicted, true = segment_returns(learner.reward.ensemble, config, rollout)
    shown = generator_of(config.seed, Purpose.DIAGNOSTICS).permutation(len(true))[:500]
    save_file({"predicted_returns": predicted[shown], "true_returns": true[shown]}, run.diagnostics)
    return RewardModelQuality(
        heldout_accuracy=assess(learner.reward.ensemble, data).heldout_accuracy,
        pearson=pearson(predicted, true),
        spearman=spearman(predicted, true),
    )


def segment_returns(ensemble: RewardEnsemble, config: RlhfConfig, rollout: Rollout) -> tuple[np.ndarray, np.ndarray]:
    """[S] predicted and [S] true return of the segments that a rollout is cut into."""
    pool = SegmentPool(config.env_id, config.clip_steps, rollout.dones.size)
    pool.add(rollout, generator_of(config.seed, Purpose.DIAGNOSTICS, 1))
    segments = list(pool.segments)
    return ensemble.returns(segments), np.array([segment.true_return for segment in segments], np.float32)
