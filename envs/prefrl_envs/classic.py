"""Classic control with a fixed horizon: an episode that would end early is held at its end, at reward 0."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.envs.classic_control.acrobot import AcrobotEnv
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from gymnasium.envs.classic_control.pendulum import PendulumEnv

from prefrl_envs.wrappers import FixedHorizon, TrueReward


def pendulum(**kwargs: Any) -> gym.Env:
    """Swing a pendulum up and hold it; it never ends early in Gymnasium either."""
    return TrueReward(PendulumEnv(**kwargs))


def cart_pole(**kwargs: Any) -> gym.Env:
    """Balance a pole on a cart; the best return is the horizon."""
    return TrueReward(FixedHorizon(CartPoleEnv(**kwargs)))


def mountain_car_continuous(**kwargs: Any) -> gym.Env:
    """Swing an underpowered car up to the flag."""
    return TrueReward(FixedHorizon(Continuous_MountainCarEnv(**kwargs)))


def acrobot(**kwargs: Any) -> gym.Env:
    """Swing the tip of a two-link arm above a line."""
    return TrueReward(FixedHorizon(AcrobotEnv(**kwargs)))
