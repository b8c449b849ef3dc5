"""Sizes of clips: as large as they are shown, within bounds of memory and time."""

from __future__ import annotations

import math

CLIP_BYTES = 80e6  # of one clip's frames; a window holds eight clips at most
CLIP_SECONDS = 0.5  # to draw one clip in: a person answers every few seconds, and a pair is two of them
LEAST_HEIGHT = 320  # pixels; below it a foot is hard to see
FIRST_GUESS = 40e-9  # seconds a pixel, of a processor that draws by itself; the first clip comes soon


def frame_height(
    shown: int, frames: int, seconds_per_pixel: float, aspect: float = 1.0, before: int | None = None
) -> int:
    """Height in pixels to draw a clip at.

    Args:
        shown: the largest height at which it is shown.
        frames: of the clip.
        seconds_per_pixel: that drawing took lately.
        aspect: of a frame, width to height.
        before: height at which the last clip was drawn; a little too much or too little is no reason to leave it.
    """
    affordable = min(CLIP_BYTES / 3, CLIP_SECONDS / seconds_per_pixel) / frames
    height = min(shown, max(LEAST_HEIGHT, int(math.sqrt(affordable / aspect))))
    if before is not None and before <= shown and 0.8 * before <= height <= 1.25 * before:
        return before
    return height
