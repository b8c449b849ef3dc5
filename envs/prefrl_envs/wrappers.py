"""Wrappers: one wrapper, one change, and the reason for it; and `make_env`, which puts them on."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import TimeLimit

from prefrl_envs.drawing import drawing_of
from prefrl_envs.errors import PrefrlError
from prefrl_envs.snapshots import State, add_prefix, under
from prefrl_envs.suite import canonical_id, find
from prefrl_envs.task import OnEnd, TaskConfig

Step = tuple[Any, float, bool, bool, dict[str, Any]]


class Layer(gym.Wrapper):
    """One of ours, which says of its own state all there is, and nothing of what is inside (`snapshots`)."""

    is_a_layer = True


class FixedHorizon(Layer):
    """Never ends an episode: one that ends inside is either held at its end or followed by the next.

    Otherwise the length of an episode tells the agent how well it does, and a learned reward
    that is merely positive teaches it to survive. A TimeLimit outside still truncates.

    Args:
        env: may terminate or truncate.
        on_end: "absorb": the last observation repeats at reward 0. "reset": the inner environment is reset
            and the observation is the new episode's first.
    """

    def __init__(self, env: gym.Env, on_end: OnEnd = "absorb") -> None:
        if on_end not in ("absorb", "reset"):
            raise PrefrlError(f"unknown on_end {on_end!r}. Known: absorb, reset")
        super().__init__(env)
        self.on_end = on_end
        self._absorbed: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple:
        self._absorbed = None
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> Step:
        if self._absorbed is not None:
            return _copy(self._absorbed), 0.0, False, False, {}
        obs, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            if self.on_end == "reset":
                obs, _ = self.env.reset()
            else:
                self._absorbed = _copy(obs)
        return obs, float(reward), False, False, info

    def get_state(self) -> State:
        """The observation that is held, if any; see `prefrl_envs.snapshots`."""
        if self._absorbed is None:
            return {}
        if isinstance(self._absorbed, dict):
            return add_prefix(f"{_HELD}.", {name: np.array(part) for name, part in self._absorbed.items()})
        return {_HELD: np.array(self._absorbed)}

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""
        parts = under(f"{_HELD}.", state)
        self._absorbed = _copy(parts or state.get(_HELD))


_HELD = "held"


def _copy(obs: Any) -> Any:
    """An observation that stays as it is, whatever is done to the array that it came in."""
    return copy.deepcopy(obs)


class TrueReward(Layer):
    """Puts the reward into info["true_reward"] as well, where oracles and metrics look for it."""

    def step(self, action: Any) -> Step:
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, float(reward), terminated, truncated, {"true_reward": float(reward)} | info


class HideReward(Layer):
    """Returns reward 0.0 and leaves the true reward in info["true_reward"] alone.

    An agent that learns from preferences must not be able to see it, not even by mistake.
    """

    def step(self, action: Any) -> Step:
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, 0.0, terminated, truncated, {"true_reward": float(reward)} | info


class RenderState(Layer):
    """Adds `render_state`: what it takes to draw the current observation later, in another environment.

    Drawing every step would cost more than the training, and drawing in the training environment
    would disturb it; a few numbers per step do neither.
    """

    def render_state(self) -> np.ndarray | None:
        """[S] numbers, or None where there are none that draw it."""
        drawing = drawing_of(self.env)
        return None if drawing is None else drawing.capture(self.env)


def make_env(task: TaskConfig, render_mode: str | None = None) -> gym.Env:
    """An environment whose episodes all have the same length.

    Args:
        render_mode: Gymnasium's.

    Raises:
        PrefrlError: unknown id, or no horizon for an environment outside the suite.
    """
    env_id = canonical_id(task.id)
    if find(env_id) is not None:
        return plain_env(task, render_mode, max_episode_steps=task.horizon)
    if task.horizon is None:
        raise PrefrlError(
            f"{env_id} may end its episodes early, and their length would tell the agent the task: "
            "fix it with `horizon`"
        )
    return TimeLimit(TrueReward(FixedHorizon(plain_env(task, render_mode), task.on_end)), task.horizon)


def plain_env(task: TaskConfig, render_mode: str | None = None, max_episode_steps: int | None = -1) -> gym.Env:
    """The environment of a task as Gymnasium makes it.

    Args:
        max_episode_steps: Gymnasium's: -1 for no limit, None for the registered one.

    Raises:
        PrefrlError: unknown id, or options of another task.
    """
    env_id = canonical_id(task.id)
    row = find(env_id)
    if task.options is not None and (row is None or row.options is not type(task.options)):
        raise PrefrlError(f"{env_id} takes no {type(task.options).__name__}")
    make = partial(gym.make, env_id, max_episode_steps=max_episode_steps, render_mode=render_mode, **task.arguments())
    if row is not None:
        return make()
    from prefrl_envs.mujoco_log import no_log_file  # loads MuJoCo, which those of the suite's toys can do without

    with no_log_file():
        return make()
