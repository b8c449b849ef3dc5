"""Frames to videos: WebM for the browser, MP4 for everything else; and where the frames come from."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from prefrl_envs.screens import enlarged, fitted, unpack
from prefrl_envs.task import TaskConfig

from prefrl.core.errors import PrefrlError

__all__ = [
    "CELL", "DEFAULT_FPS", "Draw", "enlarged", "fitted", "frames_of", "recorded", "renderer", "shown_fps", "webm",
    "write_video",
]  # fmt: skip

Draw = Callable[[np.ndarray], np.ndarray]  # [T, S] render states -> [T, H, W, 3] uint8 frames

CELL = (4, 2)  # of a recorded pixel in a video: even, since a video keeps one color for 2x2 pixels
DEFAULT_FPS = 30  # for environments that do not say how fast to show them

_WEBM = ("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6"})
_MP4 = ("mp4", "libx264", {"crf": "23", "preset": "veryfast", "movflags": "+faststart"})
_FORMATS = {".webm": _WEBM, ".mp4": _MP4}
_ITU601 = 6  # the matrix with which RGB becomes YUV below, said aloud so that no player has to guess


def webm(frames: np.ndarray, fps: float) -> bytes:
    """A VP9 video that every current browser plays.

    Args:
        frames: [T, H, W, 3] uint8, T at least 1.
        fps: frames per second at which it plays.
    """
    buffer = io.BytesIO()
    _encode(buffer, frames, fps, *_WEBM)
    return buffer.getvalue()


def write_video(path: Path, frames: np.ndarray, fps: float) -> None:
    """Writes [T, H, W, 3] uint8 frames as VP9 (.webm) or H.264 (.mp4), as the suffix says.

    Raises:
        PrefrlError: another suffix, or frames of another shape.
    """
    if path.suffix.lower() not in _FORMATS:
        raise PrefrlError(f"cannot write {path.name!r}: a video ends in .webm or .mp4")
    container, codec, options = _FORMATS[path.suffix.lower()]
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    _encode(buffer, _even(frames) if codec == "libx264" else frames, fps, container, codec, options)
    path.write_bytes(buffer.getvalue())


@contextmanager
def renderer(task: TaskConfig, width: int, height: int) -> Iterator[Draw]:
    """Draws the render states of a task, in pixels of `width` by `height`."""
    from prefrl_envs.rendering import Renderer  # loads the simulators, and OpenGL with them

    with Renderer(task, width, height) as open_renderer:
        yield open_renderer.draw


def recorded(states: np.ndarray) -> np.ndarray | None:
    """[T, H, W, 3] the screens that were recorded as these render states [T, S]; None where they have to be drawn."""
    return np.stack([unpack(state) for state in states]) if states.dtype == np.uint8 else None


def frames_of(states: np.ndarray, draw: Draw) -> np.ndarray:
    """[T, H, W, 3] frames for a video: drawn, or recorded screens with every pixel as large as `CELL`."""
    screens = recorded(states)
    return draw(states) if screens is None else enlarged(screens, *CELL)


def shown_fps(env_id: str) -> float:
    """Frames per second at which a clip of this environment is shown; one frame is one step."""
    from prefrl_envs import suite

    row = suite.find(env_id)
    return float(row.fps if row is not None and row.fps else DEFAULT_FPS)


def _encode(
    file: io.BytesIO, frames: np.ndarray, fps: float, container: str, codec: str, options: dict[str, str]
) -> None:
    import av

    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        raise ValueError(f"a video needs [T, H, W, 3] uint8 frames, got {frames.dtype} {list(frames.shape)}")
    bitexact = {"fflags": "+bitexact"}  # the same frames are the same bytes: no random id, no version
    with av.open(file, "w", format=container, container_options=bitexact) as output:
        stream: Any = output.add_stream(codec, rate=Fraction(fps).limit_denominator(1000), options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace = _ITU601
        for image in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        output.mux(stream.encode())  # what the encoder still holds back


def _even(frames: np.ndarray) -> np.ndarray:
    """H.264 refuses an odd width or height: the last row or column once more."""
    height, width = frames.shape[1:3]
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
