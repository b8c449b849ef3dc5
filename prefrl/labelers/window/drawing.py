"""The process that draws: render states in, frames out. MuJoCo's OpenGL stays here, apart from the window's."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
from prefrl_envs.task import TaskConfig

from prefrl.clips import recorded
from prefrl.core.errors import PrefrlError
from prefrl.labelers.drawing import PacedRenderer, become_a_drawing_process
from prefrl.labelers.window.layout import ASPECT


@dataclass(frozen=True)
class Job:
    """A clip to draw.

    Attributes:
        states: [T, S] render states.
        shown_height: of the clip in the window, in pixels.
    """

    states: np.ndarray
    shown_height: int


@dataclass(frozen=True)
class Drawn:
    """Says what follows: `frames` messages of raw RGB, or none and why."""

    frames: int = 0
    size: tuple[int, int] = (0, 0)
    error: str = ""


def serve(connection: Connection, task: TaskConfig) -> None:
    """Draws jobs until the other end is closed: the window left, or was killed."""
    become_a_drawing_process()
    with (
        PacedRenderer(task, ASPECT) as paced,
        suppress(EOFError, BrokenPipeError, ConnectionResetError),
    ):
        while True:
            job: Job = connection.recv()
            if (screens := recorded(job.states)) is not None:  # small: the window enlarges them
                _send_clip(connection, screens, len(screens), (screens.shape[2], screens.shape[1]))
                continue
            try:
                with paced.clip(job.states, job.shown_height) as draw:
                    frames = (draw(state[None]) for state in job.states)
                    _send_clip(connection, frames, len(job.states), paced.size)
            except PrefrlError as error:
                connection.send(Drawn(error=str(error)))


def _send_clip(connection: Connection, frames: Iterable[np.ndarray], number: int, size: tuple[int, int]) -> None:
    """Frames go out as they are drawn."""
    connection.send(Drawn(number, size))
    for frame in frames:
        connection.send_bytes(frame.tobytes())
