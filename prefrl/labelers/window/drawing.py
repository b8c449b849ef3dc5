"""The process that draws: render states in, frames out. MuJoCo's OpenGL stays here, apart from the window's."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Literal

import numpy as np

from prefrl.clips import recorded, renderer
from prefrl.labelers.drawing import become_a_drawing_process
from prefrl.labelers.sizes import FIRST_GUESS, frame_height
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


def serve(connection: Connection, env_id: str, horizon: int | None, on_end: Literal["absorb", "reset"]) -> None:
    """Draws jobs until the other end is closed: the window left, or was killed."""
    become_a_drawing_process()
    pace, height, draw = FIRST_GUESS, 0, None
    with ExitStack() as stack:
        try:
            while True:
                job: Job = connection.recv()
                if (screens := recorded(job.states)) is not None:  # small: the window enlarges them
                    _send_clip(connection, screens, len(screens), (screens.shape[2], screens.shape[1]))
                    continue
                new_height = frame_height(job.shown_height, len(job.states), pace, ASPECT, height or None)
                try:
                    if draw is None or new_height != height:
                        stack.close()
                        width, height = round(new_height * ASPECT), new_height
                        draw = stack.enter_context(renderer(env_id, width, height, horizon, on_end))
                        draw(job.states[:1])  # the first picture sets things up; it says nothing of the pace
                    frames = (draw(state[None]) for state in job.states)
                    pace = _send_clip(connection, frames, len(job.states), (width, height))
                except ValueError as error:
                    connection.send(Drawn(error=str(error)))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass


def _send_clip(connection: Connection, frames: Iterable[np.ndarray], number: int, size: tuple[int, int]) -> float:
    """Frames go out as they are drawn; returns seconds a pixel."""
    began = time.perf_counter()
    connection.send(Drawn(number, size))
    for frame in frames:
        connection.send_bytes(frame.tobytes())
    return (time.perf_counter() - began) / (number * size[0] * size[1])
