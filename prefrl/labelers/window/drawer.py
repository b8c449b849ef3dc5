"""Clips, drawn ahead: what is needed soon is asked of the drawing process, in the order of need."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from prefrl_envs.task import TaskConfig

from prefrl.core.errors import PrefrlError
from prefrl.labelers.window.clip import Clip, ScreenClip
from prefrl.labelers.window.drawing import Drawn, Job, serve
from prefrl.segments import Segment


class Drawer:
    """Has clips of segments drawn in another process, and holds those that are wanted.

    Args:
        task: that the segments come from.
        on_drawn: called in a thread of the drawer's whenever a clip is there.
    """

    def __init__(self, task: TaskConfig, on_drawn: Callable[[], None] = lambda: None) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share the window's connection to the display
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, task), daemon=True)
        self._process.start()
        theirs.close()
        self._on_drawn = on_drawn
        self._clips: dict[str, Clip] = {}
        self._wanted: list[Segment] = []
        self._height, self._error, self._closed = 1, "", False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._draw_wanted, daemon=True)
        self._thread.start()

    def want(self, segments: Sequence[Segment], height: int) -> None:
        """Says which clips are needed, the most urgent first, and how high they are shown; others are forgotten."""
        wanted = {segment.id for segment in segments}
        if (self._wanted, self._height) == (list(segments), height):
            return
        with self._changed:
            self._wanted, self._height = list(segments), height
            self._clips = {name: clip for name, clip in self._clips.items() if name in wanted}
            self._changed.notify()

    def clip(self, segment: Segment) -> Clip | None:
        """The clip of a segment, or None while it is being drawn.

        Raises:
            PrefrlError: nothing draws it.
        """
        if self._error:
            raise PrefrlError(self._error)
        return self._clips.get(segment.id)

    def close(self) -> None:
        """Ends the drawing process."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._process.terminate()
        self._thread.join(timeout=2)
        self._process.join(timeout=2)
        self._connection.close()

    def _next(self) -> tuple[Segment, int] | None:
        """The most urgent clip that is missing; waits for one."""
        with self._changed:
            while not self._closed:
                missing = next((segment for segment in self._wanted if segment.id not in self._clips), None)
                if missing is not None and not self._error:
                    return missing, self._height
                self._changed.wait()
        return None

    def _draw_wanted(self) -> None:
        while (job := self._next()) is not None:
            segment, height = job
            try:
                self._hold(segment, _drawn(self._connection, segment, height))
            except (EOFError, OSError):
                self._error = "" if self._closed else "the process that draws the clips has died"
            except PrefrlError as error:
                self._error = str(error)
            self._on_drawn()

    def _hold(self, segment: Segment, clip: Clip) -> None:
        with self._changed:
            if any(segment.id == wanted.id for wanted in self._wanted):
                self._clips[segment.id] = clip


def _drawn(connection: Connection, segment: Segment, height: int) -> Clip:
    if segment.render_states is None:
        raise PrefrlError(f"segments of {segment.env_id} keep nothing to draw them by; nobody can look at them")
    connection.send(Job(segment.render_states, height))
    answer: Drawn = connection.recv()
    if answer.error:
        raise PrefrlError(answer.error)
    kind = ScreenClip if segment.recorded else Clip
    return kind([connection.recv_bytes() for _ in range(answer.frames)], answer.size)
