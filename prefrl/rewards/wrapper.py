"""The front door for people who have their own training code: a learned reward in place of the environment's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from prefrl.segments import Observations, as_dict, map_arrays

RewardFunction = Callable[[Observations, np.ndarray], np.ndarray]
"""Observations by name, each [B, ...], before the actions [B, ...] -> rewards [B]. A RewardEnsemble is one.

The names are the keys of a Dict space; the observation of any other space is named "obs".
"""


class LearnedReward(gym.Wrapper, RecordConstructorArgs):
    """Pays what `reward` says of (observation, action); the environment's own reward is in `info["true_reward"]`."""

    def __init__(self, env: gym.Env, reward: RewardFunction) -> None:
        RecordConstructorArgs.__init__(self, reward=reward)  # Gymnasium makes the environment again from these
        gym.Wrapper.__init__(self, env)
        self._reward = reward

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(**kwargs)
        self._obs = copied(obs)
        return obs, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        taken = np.array(action)  # the environment may change it in place
        obs, true_reward, terminated, truncated, info = self.env.step(action)
        batch = map_arrays(self._obs, lambda array: array[None])
        learned = float(self._reward(batch, taken[None])[0])
        self._obs = copied(obs)
        return obs, learned, terminated, truncated, {"true_reward": float(true_reward)} | info


def copied(obs: Any) -> Observations:
    """A copy of an observation: environments may write the next one into the same array."""
    return map_arrays(as_dict(obs), np.array)
