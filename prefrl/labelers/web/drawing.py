"""The process that draws: render states in, WebM out. OpenGL and the simulators stay here, apart from the server."""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from multiprocessing.connection import Connection

import numpy as np
from prefrl_envs.task import TaskConfig

from prefrl.clips import CELL, enlarged, recorded, shown_fps, webm
from prefrl.core.errors import PrefrlError
from prefrl.labelers.drawing import PacedRenderer, become_a_drawing_process

PIXELS = 480  # width and height of a clip that is drawn, at most


def draw_until_closed(connection: Connection, task: TaskConfig) -> None:
    """Says "" when it can draw, or why it cannot; then a clip for each [T, S] of states, until the other end closes."""
    become_a_drawing_process()
    fps = shown_fps(task.id)
    with PacedRenderer(task) as paced:
        try:
            paced.open(PIXELS)
        except PrefrlError as error:
            connection.send(str(error))
            return
        connection.send("")
        with suppress(EOFError, BrokenPipeError, ConnectionResetError):
            while True:
                states = connection.recv()
                if (screens := recorded(states)) is not None:
                    connection.send_bytes(webm(enlarged(screens, *CELL), fps))
                    continue
                with paced.clip(states, PIXELS) as draw:
                    connection.send_bytes(webm(draw(states), fps))


class DrawingProcess:
    """Draws one clip at a time, for one thread."""

    def __init__(self, task: TaskConfig) -> None:
        """Starts the process and waits until it can draw.

        Raises:
            PrefrlError: nothing draws this environment.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=draw_until_closed, args=(theirs, task), daemon=True, name="prefrl-clips")
        self._process.start()
        theirs.close()
        try:
            said = self._connection.recv()
        except EOFError:
            said = f"cannot draw {task.id}: the process that draws has died"
        if said:
            self.close()
            raise PrefrlError(said)

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
