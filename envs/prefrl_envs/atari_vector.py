"""Batched stepping: N consoles, in as many processes as there are threads to use."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import gymnasium as gym
import numpy as np

from prefrl_envs import screens
from prefrl_envs.atari import OBSERVATION, STACK, boxes_of, first_stacks, next_stacks, penalty_of
from prefrl_envs.batch import BatchStep
from prefrl_envs.consoles import Consoles, RemoteConsoles, Seen
from prefrl_envs.snapshots import State, add_prefix, under
from prefrl_envs.suite import entry
from prefrl_envs.task import TaskConfig


def atari_batch(task: TaskConfig, num_envs: int, threads: int, practice: bool) -> AtariBatch:
    """The vector environment of a game, which begins alike whether an agent learns in it or not."""
    return AtariBatch(task.id, num_envs, threads, task.horizon, **task.arguments())


class AtariBatch:
    """N consoles with one game, equal bit for bit to N `AtariGame` with the same seeds.

    ALE's own vector environment would be simpler, and as fast (benchmarks/atari_frames.py), but it gives no state
    away: a run that is resumed could not go on in the middle of its games.

    Args:
        env_id: id of a game, e.g. "prefrl/Pong-v0".
        num_envs: N.
        num_threads: processors that play, each a part of the consoles; 0 takes all.
        horizon: steps of an episode, None for the suite's.
        boxes, end_penalty, show_score: as `AtariGame` has them.
    """

    frame_stack = STACK
    is_stream = True
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
        if row.entry_point != "prefrl_envs.atari:AtariGame":
            raise ValueError(f"{env_id} is not a game played for its score: only those are stepped as a batch")
        game = row.kwargs["game"]
        number = min(num_threads or os.cpu_count() or 1, num_envs)
        parts = [len(part) for part in np.array_split(np.arange(num_envs), number)]
        probe = Consoles(game, 1, (), False)
        height, width, _ = probe.screen_shape
        self.boxes = boxes_of(game, boxes, (height, width))
        self.end_penalty = penalty_of(game, end_penalty)
        self.show_score = show_score
        self.num_envs, self.horizon = num_envs, row.horizon if horizon is None else horizon
        self.observation_space, self.action_space = OBSERVATION, gym.spaces.Discrete(probe.num_actions)
        cv2.setNumThreads(1)  # OpenCV's own would get into the way of the agent's
        self._parts: list[Consoles | RemoteConsoles] = [Consoles(game, parts[0], self.boxes, show_score)]
        self._parts += [RemoteConsoles(game, size, self.boxes, show_score, probe.screen_shape) for size in parts[1:]]
        bounds = np.cumsum([0, *parts])
        self._rows = [slice(*pair) for pair in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
        self._screen_shape = probe.screen_shape
        self._started = np.zeros(num_envs, dtype=bool)
        self._seen = self._room()
        self._stacks = np.zeros((num_envs, *OBSERVATION.shape), np.uint8)
        self._elapsed = 0
        self._drawn = np.random.default_rng()  # seeds for consoles that nobody gives one

    def reset(self, seeds: Sequence[int | None] | None = None) -> np.ndarray:
        """Starts episodes: [N, 4, 84, 84] observations.

        Args:
            seeds: one per console, which starts a game; without one, the stream goes on where it is.
        """
        self._elapsed = 0
        given = list(seeds or [None] * self.num_envs)
        for i in np.flatnonzero(~self._started):
            if given[i] is None:
                given[i] = int(self._drawn.integers(2**31))
        fresh = np.array([seed is not None for seed in given])
        if fresh.any():
            self._start(fresh, given)
        return self._stacks

    def step(self, actions: np.ndarray) -> BatchStep:
        """One step of every console.

        Args:
            actions: [N] from 0.

        Raises:
            PrefrlError: an action that the game does not have.
        """
        self._check(actions)
        self._seen = self._room()
        mine, *others = zip(self._parts, self._rows, strict=True)
        for part, rows in [*others, mine]:  # the others first: they play beside this process
            part.begin(actions[rows].tolist(), self._of(rows))
        played = [each for part, rows in [mine, *others] for each in part.finish(self._of(rows))]
        self._stacks = next_stacks(self._stacks, self._seen.frames)
        true_rewards = np.array([each.score for each in played])
        lost = np.array([each.lost for each in played])
        scores = [np.nan if each.game_score is None else each.game_score for each in played]
        self._elapsed += 1
        over = self._elapsed >= self.horizon
        if over:
            self._elapsed = 0
        return BatchStep(
            self._stacks,
            true_rewards,
            np.full(self.num_envs, over),
            terminal_obs=self._stacks if over else None,  # the stream goes on with them
            oracle_rewards=true_rewards - self.end_penalty * lost,
            game_scores=np.array(scores),
        )

    def render_states(self) -> np.ndarray:
        """[N, H, W, 3] the color screens of the current observations: what a person sees."""
        return self._seen.screens

    @property
    def other_cpu_seconds(self) -> float:
        """Processor time that the other processes have taken."""
        return sum(part.cpu_seconds for part in self._parts if isinstance(part, RemoteConsoles))

    def get_state(self) -> State:
        """State on which the next steps depend, and the observations; see `prefrl_envs.snapshots`."""
        state = {
            "stacks": self._stacks.copy(),
            "screens": screens.pack(self._seen.screens),
            "elapsed_steps": np.array(self._elapsed),
        }
        for part, rows in zip(self._parts, self._rows, strict=True):
            for name, array in part.get_state().items():
                row, _, field = name.partition(".")
                state[f"console.{rows.start + int(row)}.{field}"] = array
        return state

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`, for any number of threads."""
        self._stacks, self._elapsed = state["stacks"].copy(), int(state["elapsed_steps"])
        self._seen = self._room()
        self._seen.screens[:] = [screens.unpack(packed) for packed in state["screens"]]
        self._started[:] = True
        for part, rows in zip(self._parts, self._rows, strict=True):
            consoles: State = {}
            for row in range(rows.stop - rows.start):
                consoles |= add_prefix(f"{row}.", under(f"console.{rows.start + row}.", state))
            part.set_state(consoles)

    def env(self, _: int) -> AtariBatch:
        """The object whose attributes a copy shows: the consoles themselves live in other processes."""
        return self

    def close(self) -> None:
        for part in self._parts:
            part.close()

    def _start(self, fresh: np.ndarray, seeds: list[int | None]) -> None:
        """Starts a game on the consoles `fresh` [N]."""
        seen, self._seen = self._seen, self._room()
        self._seen.screens[~fresh] = seen.screens[~fresh]
        for part, rows in zip(self._parts, self._rows, strict=True):
            part.start(seeds[rows], self._of(rows))
        self._stacks = np.where(fresh[:, None, None, None], first_stacks(self._seen.frames), self._stacks)
        self._started |= fresh

    def _room(self) -> Seen:
        """Room for what is seen of a step: what was handed out before stays as it is."""
        frames = np.empty((self.num_envs, *OBSERVATION.shape[1:]), np.uint8)
        return Seen(np.empty((self.num_envs, *self._screen_shape), np.uint8), frames)

    def _of(self, rows: slice) -> Seen:
        """The part of what is seen that some consoles write."""
        return Seen(self._seen.screens[rows], self._seen.frames[rows])

    def _check(self, actions: np.ndarray) -> None:
        strange = (actions < 0) | (actions >= self.action_space.n)
        if strange.any():
            raise ValueError(f"action {actions[strange][0]}: this game has the actions 0 to {self.action_space.n - 1}")
