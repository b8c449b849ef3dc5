"""Batched stepping: N consoles in C++ threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import gymnasium as gym
import numpy as np
from ale_py import AtariVectorEnv
from gymnasium.vector import AutoresetMode

from prefrl_envs.atari import (
    FRAME_SKIP,
    MAX_FRAMES,
    MAX_NOOPS,
    OBSERVATION,
    STACK,
    agent_frames,
    boxes_of,
    first_stacks,
    load,
    next_stacks,
    paint_over,
    penalty_of,
)
from prefrl_envs.games import roms
from prefrl_envs.suite import entry


class GameStep(NamedTuple):
    """One step of N games.

    Attributes:
        obs: [N, 4, 84, 84] uint8.
        true_rewards: [N] change of the score, unclipped.
        oracle_rewards: [N] the same, less the penalty at a game's end.
        game_scores: [N] score of the game that ended in this step, NaN where none did.
        truncated: [N] whether the horizon was reached, for all at once.
    """

    obs: np.ndarray
    true_rewards: np.ndarray
    oracle_rewards: np.ndarray
    game_scores: np.ndarray
    truncated: np.ndarray


class _Consoles(AtariVectorEnv):
    """ALE's, which otherwise writes its autoreset mode into the metadata of the class, for the whole process."""

    def __init__(self, game: str, num_envs: int, **options: Any) -> None:
        self.metadata = dict(type(self).metadata)
        super().__init__(game, num_envs, **options)


class AtariBatch:
    """N consoles with one game, equal bit for bit to N `AtariGame` with the same seeds.

    ALE gives whole colour screens here, the maximum over two frames taken; they are painted over, made grey and small
    by as many threads as step them, and stacked without a break at a game's end. ALE's own small grey stacks are about
    a sixth faster (benchmarks/results/atari_frames.json), but there is no colour left in them for a person to see.

    Args:
        env_id: id of a game, e.g. "prefrl/Pong-v0".
        num_envs: N.
        num_threads: threads that step, and make screens small; 0 takes every processor.
        horizon: steps of an episode, None for the suite's.
        boxes, end_penalty, show_score: as `AtariGame` has them.
    """

    frame_stack = STACK
    render_mode = None

    def __init__(
        self,
        env_id: str,
        num_envs: int,
        num_threads: int = 1,
        horizon: int | None = None,
        boxes: str | Sequence[Sequence] = "default",
        end_penalty: float | None = None,
        show_score: bool = False,
    ) -> None:
        row = entry(env_id)
        if row.game is None or not row.scored:
            raise ValueError(f"{env_id} is not a game played for its score: only those are stepped as a batch")
        game = row.game
        height, width = load(game).getScreenDims()
        self.boxes = boxes_of(game, boxes, (height, width))
        self.end_penalty = penalty_of(game, end_penalty)
        self.show_score = show_score
        self.num_envs, self.horizon = num_envs, row.horizon if horizon is None else horizon
        self._consoles = _Consoles(
            roms()[game], num_envs, num_threads=num_threads, frameskip=FRAME_SKIP, maxpool=True,
            img_height=height, img_width=width, grayscale=False, stack_num=1, noop_max=MAX_NOOPS + 1,
            use_fire_reset=False, reward_clipping=False, episodic_life=False, repeat_action_probability=0.0,
            max_num_frames_per_episode=MAX_FRAMES, autoreset_mode=AutoresetMode.SAME_STEP,
        )  # fmt: skip
        self.observation_space, self.action_space = (
            OBSERVATION,
            gym.spaces.Discrete(len(self._consoles.ale.get_action_set())),
        )
        self._parts = min(num_threads or os.cpu_count() or 1, num_envs)
        self._pool = ThreadPoolExecutor(max(self._parts - 1, 1))
        cv2.setNumThreads(1)  # OpenCV's own, for the whole process, would get into these threads' way
        self._started = np.zeros(num_envs, dtype=bool)
        self._stacks = np.zeros((num_envs, *OBSERVATION.shape), np.uint8)
        self._scores = np.zeros(num_envs)
        self._elapsed = 0

    def reset(self, seeds: Sequence[int | None] | None = None) -> np.ndarray:
        """Starts episodes: [N, 4, 84, 84] observations.

        Args:
            seeds: one per console, which starts a game; without one, the stream goes on where it is.
        """
        self._elapsed = 0
        given = list(seeds or [None] * self.num_envs)
        fresh = ~self._started | np.array([seed is not None for seed in given])
        if fresh.any():
            self._start(fresh, given)
        return self._stacks

    def step(self, actions: np.ndarray) -> GameStep:
        """One step of every console.

        Args:
            actions: [N] from 0.

        Raises:
            ValueError: an action that the game does not have.
        """
        self._check(actions)
        screens, rewards, terminated, truncated, _ = self._consoles.step(actions)
        self._stacks = next_stacks(self._stacks, self._seen(screens[:, 0]))
        true_rewards = rewards.astype(np.float64)
        self._scores += true_rewards
        ended = terminated | truncated
        game_scores = np.where(ended, self._scores, np.nan)
        self._scores[ended] = 0.0
        self._elapsed += 1
        over = self._elapsed >= self.horizon
        if over:
            self._elapsed = 0
        oracle_rewards = true_rewards - self.end_penalty * terminated
        return GameStep(self._stacks, true_rewards, oracle_rewards, game_scores, np.full(self.num_envs, over))

    def render_states(self) -> np.ndarray:
        """[N, H, W, 3] the colour screens of the current observations: what a person sees."""
        return self._shown

    def env(self, _: int) -> AtariBatch:
        """Where attributes of a copy are looked for: the consoles are in C++, and out of reach."""
        return self

    def close(self) -> None:
        self._consoles.close()
        self._pool.shutdown()

    def _start(self, fresh: np.ndarray, seeds: list[int | None]) -> None:
        """Starts a game on the consoles `fresh` [N]."""
        drawn = np.random.default_rng().integers(2**31, size=self.num_envs)  # for those that nobody gave a seed
        chosen = np.array([int(new) if seed is None else seed for seed, new in zip(seeds, drawn, strict=True)])
        screens, _ = self._consoles.reset(seed=chosen[fresh], options={"reset_mask": fresh})
        frames = self._seen(screens[:, 0])
        self._stacks = np.where(fresh[:, None, None, None], first_stacks(frames), self._stacks)
        self._scores[fresh] = 0.0
        self._started |= fresh

    def _seen(self, screens: np.ndarray) -> np.ndarray:
        """[N, 84, 84] what the agents see of screens; keeps what a person sees."""
        self._shown = screens.copy() if self.show_score else screens
        mine, *others = np.array_split(screens, self._parts)  # the first here: another thread has to be woken for each
        watched = [self._pool.submit(self._watch, part) for part in others]
        return np.concatenate([self._watch(mine), *(each.result() for each in watched)])

    def _watch(self, screens: np.ndarray) -> np.ndarray:
        """The same of some of the screens, painted over in place."""
        paint_over(screens, self.boxes)
        return agent_frames(screens)

    def _check(self, actions: np.ndarray) -> None:
        """ALE's threads would wait for ever after an action that they do not know."""
        strange = (actions < 0) | (actions >= self.action_space.n)
        if strange.any():
            raise ValueError(f"action {actions[strange][0]}: this game has the actions 0 to {self.action_space.n - 1}")
