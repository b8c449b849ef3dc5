"""Batched stepping: N simulations of a MuJoCo task in C++ threads."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.utils import seeding
from mujoco.batch import Batch

from prefrl_envs.batch import BatchStep
from prefrl_envs.errors import PrefrlError
from prefrl_envs.mujoco import Task, Transition
from prefrl_envs.snapshots import State, generator_state, set_generator_state
from prefrl_envs.suite import entry
from prefrl_envs.task import TaskConfig

_STATE = mujoco.mjtState.mjSTATE_INTEGRATION  # all that the next step depends on


def mujoco_batch(task: TaskConfig, num_envs: int, threads: int, practice: bool) -> MujocoBatch:
    """The vector environment of a MuJoCo task."""
    return MujocoBatch(task.id, num_envs, threads, task.horizon, practice)


class MujocoBatch:
    """N copies of a MuJoCo task of the suite, equal bit for bit to N environments stepped one by one.

    All episodes have the same length, so all copies end together; they are reset at once, each with
    its own random numbers.

    Args:
        env_id: id of a MuJoCo task, e.g. "prefrl/Hopper-v0".
        num_envs: N.
        num_threads: threads that step, the caller's included; 0 takes every processor.
        horizon: steps of an episode, None for the suite's.
        practice: whether episodes begin as the task lets them begin where an agent learns.
    """

    frame_stack = 1
    is_stream = False
    other_cpu_seconds = 0.0

    def __init__(
        self,
        env_id: str,
        num_envs: int,
        num_threads: int = 1,
        horizon: int | None = None,
        practice: bool = False,
    ) -> None:
        row = entry(env_id)
        task = load_env_creator(row.entry_point)
        if not isinstance(task, Task):
            raise PrefrlError(f"{env_id} is not a MuJoCo task: only those are stepped as a batch")
        self.num_envs, self.horizon = num_envs, row.horizon if horizon is None else horizon
        self._task = task
        kwargs = task.practice if practice else {}
        self._v5: Any = task.v5(**kwargs)  # draws the initial states of all copies, in turn
        self.observation_space, self.action_space = self._v5.observation_space, self._v5.action_space
        self._rngs = [seeding.np_random(None)[0] for _ in range(num_envs)]
        self._batch = Batch(self._v5.model, num_envs, num_threads)
        fields = ("qpos", "qvel", "ctrl", *task.fields)
        self._physics: Any = SimpleNamespace(**{name: self._batch.bind(name) for name in fields})
        self._elapsed = 0

    def reset(self, seeds: Sequence[int | None] | None = None) -> np.ndarray:
        """Starts every episode anew: [N, O] observations.

        Args:
            seeds: one per copy; without one, a copy goes on with its own random numbers.
        """
        for i, seed in enumerate(seeds or ()):
            if seed is not None:
                self._rngs[i], _ = seeding.np_random(seed)
        self._elapsed = 0
        return np.stack([self._start(i) for i in range(self.num_envs)])

    def step(self, actions: np.ndarray) -> BatchStep:
        """One step of every copy by actions [N, A]."""
        qpos_before = self._physics.qpos.copy()
        self._physics.ctrl[:] = actions
        self._batch.step(nstep=self._v5.frame_skip)
        obs = self._task.observe(self._physics)
        true_rewards = self._task.reward(Transition(qpos_before, self._physics, self._v5.dt))
        self._elapsed += 1
        ended = self._elapsed >= self.horizon
        terminal = obs if ended else None
        if ended:
            obs = self.reset()
        return BatchStep(obs, true_rewards, np.full(self.num_envs, ended), terminal)

    def render_states(self) -> np.ndarray:
        """[N, nq] float32 positions: what it takes to draw the current observations."""
        return self._physics.qpos.astype(np.float32)

    def get_state(self) -> State:
        """State on which the next steps depend; see `prefrl_envs.snapshots`.

        Simulations [N, S] with their warm start, elapsed steps [], generators as JSON.
        """
        state = {"simulations": np.array(self._batch.state), "elapsed_steps": np.array(self._elapsed)}
        generators = {f"generator.{i}": generator_state(rng) for i, rng in enumerate(self._rngs)}
        return state | generators

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""
        self._batch.state[:] = state["simulations"]
        self._elapsed = int(state["elapsed_steps"])
        for i, rng in enumerate(self._rngs):
            set_generator_state(rng, state[f"generator.{i}"])

    def env(self, index: int) -> Any:
        """A v5 environment in the state of copy `index`, to look at: what it does does not come back."""
        mujoco.mj_setState(self._v5.model, self._v5.data, self._batch.state[index], _STATE)
        mujoco.mj_forward(self._v5.model, self._v5.data)
        return self._v5

    def close(self) -> None:
        self._v5.close()

    def _start(self, index: int) -> np.ndarray:
        """v5's own reset with the copy's random numbers, and the whole state of it into the copy's row."""
        self._v5.np_random = self._rngs[index]
        obs, _ = self._v5.reset()
        mujoco.mj_getState(self._v5.model, self._v5.data, self._batch.state[index], _STATE)
        return obs
