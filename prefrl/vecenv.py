"""The suite's environments as an SB3 VecEnv whose reward is the true reward."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from prefrl_envs import snapshots
from prefrl_envs.batch import Batch, MakeBatch
from prefrl_envs.snapshots import State
from prefrl_envs.suite import canonical_id, find
from prefrl_envs.task import TaskConfig
from prefrl_envs.wrappers import RenderState, make_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from prefrl.core.registry import load_plugin


def make_vec_env(task: TaskConfig, num_envs: int, seed: int, *, threads: int = 1, practice: bool = False) -> VecEnv:
    """N copies of an environment, each with a seed of its own that is drawn with `seed` (`copy_seeds`).

    The reward is the true reward, also of a behavior that hides it, and infos[i]["true_reward"]
    says it again. `render_states()` gives [N, S]: what it takes to draw the current observations, or None.

    Args:
        num_envs: N.
        seed: from 0 up; takes effect at the next reset.
        threads: that step tasks whose suite has a vector environment of them; the others are stepped one by one.
        practice: whether an agent learns in them: half of HopperBackflip's episodes then begin in the middle of a flip,
            those of other environments as ever.

    Raises:
        PrefrlError: unknown id, or no horizon for an environment outside the suite.
    """
    task = dataclasses.replace(task, id=canonical_id(task.id))
    row = find(task.id)
    if row is not None and row.batched is not None:
        make_batch: MakeBatch = load_plugin(row.batched)
        venv: VecEnv = BatchVecEnv(make_batch(task, num_envs, threads, practice))
    else:
        venv = TrueRewardVecEnv([lambda: RenderState(make_env(task))] * num_envs)
    venv.seed(seed)
    return venv


def copy_seeds(seed: int, number: int) -> list[int]:
    """Seeds of the N copies of an environment, in [0, 2**31), the largest that ALE takes.

    Neighboring seeds have no copy in common, as seed + i would. The first copies of many are those of few.
    """
    return (np.random.SeedSequence(seed).generate_state(number) >> 1).tolist()


class SavedVecEnv(VecEnv):
    """Copies that are seeded apart, and that may be saved in the middle of an episode.

    Attributes:
        is_stream: whether what follows an episode's last step goes on from it.
        other_cpu_seconds: processor time that processes of the environments' own have taken.
    """

    @property
    def is_stream(self) -> bool:
        return False

    @property
    def other_cpu_seconds(self) -> float:
        return 0.0

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seeds every copy at the next reset; without a seed as nobody can foresee."""
        entropy = np.random.SeedSequence(seed).entropy
        assert isinstance(entropy, int)
        self._seeds: list[int | None] = list(copy_seeds(entropy, self.num_envs))
        return self._seeds

    @abstractmethod
    def get_state(self) -> State | None:
        """See `prefrl_envs.snapshots`; None where an environment has none to give."""

    @abstractmethod
    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""


class BatchVecEnv(SavedVecEnv):
    """A vector environment of a suite, whose copies all end their episodes together.

    Besides the true reward, infos[i] has "game_score" at the step that ended a game, and "oracle_reward" where that
    is another than the true reward.

    Attributes:
        frame_stack: frames in an observation; consecutive observations share all but one of them.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        super().__init__(batch.num_envs, batch.observation_space, batch.action_space)

    @property
    def is_stream(self) -> bool:
        return self._batch.is_stream

    @property
    def frame_stack(self) -> int:
        return self._batch.frame_stack

    @property
    def other_cpu_seconds(self) -> float:
        return self._batch.other_cpu_seconds

    def reset(self) -> np.ndarray:
        obs = self._batch.reset(self._seeds)
        self._reset_seeds()
        self._reset_options()
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        step = self._batch.step(self._actions)
        rewards = step.true_rewards.tolist()
        infos: list[dict[str, Any]] = [
            {"true_reward": reward, "TimeLimit.truncated": ended}
            for reward, ended in zip(rewards, step.truncated.tolist(), strict=True)
        ]
        if step.terminal_obs is not None:
            for info, terminal in zip(infos, step.terminal_obs, strict=True):
                info["terminal_observation"] = terminal
        if step.game_scores is not None:
            for i in np.flatnonzero(~np.isnan(step.game_scores)):
                infos[i]["game_score"] = float(step.game_scores[i])
        if step.oracle_rewards is not None:
            for i in np.flatnonzero(step.oracle_rewards != step.true_rewards):
                infos[i]["oracle_reward"] = float(step.oracle_rewards[i])
        return step.obs, step.true_rewards.astype(np.float32), step.truncated, infos

    def render_states(self) -> np.ndarray:
        """[N, ...] what it takes to draw the current observations; of a game the color screens themselves."""
        return self._batch.render_states()

    def get_state(self) -> State:
        return self._batch.get_state()

    def set_state(self, state: State) -> None:
        self._batch.set_state(state)
        self._reset_seeds()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return [getattr(self._batch.env(i), attr_name) for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        for i in self._get_indices(indices):
            setattr(self._batch.env(i), attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method of what `batch.env(i)` gives of each copy; what it changes does not come back."""
        return [
            getattr(self._batch.env(i), method_name)(*method_args, **method_kwargs) for i in self._get_indices(indices)
        ]

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[np.ndarray | None]:
        return [None] * self.num_envs

    def close(self) -> None:
        self._batch.close()


class TrueRewardVecEnv(SavedVecEnv, DummyVecEnv):
    """Steps environments one by one; the reward is info["true_reward"] where an environment says it."""

    def step_wait(self) -> VecEnvStepReturn:
        obs, rewards, dones, infos = super().step_wait()
        for i, info in enumerate(infos):
            rewards[i] = info.setdefault("true_reward", float(rewards[i]))
        return obs, rewards, dones, infos

    @property
    def frame_stack(self) -> int:
        """Frames in an observation; 1 where observations do not overlap."""
        return getattr(self.envs[0].unwrapped, "frame_stack", 1)

    @property
    def is_stream(self) -> bool:
        return getattr(self.envs[0].unwrapped, "is_stream", False)

    def get_state(self) -> State | None:
        states = [snapshots.get_state(env) for env in self.envs]
        if any(state is None for state in states):
            return None
        together: State = {}
        for i, state in enumerate(states):
            together |= snapshots.add_prefix(f"{i}.", state or {})
        return together

    def set_state(self, state: State) -> None:
        for i, env in enumerate(self.envs):
            snapshots.set_state(env, snapshots.under(f"{i}.", state))
        self._reset_seeds()

    def render_states(self) -> np.ndarray | None:
        """[N, ...] what it takes to draw the current observations, or None."""
        envs: list[Any] = self.envs
        states = [env.render_state() for env in envs]
        return None if any(state is None for state in states) else np.stack(states)


class MonitoredVecEnv(VecMonitor):
    """SB3's VecMonitor, which adds up returns for its log, and may be saved as what is under it may be."""

    def get_state(self) -> State | None:
        venv: Any = self.venv  # a SavedVecEnv
        state = venv.get_state()
        if state is None:
            return None
        own = {"monitor.returns": self.episode_returns.copy(), "monitor.lengths": self.episode_lengths.copy()}
        return own | snapshots.add_prefix("env.", state)

    def set_state(self, state: State) -> None:
        venv: Any = self.venv  # a SavedVecEnv
        venv.set_state(snapshots.under("env.", state))
        self.episode_returns, self.episode_lengths = state["monitor.returns"].copy(), state["monitor.lengths"].copy()
