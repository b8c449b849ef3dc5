"""What a policy's episodes are worth: rollouts of fresh episodes, on the true reward."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces
from prefrl_envs.wrappers import OnEnd
from stable_baselines3.common.base_class import BaseAlgorithm

from prefrl.rollouts import Recorder, Rollout
from prefrl.segments import Observations
from prefrl.vecenv import make_vec_env

Policy = Callable[[Observations], np.ndarray]
"""Observations [N, ...] -> actions [N, ...]."""


def act_by(model: BaseAlgorithm, *, deterministic: bool) -> Policy:
    """The policy of an SB3 agent."""
    return lambda obs: model.predict(obs, deterministic=deterministic)[0]


def act_randomly(action_space: spaces.Space, num_envs: int, seed: int, held: float = 1.0) -> Policy:
    """Actions drawn uniformly from the action space.

    Args:
        held: steps that an action lasts on average, in each environment for itself; 1 draws anew at every step.
    """
    own, rng = deepcopy(action_space), np.random.default_rng(seed)
    own.seed(seed)
    actions = np.stack([own.sample() for _ in range(num_envs)])

    def act(_: Observations) -> np.ndarray:
        for env in np.flatnonzero(rng.random(num_envs) < 1 / held):
            actions[env] = own.sample()
        return actions.copy()

    return act


def play_episodes(
    env_id: str,
    policy: Policy,
    episodes: int,
    seed: int,
    *,
    horizon: int | None = None,
    on_end: OnEnd = "absorb",
    threads: int = 1,
) -> Rollout:
    """One episode in each of `episodes` fresh environments, side by side.

    Args:
        seed: episode i starts from the seed seed + i.

    Returns:
        T steps of N = episodes environments; T is the horizon, which all episodes share.
    """
    recorder = Recorder(make_vec_env(env_id, episodes, seed, horizon=horizon, on_end=on_end, threads=threads))
    obs: Any = recorder.reset()
    done = False
    while not done:
        obs, _, dones, _ = recorder.step(policy(obs))
        done = bool(dones.all())
    recorder.close()
    return recorder.take()


def true_returns(rollout: Rollout) -> np.ndarray:
    """[N] true return of each environment over the rollout."""
    return rollout.true_rewards.sum(axis=0, dtype=np.float64)
