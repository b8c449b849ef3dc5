"""Render states to frames, in an environment of its own."""

from __future__ import annotations

import numpy as np

from prefrl_envs.drawing import drawing_of
from prefrl_envs.errors import PrefrlError
from prefrl_envs.task import TaskConfig
from prefrl_envs.wrappers import plain_env


class Renderer:
    """Draws render states of a task, in an environment of its own; a context manager.

    Use it in the thread that made it: it holds an OpenGL context.

    Args:
        task: that the states come from. How long its episodes are does not change what is seen.
        width, height: of the frames, in pixels.

    Raises:
        PrefrlError: nothing draws this environment.
    """

    def __init__(self, task: TaskConfig, width: int = 256, height: int = 256) -> None:
        self._env = plain_env(task, render_mode="rgb_array")
        self._env.reset(seed=0)
        drawing = drawing_of(self._env)
        if drawing is None:
            raise PrefrlError(f"nothing draws {task.id}: it has no MuJoCo state and no numeric `state` with rgb_array")
        self._drawing = drawing(self._env, width, height)

    def draw(self, states: np.ndarray) -> np.ndarray:
        """States [T, S], or recorded screens [T, H', W', 3], packed or not, to frames [T, H, W, 3] uint8."""
        return np.stack([self._drawing.draw(state) for state in states])

    def close(self) -> None:
        self._drawing.close()
        self._env.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
