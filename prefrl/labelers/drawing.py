"""The process that draws clips, shared by the window and the page."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from prefrl_envs.task import TaskConfig

from prefrl.clips import Draw, renderer
from prefrl.labelers.sizes import FIRST_GUESS, frame_height

NICENESS = 10  # a trainer on the same machine goes first; at 19 a person waited for clips


def become_a_drawing_process() -> None:
    """Leaves Ctrl-C to the parent, yields to trainers, and has MuJoCo draw without a display.

    To be called before a simulator is loaded, which is when MUJOCO_GL is read.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent then closes the connection, which ends this process
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")


class PacedRenderer:
    """Draws clips as large as they are shown, and smaller where that takes too long; a context manager, for one thread.

    Args:
        task: that the clips come from.
        aspect: of a frame, width to height.

    Attributes:
        size: width and height of the frames that it draws now.
    """

    size = (0, 0)

    def __init__(self, task: TaskConfig, aspect: float = 1.0) -> None:
        self._task, self._aspect = task, aspect
        self._stack, self._pace = ExitStack(), FIRST_GUESS

    def open(self, height: int) -> None:
        """Gets ready to draw frames of this height.

        Raises:
            PrefrlError: nothing draws this environment.
        """
        self._stack.close()
        self.size = 0, 0
        width = round(height * self._aspect)
        self._draw = self._stack.enter_context(renderer(self._task, width, height))
        self.size = width, height

    @contextmanager
    def clip(self, states: np.ndarray, shown: int) -> Iterator[Draw]:
        """Yields a function that draws the states [T, S] of a clip, at most `shown` pixels high.

        Raises:
            PrefrlError: nothing draws this environment.
        """
        height = frame_height(shown, len(states), self._pace, self._aspect, before=self.size[1] or None)
        height -= height % 2  # a video's colors are 2x2
        if height != self.size[1]:
            self.open(height)
            self._draw(states[:1])  # the first picture sets things up; it says nothing of the pace
        began = time.perf_counter()
        yield self._draw
        self._pace = (time.perf_counter() - began) / (len(states) * self.size[0] * self.size[1])

    def __enter__(self) -> PacedRenderer:
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()
