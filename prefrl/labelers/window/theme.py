"""Colors and type: a dark neutral room, one accent, and a typeface that the system has."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import pygame

Color = tuple[int, int, int]

BACKGROUND: Color = (22, 24, 27)
PANEL: Color = (31, 34, 38)
BUTTON: Color = (36, 39, 44)
HOVERED: Color = (46, 50, 56)
PRESSED: Color = (29, 31, 35)
LINE: Color = (62, 67, 75)
FOCUS: Color = (104, 111, 121)
TEXT: Color = (233, 235, 238)
MUTED: Color = (156, 162, 171)  # 7 : 1 against the background
ACCENT: Color = (112, 190, 178)

FAMILIES = (
    "inter", "sfprotext", "segoeui", "helveticaneue", "ubuntu", "cantarell", "notosans", "opensans", "roboto",
    "liberationsans", "arial", "dejavusans",
)  # fmt: skip
"""Typefaces made for screens, in order of liking, as pygame spells them."""


@lru_cache(maxsize=64)
def font(pixels: int, bold: bool = False) -> pygame.font.Font:
    """A font `pixels` high; matplotlib's own where the system has none of `FAMILIES`."""
    return pygame.font.Font(_font_file(bold), pixels)


def forget_fonts() -> None:
    """Lets go of every font."""
    font.cache_clear()


@lru_cache(maxsize=2)
def _font_file(bold: bool) -> str | None:
    found = next((path for name in FAMILIES if (path := pygame.font.match_font(name, bold=bold))), None)
    if found is not None:
        return found
    matplotlib = importlib.util.find_spec("matplotlib")
    bundled = Path(matplotlib.origin or "").parent / "mpl-data" / "fonts" / "ttf" if matplotlib else Path()
    file = bundled / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    return str(file) if file.exists() else None


def blend(one: Color, other: Color, share: float) -> Color:
    """`one` with a share of `other`, from 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
