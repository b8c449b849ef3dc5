"""Keys, drawn: they stand on the buttons and in the help."""

from __future__ import annotations

import pygame

from prefrl.labelers.window import theme
from prefrl.labelers.window.layout import Box, Layout
from prefrl.labelers.window.shapes import arrow, framed, write


def keycap(surface: pygame.Surface, layout: Layout, box: Box, name: str, size: int = 13) -> None:
    """A key, with its arrow or its name on it."""
    framed(surface, box, layout.px(5), theme.BACKGROUND, theme.LINE, layout.px(1))
    if name in ("left", "right", "down"):
        arrow(surface, box, name, theme.MUTED)
    else:
        write(surface, name, box.center, layout.px(size), theme.MUTED, align=0.5)
