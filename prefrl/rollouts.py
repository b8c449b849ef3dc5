"""The recorder under the agent's VecEnv, and the pool of recent segments cut from what it saw."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from prefrl.segments import Observations, Segment, map_arrays, stack_observations


@dataclass(frozen=True, eq=False)
class Rollout:
    """T consecutive steps of N environments.

    Attributes:
        obs: [T, N, *obs_shape] raw, the observation before each action.
        actions: [T, N, *action_shape] as the environments got them.
        true_rewards: [T, N].
        dones: [T, N] whether the step ended an episode.
        render_states: [T, N, S] what it takes to draw each observation, or None.
    """

    obs: Observations
    actions: np.ndarray
    true_rewards: np.ndarray
    dones: np.ndarray
    render_states: np.ndarray | None

    def flat(self) -> tuple[Observations, np.ndarray]:
        """Observations [T * N, ...] and actions [T * N, ...]: one batch for the reward model."""
        return map_arrays(self.obs, _flatten), _flatten(self.actions)

    def segment(self, env_id: str, env: int, start: int, stop: int) -> Segment:
        """A copy of steps start..stop of one environment: it keeps nothing else alive."""
        window = slice(start, stop)
        return Segment(
            env_id=env_id,
            obs=map_arrays(self.obs, lambda array: array[window, env].copy()),
            actions=self.actions[window, env].copy(),
            true_rewards=self.true_rewards[window, env].copy(),
            render_states=None if self.render_states is None else self.render_states[window, env].copy(),
        )


class Recorder(VecEnvWrapper):
    """Hides the true reward from the agent: emits 0, and keeps what the reward model needs.

    Sits right under the agent. `take` hands out the steps since the last `take`.
    """

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._steps: list[tuple] = []
        self._obs: Observations | None = None
        self._actions = np.empty(0)

    def reset(self) -> Observations:
        """Starts every environment anew; steps that were not taken are dropped."""
        obs: Any = self.venv.reset()
        self._steps.clear()
        self._obs = self._checked(obs)
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        states = self._states
        obs, true_rewards, dones, infos = self.venv.step_wait()
        for env, (done, info, true_reward) in enumerate(zip(dones, infos, true_rewards, strict=True)):
            if done:
                refuse_nan(info.get("terminal_observation", 0.0), env)
            if not math.isfinite(true_reward):
                raise ValueError(f"environment {env} gave the true reward {true_reward}: mend the environment")
        self._steps.append((self._obs, self._actions, true_rewards, dones, states))
        self._obs = self._checked(obs)
        return obs, np.zeros_like(true_rewards), dones, infos

    def can_be_drawn(self) -> bool:
        """Whether there are states to draw clips from. Starts every environment anew."""
        self.reset()
        return self._states is not None

    def take(self) -> Rollout:
        """The steps since the last `take` or `reset`, [T, N, ...]."""
        obs, actions, true_rewards, dones, states = zip(*self._steps, strict=True)
        self._steps.clear()
        return Rollout(
            obs=stack_observations(list(obs)),
            actions=np.stack(actions),
            true_rewards=np.stack(true_rewards).astype(np.float32),
            dones=np.stack(dones),
            render_states=None if states[0] is None else np.stack(states),
        )

    def _checked(self, obs: Any) -> Observations:
        """A float32 (or integer) copy, and the states that draw it.

        Raises:
            ValueError: an observation that is not a finite number.
        """
        venv: Any = self.venv  # one of prefrl.vecenv; SB3 knows no render states
        self._states = venv.render_states()
        copy = map_arrays(obs, lambda array: array.astype(np.float32 if array.dtype.kind == "f" else array.dtype))
        for array in copy.values() if isinstance(copy, dict) else [copy]:
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                for env, rows in enumerate(array):
                    refuse_nan(rows, env)
        return copy


def refuse_nan(obs: Any, env: int) -> None:
    """Raises ValueError where an observation of environment number `env` is not finite throughout."""
    for array in map(np.asarray, obs.values() if isinstance(obs, dict) else [obs]):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(
                f"environment {env} gave the observation {array[index]} at index {list(index)}; "
                "a reward cannot be learned from it: mend the environment"
            )


class SegmentPool:
    """The most recent segments of a stream of rollouts, at most `capacity_steps` steps of them.

    What a rollout has of an episode is cut end to end into segments of `clip_steps` steps, from a start drawn
    each time. Steps within a clip's length of a rollout's or an episode's end are so covered less than others.
    """

    def __init__(self, env_id: str, clip_steps: int, capacity_steps: int) -> None:
        self.env_id = env_id
        self.clip_steps = clip_steps
        self.segments: deque[Segment] = deque(maxlen=max(2, capacity_steps // clip_steps))

    def add(self, rollout: Rollout, rng: np.random.Generator) -> None:
        """Cuts the whole rollout; what is left over at its ends is not used."""
        num_steps, num_envs = rollout.dones.shape
        for env in range(num_envs):
            ends = [int(end) + 1 for end in np.flatnonzero(rollout.dones[:, env])]
            bounds = [0, *ends] if ends and ends[-1] == num_steps else [0, *ends, num_steps]
            for first, last in pairwise(bounds):
                self._cut(rollout, env, first, last, rng)

    def _cut(self, rollout: Rollout, env: int, first: int, last: int, rng: np.random.Generator) -> None:
        spare = (last - first) % self.clip_steps
        start = first + int(rng.integers(spare + 1))
        for begin in range(start, last - self.clip_steps + 1, self.clip_steps):
            self.segments.append(rollout.segment(self.env_id, env, begin, begin + self.clip_steps))

    def steps(self) -> tuple[Observations, np.ndarray]:
        """Observations and actions [B, ...] of all steps in the pool."""
        return steps_of(list(self.segments))


class EpisodeReturns:
    """Adds up the true and the learned rewards of the episodes that run across rollouts."""

    def __init__(self, num_envs: int) -> None:
        self._running = np.zeros((2, num_envs))

    def add(self, true_rewards: np.ndarray, rewards: np.ndarray, dones: np.ndarray) -> np.ndarray:
        """Three [T, N] -> [E, 2] true and learned return of the E episodes that ended."""
        ended = []
        for true_reward, reward, done in zip(true_rewards, rewards, dones, strict=True):
            self._running += (true_reward, reward)
            ended.append(self._running[:, done].T)
            self._running[:, done] = 0.0
        return np.concatenate(ended)


def steps_of(segments: list[Segment]) -> tuple[Observations, np.ndarray]:
    """Observations and actions [S * T, ...] of S segments of T steps each."""
    obs = stack_observations([segment.obs for segment in segments])
    return map_arrays(obs, _flatten), _flatten(np.stack([segment.actions for segment in segments]))


def _flatten(array: np.ndarray) -> np.ndarray:
    """[A, B, ...] to [A * B, ...]."""
    return array.reshape(-1, *array.shape[2:])
