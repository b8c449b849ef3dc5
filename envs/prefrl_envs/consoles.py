"""Some consoles with the same game, played one after the other: here, or in a process of their own.

ALE holds Python's lock while it emulates, so that threads take turns. A second process does not: it writes what it sees
into memory that both share, and says the rest, a line of JSON a step, through pipes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from prefrl_envs.atari import SIZE, Console, Played, agent_frames, paint_over
from prefrl_envs.games import Box
from prefrl_envs.snapshots import State, add_prefix, under


class Seen(NamedTuple):
    """The output of K consoles.

    Attributes:
        screens: [K, H, W, 3] in color, as people see them.
        frames: [K, 84, 84] as agents see them.
    """

    screens: np.ndarray
    frames: np.ndarray


class Consoles:
    """K consoles of this process.

    Args:
        game: as in its id, e.g. "BeamRider".
        number: K.
        boxes: what is painted over.
        show_score: whether people see it all the same.
    """

    def __init__(self, game: str, number: int, boxes: Sequence[Box], show_score: bool) -> None:
        self._consoles = [Console(game) for _ in range(number)]
        self._boxes, self._show_score = boxes, show_score
        self._played: list[Played] = []

    @property
    def screen_shape(self) -> tuple[int, int, int]:
        return self._consoles[0].screen_shape

    @property
    def num_actions(self) -> int:
        return self._consoles[0].num_actions

    def start(self, seeds: Sequence[int | None], seen: Seen) -> None:
        """Starts a game on every console that is given a seed, and writes what these show into `seen`."""
        for row, (console, seed) in enumerate(zip(self._consoles, seeds, strict=True)):
            if seed is not None:
                console.seed(seed)
                console.start(seen.screens[row])
                self._look(Seen(seen.screens[row : row + 1], seen.frames[row : row + 1]))

    def begin(self, actions: Sequence[int], seen: Seen) -> None:
        """One step of every console; what they show is written into `seen`."""
        self._played = [
            console.play(action, screen)
            for console, action, screen in zip(self._consoles, actions, seen.screens, strict=True)
        ]
        self._look(seen)

    def finish(self, seen: Seen) -> list[Played]:
        """Returns the result of the step that was begun, on every console."""
        return self._played

    def get_state(self) -> State:
        """State of all consoles; see `prefrl_envs.snapshots`."""
        return {
            name: array
            for row, console in enumerate(self._consoles)
            for name, array in add_prefix(f"{row}.", console.get_state()).items()
        }

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""
        for row, console in enumerate(self._consoles):
            console.set_state(under(f"{row}.", state))

    def close(self) -> None: ...

    def _look(self, seen: Seen) -> None:
        painted = seen.screens.copy() if self._show_score else seen.screens
        paint_over(painted, self._boxes)
        seen.frames[:] = agent_frames(painted)


class RemoteConsoles:
    """The same in a process of their own, which ends with this one.

    Attributes:
        cpu_seconds: of processor time that the other process has taken.
    """

    cpu_seconds = 0.0

    def __init__(self, game: str, number: int, boxes: Sequence[Box], show_score: bool, screen_shape: Sequence[int]):
        descriptor, self._file = tempfile.mkstemp(prefix="prefrl-consoles-")
        os.truncate(descriptor, _bytes(number, screen_shape))
        os.close(descriptor)
        self._shared = _shared(self._file, number, screen_shape)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "prefrl_envs.consoles"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment,
        )  # fmt: skip
        self._tell({"game": game, "number": number, "boxes": boxes, "show_score": show_score, "file": self._file})

    def start(self, seeds: Sequence[int | None], seen: Seen) -> None:
        self._tell({"start": list(seeds)})
        self._hear()
        for row, seed in enumerate(seeds):
            if seed is not None:
                seen.screens[row], seen.frames[row] = self._shared.screens[row], self._shared.frames[row]

    def begin(self, actions: Sequence[int], seen: Seen) -> None:
        """Returns at once: the other process plays meanwhile."""
        self._tell({"step": list(actions)})

    def finish(self, seen: Seen) -> list[Played]:
        played, self.cpu_seconds = self._hear()
        seen.screens[:], seen.frames[:] = self._shared
        return [Played(*each) for each in played]

    def get_state(self) -> State:
        self._tell({"get_state": True})
        return _decoded(self._hear())

    def set_state(self, state: State) -> None:
        self._tell({"set_state": _encoded(state)})
        self._hear()

    def close(self) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            return
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            self._process.stdin.close()
        self._process.wait()
        with contextlib.suppress(OSError):
            Path(self._file).unlink()

    def _tell(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._hear()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the process that plays some of the games has ended with status {self._process.wait()}; "
                "the run can be resumed from its latest checkpoint"
            )
        return json.loads(line)


def serve() -> None:
    """The other process: does what it is told until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the trainer, which then closes the pipe
    cv2.setNumThreads(1)
    first = sys.stdin.readline()
    if not first:
        return
    about = json.loads(first)
    boxes = [Box(*box) for box in about["boxes"]]
    consoles = Consoles(about["game"], about["number"], boxes, about["show_score"])
    seen = _shared(about["file"], about["number"], consoles.screen_shape)
    with contextlib.suppress(OSError):  # Windows keeps it until both have let go of it
        Path(about["file"]).unlink()  # the memory stays as long as somebody has it, and no longer
    for line in sys.stdin:
        message = json.loads(line)
        answer: Any = None
        if "step" in message:
            consoles.begin(message["step"], seen)
            answer = [consoles.finish(seen), time.process_time()]
        elif "start" in message:
            consoles.start(message["start"], seen)
        elif "get_state" in message:
            answer = _encoded(consoles.get_state())
        else:
            consoles.set_state(_decoded(message["set_state"]))
        print(json.dumps(answer), flush=True)


def _bytes(number: int, screen_shape: Sequence[int]) -> int:
    height, width, channels = screen_shape
    return number * (height * width * channels + SIZE * SIZE)


def _shared(file: str, number: int, screen_shape: Sequence[int]) -> Seen:
    """The memory that both processes see, as arrays."""
    with Path(file).open("r+b") as opened:
        memory = np.frombuffer(mmap.mmap(opened.fileno(), _bytes(number, screen_shape)), np.uint8)
    screens, frames = np.split(memory, [memory.size - number * SIZE * SIZE])
    return Seen(screens.reshape(number, *screen_shape), frames.reshape(number, SIZE, SIZE))


def _encoded(state: State) -> dict[str, list]:
    return {
        name: [array.dtype.str, array.shape, base64.b64encode(array.tobytes()).decode()]
        for name, array in state.items()
    }


def _decoded(state: dict[str, list]) -> State:
    return {
        name: np.frombuffer(base64.b64decode(content), dtype).reshape(shape)
        for name, (dtype, shape, content) in state.items()
    }


if __name__ == "__main__":
    serve()
