"""The process that draws: render states in, WebM out. OpenGL and the simulators stay here, apart from the server."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from typing import Literal

import numpy as np

from prefrl.clips import frames_of, recorded, renderer, shown_fps, webm
from prefrl.labelers.drawing import become_a_drawing_process
from prefrl.labelers.sizes import FIRST_GUESS, frame_height

PIXELS = 480  # width and height of a clip that is drawn, at most


def draw_until_closed(
    connection: Connection, env_id: str, horizon: int | None, on_end: Literal["absorb", "reset"]
) -> None:
    """Says "" when it can draw, or why it cannot; then a clip for each [T, S] of states, until the other end closes."""
    become_a_drawing_process()
    pace, size, fps = FIRST_GUESS, PIXELS, shown_fps(env_id)
    with ExitStack() as stack:
        try:
            draw = stack.enter_context(renderer(env_id, size, size, horizon, on_end))
        except ValueError as error:
            connection.send(str(error))
            return
        connection.send("")
        with suppress(EOFError, BrokenPipeError, ConnectionResetError):
            while True:
                states = connection.recv()
                if recorded(states) is not None:  # nothing is drawn
                    connection.send_bytes(webm(frames_of(states, draw), fps))
                    continue
                fitting = frame_height(PIXELS, len(states), pace, before=size) // 2 * 2  # a video's colours are 2x2
                if fitting != size:
                    stack.close()
                    size = fitting
                    draw = stack.enter_context(renderer(env_id, size, size, horizon, on_end))
                    draw(states[:1])  # the first picture sets things up; it says nothing of the pace
                began = time.perf_counter()
                connection.send_bytes(webm(frames_of(states, draw), fps))
                pace = (time.perf_counter() - began) / (len(states) * size * size)


class DrawingProcess:
    """Draws one clip at a time, for one thread."""

    def __init__(self, env_id: str, horizon: int | None, on_end: Literal["absorb", "reset"]) -> None:
        """Starts the process and waits until it can draw.

        Raises:
            ValueError: nothing draws this environment.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=draw_until_closed, args=(theirs, env_id, horizon, on_end), daemon=True, name="prefrl-clips"
        )
        self._process.start()
        theirs.close()
        try:
            said = self._connection.recv()
        except EOFError:
            said = f"cannot draw {env_id}: the process that draws has died"
        if said:
            self.close()
            raise ValueError(said)

    def __call__(self, states: np.ndarray) -> bytes:
        """[T, S] render states as a WebM.

        Raises:
            EOFError, OSError: the process has died.
        """
        self._connection.send(states)
        return self._connection.recv_bytes()

    def close(self) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.join(timeout=2)
