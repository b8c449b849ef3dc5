"""The recorder under the agent's VecEnv, and the pool of recent segments cut from what it saw.

What a game takes: 7,056 bytes a step and environment in a rollout, for the one frame of 84x84 that is new, and in the
pool 12 % more, since each segment of 25 steps has the three frames before it as well. The screens for viewers, packed,
add 0.2 KB in Pong, 1 to 3 KB in the busier games. A pool of 20,000 steps of Pong is 165 MB.
"""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from prefrl_envs import screens
from prefrl_envs.snapshots import State, add_prefix, under
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from prefrl.core.errors import PrefrlError
from prefrl.segments import (
    EnvObservations,
    Observations,
    Segment,
    as_dict,
    join,
    map_arrays,
    stack_observations,
    stacked,
)

BLOCK = 64  # frames of each environment whose memory is asked for at once


@dataclass(frozen=True, eq=False)
class Rollout:
    """T consecutive steps of N environments.

    Attributes:
        obs: name -> [T, N, *obs_shape] raw, the observation before each action. Stacks of frames are a read-only view
            on the frames.
        actions: [T, N, *action_shape] as the environments got them.
        true_rewards: [T, N].
        dones: [T, N] whether the step ended an episode.
        breaks: [T, N] whether what comes next does not go on from the step; in a stream of games none does that.
        render_states: [T, N, S] what it takes to draw each observation, or None.
        oracle_rewards: [T, N] what an oracle compares by, or None where that is the true reward at every step.
        frame_stack: how many frames an observation stacks; 1 where it stacks none.
        game_scores: [G] scores of the Atari games that ended in any of the environments.
        game_steps: [G] steps that each of these games took.
    """

    obs: Observations
    actions: np.ndarray
    true_rewards: np.ndarray
    dones: np.ndarray
    breaks: np.ndarray
    render_states: np.ndarray | None
    oracle_rewards: np.ndarray | None = None
    frame_stack: int = 1
    game_scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    game_steps: np.ndarray = field(default_factory=lambda: np.empty(0))

    def segment(self, env_id: str, env: int, start: int, stop: int) -> Segment:
        """A copy of steps start..stop of one environment: it keeps nothing else alive."""

        def cut(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[start:stop, env].copy()

        true_rewards, oracle_rewards = self.true_rewards[start:stop, env].copy(), cut(self.oracle_rewards)
        if oracle_rewards is not None and np.array_equal(oracle_rewards, true_rewards):
            oracle_rewards = None  # the same steps are the same segment, whatever happened beside them
        return Segment(
            env_id=env_id,
            obs=map_arrays(self.obs, lambda array: self._cut(array[start:stop, env])),
            actions=self.actions[start:stop, env].copy(),
            true_rewards=true_rewards,
            render_states=cut(self.render_states),
            oracle_rewards=oracle_rewards,
        )

    def _cut(self, obs: np.ndarray) -> np.ndarray:
        """A copy of observations, every frame once."""
        if self.frame_stack == 1:
            return obs.copy()
        return stacked(np.concatenate([obs[0], obs[1:, -1]]), self.frame_stack)


class Recorder(VecEnvWrapper):
    """Hides the true reward from the agent: emits 0, and keeps what the reward model needs.

    Sits right under the agent. `take` hands out the steps since the last `take`. Where the VecEnv says that its
    observations are stacks of `frame_stack` frames, each step adds one frame: consecutive observations overlap.
    """

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._frame_stack: int = getattr(venv, "frame_stack", 1)
        self._seen: list[Observations] = []  # observations, or frames, up to the current one
        self._steps: list[tuple] = []
        self._is_stream: bool = getattr(venv, "is_stream", False)
        self._games: list[tuple[float, int]] = []  # score and steps of those that ended
        self._game_steps = np.zeros(venv.num_envs, int)  # of those that go on
        self._actions = np.empty(0)
        self._seconds = 0.0
        self._block, self._filled = np.empty(0, np.uint8), 0
        self._packer = ThreadPoolExecutor(1)
        self._states: Future[np.ndarray] | np.ndarray | None = None

    def reset(self) -> EnvObservations:
        """Starts every episode anew; steps that were not taken are dropped."""
        obs: Any = self.venv.reset()
        self._steps.clear()
        self._games.clear()
        self._game_steps[:] = 0
        self._seen = [map_arrays(_frame(obs, age), np.copy) for age in range(self._frame_stack - 1)]
        self._see(obs)
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        states = self._drawn_from()
        began = time.perf_counter()
        obs, true_rewards, dones, infos = self.venv.step_wait()
        self._seconds += time.perf_counter() - began
        oracle_rewards = true_rewards.copy()
        self._game_steps += 1
        for env, (done, info, true_reward) in enumerate(zip(dones, infos, true_rewards, strict=True)):
            if done:
                refuse_nan(info.get("terminal_observation", 0.0), env)
            if not math.isfinite(true_reward):
                raise PrefrlError(f"environment {env} gave the true reward {true_reward}: mend the environment")
            oracle_rewards[env] = info.get("oracle_reward", true_reward)
            if "game_score" in info:
                self._games.append((info["game_score"], int(self._game_steps[env])))
                self._game_steps[env] = 0
        self._steps.append((self._actions, true_rewards, oracle_rewards, dones, states))
        self._see(obs)
        return obs, np.zeros_like(true_rewards), dones, infos

    def take_seconds(self) -> float:
        """Returns the seconds waited for the environments since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def close(self) -> None:
        self._packer.shutdown()
        super().close()

    def can_be_drawn(self) -> bool:
        """Whether there are states to draw clips from. Starts every environment anew."""
        self.reset()
        return self._states is not None

    def take(self) -> Rollout:
        """The steps since the last `take` or `reset`, [T, N, ...]."""
        actions, true_rewards, oracle_rewards, dones, states = zip(*self._steps, strict=True)
        seen = stack_observations(self._seen[:-1])
        self._steps.clear()
        games, self._games = np.array(self._games, float).reshape(-1, 2), []
        self._seen = self._seen[-self._frame_stack :]
        paid, compared_by = (np.stack(each).astype(np.float32) for each in (true_rewards, oracle_rewards))
        return Rollout(
            obs=seen if self._frame_stack == 1 else map_arrays(seen, self._restacked),
            actions=np.stack(actions),
            true_rewards=paid,
            dones=np.stack(dones),
            breaks=np.stack(dones) & (not self._is_stream),
            render_states=_stacked_states(states),
            oracle_rewards=None if np.array_equal(paid, compared_by) else compared_by,
            frame_stack=self._frame_stack,
            game_scores=games[:, 0],
            game_steps=games[:, 1],
        )

    def get_state(self) -> State | None:
        """State of the environments between two rollouts; None if one cannot give it (`prefrl_envs.snapshots`)."""
        assert not self._steps, "steps that were not taken would be lost"
        venv: Any = self.venv
        state: State | None = venv.get_state()
        if state is None:
            return None
        state = add_prefix("venv.", state) | {"game_steps": self._game_steps.copy()}
        for age, obs in enumerate(self._seen):
            state |= add_prefix(f"seen.{age}.", obs)
        states = self._drawn_from()
        return state if states is None else state | {"render_states": states}

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""
        venv: Any = self.venv
        venv.set_state(under("venv.", state))
        self._steps.clear()
        self._games.clear()
        self._game_steps = state["game_steps"].copy()
        self._seen = []
        for age in range(self._frame_stack):
            parts = under(f"seen.{age}.", state)
            self._seen.append(as_dict(parts.get("", parts)))  # older checkpoints name a lone array ""
        self._states = state.get("render_states")

    def _drawn_from(self) -> np.ndarray | None:
        """[N, S] what draws the current observations, or None."""
        return self._states.result() if isinstance(self._states, Future) else self._states

    def _see(self, obs: Any) -> None:
        """Takes in the current observations: what is new of them, and what draws them.

        Raises:
            PrefrlError: an observation that is not a finite number.
        """
        venv: Any = self.venv  # one of prefrl.vecenv; SB3 knows no render states
        states = venv.render_states()
        # Of a game these are its screens, 100 KB each: they are packed while the agent chooses and the consoles step.
        recorded = states is not None and states.dtype == np.uint8
        self._states = self._packer.submit(screens.pack, states) if recorded else states
        new = as_dict(obs) if self._frame_stack == 1 else _frame(obs, -1)
        copy = map_arrays(new, self._copy)
        for array in copy.values():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                for env, rows in enumerate(array):
                    refuse_nan(rows, env)
        self._seen.append(copy)

    def _restacked(self, frames: np.ndarray) -> np.ndarray:
        """Frames [T + depth - 1, N, ...] as observations [T, N, depth, ...], a view."""
        return np.moveaxis(stacked(frames, self._frame_stack), 1, 2)

    def _copy(self, array: np.ndarray) -> np.ndarray:
        """Floats as float32; frames in blocks.

        Copied one by one, between screens of a megabyte that come and go, they would leave no hole that the next
        screen fits in: 1.4 GB in the 16,384 steps before learning.
        """
        if self._frame_stack == 1:
            return array.astype(np.float32 if array.dtype.kind == "f" else array.dtype)
        if self._filled == len(self._block):
            self._block, self._filled = np.empty((BLOCK, *array.shape), array.dtype), 0
        self._filled += 1
        self._block[self._filled - 1] = array
        return self._block[self._filled - 1]


def refuse_nan(obs: Any, env: int) -> None:
    """Raises PrefrlError where an observation of environment number `env` is not finite throughout."""
    for array in map(np.asarray, as_dict(obs).values()):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise PrefrlError(
                f"environment {env} gave the observation {array[index]} at index {list(index)}; "
                "a reward cannot be learned from it: mend the environment"
            )


class SegmentPool:
    """The most recent segments of a stream of rollouts, at most `capacity_steps` steps of them.

    What a rollout has of an episode, or of a stream, is cut end to end into segments of `clip_steps` steps, from a
    start drawn each time. Steps near a rollout's or an episode's end are so covered less than others. Rollouts shorter
    than a segment are joined: there segments follow one another from where an episode begins.

    Attributes:
        segments: oldest first.
        tails: of each environment the latest steps that are not yet enough for a segment, where rollouts are short.
    """

    def __init__(self, env_id: str, clip_steps: int, capacity_steps: int) -> None:
        self.env_id = env_id
        self.clip_steps = clip_steps
        self.segments: deque[Segment] = deque(maxlen=max(2, capacity_steps // clip_steps))
        self.tails: dict[int, Segment] = {}

    def add(self, rollout: Rollout, rng: np.random.Generator) -> None:
        """Cuts the whole rollout; what is left over at the ends of a long one is not used."""
        num_steps, num_envs = rollout.dones.shape
        for env in range(num_envs):
            ends = [int(end) + 1 for end in np.flatnonzero(rollout.breaks[:, env])]
            bounds = [0, *ends] if ends and ends[-1] == num_steps else [0, *ends, num_steps]
            for first, last in pairwise(bounds):
                if num_steps >= self.clip_steps:
                    self._cut(rollout, env, first, last, rng)
                else:
                    self._join(rollout, env, first, last)

    def _cut(self, rollout: Rollout, env: int, first: int, last: int, rng: np.random.Generator) -> None:
        spare = (last - first) % self.clip_steps
        start = first + int(rng.integers(spare + 1))
        for begin in range(start, last - self.clip_steps + 1, self.clip_steps):
            self.segments.append(rollout.segment(self.env_id, env, begin, begin + self.clip_steps))

    def _join(self, rollout: Rollout, env: int, first: int, last: int) -> None:
        """Continues the environment's tail, and cuts a segment off once it is long enough."""
        steps = rollout.segment(self.env_id, env, first, last)
        tail = join([self.tails.pop(env), steps]) if env in self.tails else steps
        if len(tail) >= self.clip_steps:
            self.segments.append(tail.part(0, self.clip_steps))
            tail = tail.part(self.clip_steps, len(tail))
        if len(tail) and not rollout.breaks[last - 1, env]:
            self.tails[env] = tail


@dataclass
class Games:
    """Atari games that ended while an agent trained; as many again as there are consoles are not finished yet.

    Attributes:
        ended: how many.
        steps: that they took, all together.
    """

    ended: int = 0
    steps: int = 0

    def add(self, rollout: Rollout) -> None:
        self.ended += len(rollout.game_steps)
        self.steps += int(rollout.game_steps.sum())


class EpisodeReturns:
    """Adds up the true and the learned rewards of the episodes that run across rollouts.

    Attributes:
        running: [2, N] of the episodes that go on.
    """

    def __init__(self, num_envs: int) -> None:
        self.running = np.zeros((2, num_envs))

    def add(self, true_rewards: np.ndarray, rewards: np.ndarray, dones: np.ndarray) -> np.ndarray:
        """Three [T, N] -> [E, 2] true and learned return of the E episodes that ended."""
        ended = []
        for true_reward, reward, done in zip(true_rewards, rewards, dones, strict=True):
            self.running += (true_reward, reward)
            ended.append(self.running[:, done].T)
            self.running[:, done] = 0.0
        return np.concatenate(ended)


def _frame(obs: EnvObservations, age: int) -> Observations:
    """One frame [N, ...] of observations [N, depth, ...], 0 for the oldest and -1 for the newest, a view."""
    return map_arrays(as_dict(obs), lambda array: array[:, age])


def _stacked_states(states: tuple[np.ndarray | None, ...]) -> np.ndarray | None:
    """T times [N, S] as [T, N, S]; packed screens are not all as long."""
    there = [each for each in states if each is not None]
    if len(there) < len(states):
        return None
    return screens.stack(there) if there[0].dtype == np.uint8 else np.stack(there)
