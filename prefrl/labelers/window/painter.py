"""Views to pixels: what has not changed is not painted again."""

from __future__ import annotations

from collections.abc import Sequence

import pygame

from prefrl.labelers.window import theme
from prefrl.labelers.window.help import paint_help
from prefrl.labelers.window.layout import Layout
from prefrl.labelers.window.parts import parts
from prefrl.labelers.window.view import Moment, View


class Painter:
    """Paints a window, and remembers how each of its parts looks."""

    def __init__(self) -> None:
        self._room: object = None
        self._looks: dict[str, object] = {}

    def forget(self) -> None:
        """The next painting is of everything: what was on the screen is lost."""
        self._room = None

    def paint(
        self, surface: pygame.Surface, layout: Layout, view: View, moment: Moment, frames: Sequence[pygame.Surface]
    ) -> None:
        """Brings the window up to date and on the screen.

        Args:
            frames: of the left and the right clip, as large as their boxes; none unless a pair is shown.
        """
        room = (layout, view.screen.has_clips, view.screen if not view.screen.has_clips else None, view.help)
        moved, self._room = room != self._room, room
        if moved:
            surface.fill(theme.BACKGROUND)
            self._looks = {}
        elif view.help:
            return  # nothing moves under the page of help
        changed = []
        for part in parts(layout, view, moment, frames):
            if self._looks.get(part.name) != part.look:
                surface.fill(theme.BACKGROUND, part.box)
                part.paint(surface)
                self._looks[part.name] = part.look
                changed.append(part.box)
        if view.help:
            paint_help(surface, layout, view)
        if moved:
            pygame.display.flip()
        elif changed:
            pygame.display.update(changed)
