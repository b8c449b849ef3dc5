"""What the reward model costs beside PPO: one evaluation of a rollout, one fit, and against a loop over members.

    python benchmarks/reward_model.py --out benchmarks/results/reward_model.json

Hopper, 3 members, the default preset; a rollout of 16,384 steps, 700 comparisons of 60 steps. Everything is timed
in one process, interleaved, and reported as the median of the repeats. The loop trains three ensembles of one
member each, which is the same computation without the batching.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import write
from prefrl_envs.task import TaskConfig

from prefrl.agents.ppo import PpoAgent
from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.preferences.dataset import PreferenceDataset
from prefrl.presets import preset_config
from prefrl.queries import Comparison, Query
from prefrl.rewards.encoding import EncodedPreferences
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.fitting import fit, make_optimizer
from prefrl.rollouts import Recorder, Rollout, SegmentPool
from prefrl.vecenv import make_vec_env

ENV_ID, STEPS, COMPARISONS = "prefrl/Hopper-v0", 16_384, 700


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    write(measure(args.repeats, args.threads), args.out, threads=args.threads)


def measure(repeats: int, threads: int) -> dict[str, object]:
    """Seconds, medians over the repeats, and their ratios."""
    config = preset_config("default", ENV_ID, labels=COMPARISONS, seed=100)
    settings = dataclasses.replace(config.agent, n_steps=STEPS // config.agent.num_envs, scale_rewards=False)
    recorder = Recorder(make_vec_env(TaskConfig(ENV_ID), settings.num_envs, 100, threads=threads))
    agent = PpoAgent(recorder, settings, seed=100, total_steps=config.steps)
    agent.begin()

    def iterate() -> Rollout:
        rollout = agent.collect()
        agent.update(rollout, rollout.true_rewards)
        return rollout

    rollout = iterate()
    pool = SegmentPool(ENV_ID, config.clip_steps, 10**6)
    pool.add(rollout, np.random.default_rng(100))
    comparisons = compare(pool, np.random.default_rng(100))
    spaces = recorder.observation_space, recorder.action_space
    together = RewardEnsemble(*spaces, config.reward, 100)
    members = [
        RewardEnsemble(*spaces, dataclasses.replace(config.reward, members=1), m)
        for m in range(together.config.members)
    ]
    obs, actions = rollout.obs, rollout.actions
    timed: dict[str, Callable[[], object]] = {
        "ppo_rollout_s": iterate,
        "evaluation_s": lambda: together(obs, actions),
        "evaluation_by_loop_s": lambda: [member(obs, actions) for member in members],
        "fit_s": fitting([together], comparisons, config.reward.epochs),
        "fit_by_loop_s": fitting(members, comparisons, config.reward.epochs),
    }
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, work in timed.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    median: dict[str, float] = {name: float(np.median(values)) for name, values in seconds.items()}
    return {
        "steps": STEPS,
        "comparisons": COMPARISONS,
        "epochs_per_fit": config.reward.epochs,
        "repeats": repeats,
        **{name: round(value, 4) for name, value in median.items()},
        "evaluation_over_ppo": round(median["evaluation_s"] / median["ppo_rollout_s"], 4),
        "evaluation_speedup_over_loop": round(median["evaluation_by_loop_s"] / median["evaluation_s"], 2),
        "fit_speedup_over_loop": round(median["fit_by_loop_s"] / median["fit_s"], 2),
        "fit_over_ppo_of_a_round": round(
            median["fit_s"] / median["ppo_rollout_s"] * STEPS / config.query.round_steps, 4
        ),
    }


def compare(pool: SegmentPool, rng: np.random.Generator) -> list[Comparison]:
    """Comparisons of segments drawn from the pool."""
    oracle, segments = Oracle(OracleConfig(), seed=100), list(pool.segments)
    pairs = [rng.choice(len(segments), 2, replace=False) for _ in range(COMPARISONS)]
    queries = [Query((segments[left], segments[right]), step) for step, (left, right) in enumerate(pairs)]
    answers = oracle.label(queries)
    return [Comparison(query, answer, oracle.name) for query, answer in zip(queries, answers, strict=True)]


def fitting(ensembles: list[RewardEnsemble], comparisons: list[Comparison], epochs: int) -> Callable[[], object]:
    """One later fit of each ensemble to all comparisons."""
    prepared = []
    for ensemble in ensembles:
        data = EncodedPreferences(ensemble)
        data.update(PreferenceDataset.of(comparisons))
        prepared.append((ensemble, make_optimizer(ensemble), data))
    generator = torch.Generator().manual_seed(100)
    return lambda: [fit(ensemble, optimizer, data, epochs, generator) for ensemble, optimizer, data in prepared]


if __name__ == "__main__":
    main()
