"""A learned reward in place of the environment's, for Stable-Baselines3's VecEnvs."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from prefrl.rewards.wrapper import RewardFunction, copied
from prefrl.segments import EnvObservations


class LearnedRewardVecEnv(VecEnvWrapper):
    """Pays what `reward` says of the observations and actions [N, ...], in one call a step; see `LearnedReward`."""

    def __init__(self, venv: VecEnv, reward: RewardFunction) -> None:
        super().__init__(venv)
        self._reward = reward

    def reset(self) -> EnvObservations:
        obs: Any = self.venv.reset()
        self._obs = copied(obs)
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        obs, true_rewards, dones, infos = self.venv.step_wait()
        learned = self._reward(self._obs, self._actions)
        self._obs = copied(obs)
        for info, true_reward in zip(infos, true_rewards, strict=True):
            info.setdefault("true_reward", float(true_reward))
        return obs, learned, dones, infos
