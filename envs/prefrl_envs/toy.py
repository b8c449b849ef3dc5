"""Tasks small enough to reason about by hand: the best return of each is known, and a test reaches it.

Every start is equally far from the goal, so that the best return is the same in every episode.
Each covers a kind of space: Box and Box, Box and Discrete, image and Discrete, Dict and MultiDiscrete.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from prefrl_envs.snapshots import State, generator_state, set_generator_state

_GREEN, _BLUE, _DARK, _LIGHT = (60, 160, 90), (50, 90, 200), (60, 60, 70), (235, 235, 235)
_SIDE = 128  # pixels of a frame
_METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}


class Toy(gym.Env, ABC):
    """The common part of the toys: the state is complete, episodes never end early, and a frame shows the state.

    Subclasses start, move and pay; `state` is what it takes to draw the current observation.
    """

    metadata = _METADATA
    state: np.ndarray

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple:
        super().reset(seed=seed)
        self.state = self.start()
        return self.observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.state = self.moved(action)
        true_reward = float(self.true_reward())
        return self.observation(), true_reward, False, False, {"true_reward": true_reward}

    def get_state(self) -> State:
        """State on which the next steps depend; see `prefrl_envs.snapshots`."""
        return {"state": self.state.copy(), "generator": generator_state(self.np_random)}

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""
        self.state = state["state"].copy()
        set_generator_state(self.np_random, state["generator"])

    def render(self) -> np.ndarray:
        """[H, W, 3] uint8."""
        frame = np.full((_SIDE, _SIDE, 3), _LIGHT, np.uint8)
        self.draw(frame)
        return frame

    @abstractmethod
    def start(self) -> np.ndarray:
        """The first state of an episode."""

    @abstractmethod
    def moved(self, action: Any) -> np.ndarray:
        """The state after an action."""

    @abstractmethod
    def true_reward(self) -> float:
        """The reward of the state."""

    @abstractmethod
    def observation(self) -> Any:
        """The observation of the state."""

    @abstractmethod
    def draw(self, frame: np.ndarray) -> None:
        """Draws the state into a frame [H, W, 3]."""


class PointGoal(Toy):
    """A point in the plane, 0.05 per step and coordinate at most, starts 1 from the goal in the middle.

    Distances are the larger of the two coordinates'; the true reward is minus the distance.
    """

    SPEED = 0.05

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def start(self) -> np.ndarray:
        point = self.np_random.uniform(-1.0, 1.0, 2)
        return point / np.abs(point).max()

    def moved(self, action: np.ndarray) -> np.ndarray:
        return np.clip(self.state + self.SPEED * np.clip(action, -1.0, 1.0), -1.0, 1.0)

    def true_reward(self) -> float:
        return -np.abs(self.state).max()

    def observation(self) -> np.ndarray:
        return self.state.astype(np.float32)

    def draw(self, frame: np.ndarray) -> None:
        _square(frame, 0.5, 0.5, _GREEN)
        _square(frame, 0.5 + 0.45 * self.state[0], 0.5 - 0.45 * self.state[1], _BLUE)

    @staticmethod
    def best_return(horizon: int = 50) -> float:
        """Straight to the goal: -(0.95 + 0.90 + ... + 0.05 + 0 + ...), -9.5 from 20 steps on."""
        return -sum(max(0.0, 1.0 - PointGoal.SPEED * step) for step in range(1, horizon + 1))


class ChainWalk(Toy):
    """Ten cells in a row; left or right from the first; the true reward is the share of the way walked."""

    CELLS = 10

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = spaces.Box(0.0, 1.0, (self.CELLS,), np.float32)
        self.action_space = spaces.Discrete(2)  # left, right

    def start(self) -> np.ndarray:
        return np.zeros(1)

    def moved(self, action: int) -> np.ndarray:
        return np.clip(self.state + (1 if action == 1 else -1), 0, self.CELLS - 1)

    def true_reward(self) -> float:
        return self.state[0] / (self.CELLS - 1)

    def observation(self) -> np.ndarray:
        return (np.arange(self.CELLS) == self.state[0]).astype(np.float32)

    def draw(self, frame: np.ndarray) -> None:
        for cell in range(self.CELLS):
            _square(frame, (cell + 0.5) / self.CELLS, 0.5, _BLUE if cell == self.state[0] else _DARK, 0.04)
        _square(frame, (self.CELLS - 0.5) / self.CELLS, 0.62, _GREEN, 0.04)

    @staticmethod
    def best_return(horizon: int = 40) -> float:
        """Always right: 1/9 + 2/9 + ... + 1 + 1 + ..., 36 in 40 steps."""
        last = ChainWalk.CELLS - 1
        return sum(min(step, last) / last for step in range(1, horizon + 1))


class PixelGoal(Toy):
    """A white cell in a 6x6 picture, moved towards the grey one in the opposite corner, 10 moves away.

    The picture is 36x36 pixels, the smallest that SB3's CNN takes. The true reward is minus the moves left.
    """

    CELLS, SCALE = 6, 6
    _MOVES = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])  # stay, up, down, left, right

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        side = self.CELLS * self.SCALE
        self.observation_space = spaces.Box(0, 255, (side, side, 1), np.uint8)
        self.action_space = spaces.Discrete(5)

    def start(self) -> np.ndarray:
        corner = self.np_random.integers(0, 2, 2) * (self.CELLS - 1)
        return np.concatenate([corner, self.CELLS - 1 - corner]).astype(np.float64)

    def moved(self, action: int) -> np.ndarray:
        cell = np.clip(self.state[:2] + self._MOVES[action], 0, self.CELLS - 1)
        return np.concatenate([cell, self.state[2:]])

    def true_reward(self) -> float:
        return -np.abs(self.state[:2] - self.state[2:]).sum()

    def observation(self) -> np.ndarray:
        return np.repeat(np.repeat(self._cells(), self.SCALE, 0), self.SCALE, 1)[..., None]

    def draw(self, frame: np.ndarray) -> None:
        nearest = np.arange(_SIDE) * self.CELLS // _SIDE
        frame[:] = self._cells()[nearest][:, nearest, None]

    def _cells(self) -> np.ndarray:
        cells = np.zeros((self.CELLS, self.CELLS), np.uint8)
        row, column, goal_row, goal_column = self.state.astype(int)
        cells[goal_row, goal_column] = 128
        cells[row, column] = 255
        return cells

    @staticmethod
    def best_return(horizon: int = 25) -> float:
        """Straight to the goal: -(9 + 8 + ... + 1 + 0 + ...), -45 from 10 steps on."""
        return -float(sum(max(0, 10 - step) for step in range(1, horizon + 1)))


class TwoDials(Toy):
    """Two dials from 0 to 10, each turned a notch down, not at all or up, from 5 to a target at 0 or 10.

    The true reward is minus the mean distance of the dials from their targets, in notches.
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        pair = spaces.Box(0.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict({"dials": pair, "targets": pair})
        self.action_space = spaces.MultiDiscrete([3, 3])  # down, stay, up

    def start(self) -> np.ndarray:
        return np.concatenate([[5.0, 5.0], 10.0 * self.np_random.integers(0, 2, 2)])

    def moved(self, action: np.ndarray) -> np.ndarray:
        return np.concatenate([np.clip(self.state[:2] + np.asarray(action) - 1, 0, 10), self.state[2:]])

    def true_reward(self) -> float:
        return -np.abs(self.state[:2] - self.state[2:]).mean()

    def observation(self) -> dict[str, np.ndarray]:
        scaled = (self.state / 10.0).astype(np.float32)
        return {"dials": scaled[:2], "targets": scaled[2:]}

    def draw(self, frame: np.ndarray) -> None:
        for dial in range(2):
            x = 0.3 + 0.4 * dial
            frame[_SIDE // 10 : _SIDE * 9 // 10, int(x * _SIDE) - 1 : int(x * _SIDE) + 2] = _DARK
            _square(frame, x, 0.9 - 0.08 * self.state[2 + dial], _GREEN)
            _square(frame, x, 0.9 - 0.08 * self.state[dial], _BLUE, 0.04)

    @staticmethod
    def best_return(horizon: int = 20) -> float:
        """Both dials straight to their targets: -(4 + 3 + 2 + 1 + 0 + ...), -10 from 5 steps on."""
        return -float(sum(max(0, 5 - step) for step in range(1, horizon + 1)))


def _square(frame: np.ndarray, x: float, y: float, color: tuple[int, int, int], half: float = 0.05) -> None:
    """Fills a square around (x, y), all in shares of the frame's side, from the top left."""
    top, left = max(0, int((y - half) * _SIDE)), max(0, int((x - half) * _SIDE))
    frame[top : int((y + half) * _SIDE), left : int((x + half) * _SIDE)] = color
