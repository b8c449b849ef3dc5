"""Atari's games as a table: what each is called, where its screen tells the score, what its end costs."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path

Box = tuple[int, int, int, int]
"""top, bottom, left, right: pixels of the console's screen; bottom and right are the first outside."""

# Painted over before anything is derived from a frame. "paper": Christiano et al. 2017. "default" hides the rest of what
# counts as well: lives, sectors, days, digits that the paper's boxes leave out. tests/test_atari_masks.py writes other
# numbers into the console's memory and sees the same frames.
SCORE_BOXES: dict[str, dict[str, tuple[Box, ...]]] = {
    "paper": {
        "BeamRider": ((5, 20, 45, 120), (28, 40, 15, 40)),
        "Breakout": ((0, 16, 35, 80),),
        "Enduro": ((163, 173, 55, 110), (177, 188, 68, 107)),
        "Pong": ((0, 24, 0, 160),),
        "Qbert": ((6, 15, 33, 71),),
        "Seaquest": ((7, 19, 80, 110),),
        "SpaceInvaders": ((10, 20, 0, 160),),
    },
    "default": {
        "BeamRider": ((5, 42, 0, 120), (180, 192, 0, 160)),
        "Breakout": ((0, 17, 0, 160),),
        "Enduro": ((160, 192, 48, 114),),
        "Pong": ((0, 24, 0, 160),),
        "Qbert": ((4, 29, 28, 76),),
        "Seaquest": ((7, 31, 50, 114),),
        "SpaceInvaders": ((8, 22, 0, 160),),
    },
}

END_PENALTY: dict[str, float] = {}

_TWO_PLAYERS = {"combat", "joust", "maze_craze", "warlords"}  # ALE has no score for one player alone


@functools.cache
def roms() -> dict[str, str]:
    """ALE's file name of each game by the name in its id: "BeamRider" -> "beam_rider". Does not import ale_py."""
    package = importlib.util.find_spec("ale_py")
    assert package is not None
    assert package.origin is not None
    files = json.loads((Path(package.origin).parent / "roms" / "md5.json").read_text())
    stems = sorted(file.removesuffix(".bin") for file in files)
    return {stem.title().replace("_", ""): stem for stem in stems if stem not in _TWO_PLAYERS}
