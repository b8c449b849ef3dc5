"""Classic control with a fixed horizon: an episode that would end early is held at its end, at reward 0."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.classic_control.acrobot import AcrobotEnv
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from gymnasium.envs.classic_control.pendulum import PendulumEnv

from prefrl_envs.snapshots import State, generator_state, set_generator_state
from prefrl_envs.wrappers import FixedHorizon, TrueReward


class _Saved(gym.Env):
    """Gives its state away, and takes it back; see `prefrl_envs.snapshots`.

    Attributes:
        kept: names of the attributes that the next steps depend on, drawing included; None is left out.
    """

    kept: tuple[str, ...] = ("state",)

    def get_state(self) -> State:
        values = {name: getattr(self, name) for name in self.kept}
        arrays = {name: np.array(value) for name, value in values.items() if value is not None}
        return arrays | {"generator": generator_state(self.np_random)}

    def set_state(self, state: State) -> None:
        for name in self.kept:
            value = state.get(name)
            setattr(self, name, None if value is None else value.copy()[()])  # [()]: a number is no array of shape ()
        set_generator_state(self.np_random, state["generator"])


class _Pendulum(_Saved, PendulumEnv):
    kept = ("state", "last_u")


class _CartPole(_Saved, CartPoleEnv):
    kept = ("state", "steps_beyond_terminated")


class _MountainCarContinuous(_Saved, Continuous_MountainCarEnv):
    pass


class _Acrobot(_Saved, AcrobotEnv):
    pass


def pendulum(**kwargs: Any) -> gym.Env:
    """Swing a pendulum up and hold it; it never ends early in Gymnasium either."""
    return TrueReward(_Pendulum(**kwargs))


def cart_pole(**kwargs: Any) -> gym.Env:
    """Balance a pole on a cart; the best return is the horizon."""
    return TrueReward(FixedHorizon(_CartPole(**kwargs)))


def mountain_car_continuous(**kwargs: Any) -> gym.Env:
    """Swing an underpowered car up to the flag."""
    return TrueReward(FixedHorizon(_MountainCarContinuous(**kwargs)))


def acrobot(**kwargs: Any) -> gym.Env:
    """Swing the tip of a two-link arm above a line."""
    return TrueReward(FixedHorizon(_Acrobot(**kwargs)))
