"""One run of imitation 1.0.1 for throughput.py, in a Python of its own: it needs gymnasium 0.29 and SB3 2.2.

    python3 -m venv .venv-imitation
    .venv-imitation/bin/pip install torch==2.13.0 imitation==1.0.1 mujoco imageio
    .venv-imitation/bin/python benchmarks/imitation_peer.py Hopper --iterations 2 --threads 1

SB3's PPO with its defaults in 8 environments, an ensemble of three reward networks, a synthetic oracle, a round of
comparisons every 15,625 steps. The tasks are Gymnasium's v4, made to last 1,000 steps whatever happens. The steps
that imitation takes to have something to compare are not counted, as it does not learn from them; their time is.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import gymnasium as gym
import numpy as np
import torch
from imitation.algorithms import preference_comparisons as pc
from imitation.data.wrappers import RolloutInfoWrapper
from imitation.rewards.reward_nets import BasicRewardNet, NormalizedRewardNet, RewardEnsemble
from imitation.util.networks import RunningNorm
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

ROUND_STEPS, LABELS, CLIP_STEPS = 15_625, 700, {"Hopper": 60, "HalfCheetah": 30}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=CLIP_STEPS)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    venv = DummyVecEnv([lambda: RolloutInfoWrapper(make_env(args.task))] * 8)
    space, rng = (venv.observation_space, venv.action_space), np.random.default_rng(0)
    members = [NormalizedRewardNet(BasicRewardNet(*space), RunningNorm) for _ in range(3)]
    ensemble = RewardEnsemble(*space, members)
    agent = PPO("MlpPolicy", venv, n_steps=256, batch_size=64, n_epochs=10, seed=0, device="cpu")
    ended: list[float] = []
    learner = pc.PreferenceComparisons(
        pc.AgentTrainer(agent, ensemble, venv, rng, exploration_frac=0.05),
        ensemble,
        num_iterations=args.iterations,
        fragmenter=pc.RandomFragmenter(rng=rng, warning_threshold=0),
        preference_gatherer=pc.SyntheticGatherer(rng=rng),
        reward_trainer=pc.EnsembleTrainer(pc.PreferenceModel(ensemble), pc.CrossEntropyRewardLoss(), epochs=3, rng=rng),
        fragment_length=CLIP_STEPS[args.task],
        initial_comparison_frac=0.95,
        initial_epoch_multiplier=1,  # the first fit is not counted
    )
    learner.train(args.iterations * ROUND_STEPS, LABELS, callback=lambda _: ended.append(time.perf_counter()))
    steps = (args.iterations - 1) * ROUND_STEPS  # the first round is not counted
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"steps_per_second": steps / (ended[-1] - ended[0]), "peak_mb": memory}))


def make_env(task: str) -> gym.Env:
    """The task with episodes of 1,000 steps."""
    healthy_or_not = {"terminate_when_unhealthy": False} if task == "Hopper" else {}
    return gym.make(f"{task}-v4", **healthy_or_not)


if __name__ == "__main__":
    main()
