"""The page of help: every key, in words."""

from __future__ import annotations

import pygame

from prefrl.labelers.window import theme
from prefrl.labelers.window.actions import CAPS, CONTROLS, EXPLAINED, Action
from prefrl.labelers.window.keycaps import keycap
from prefrl.labelers.window.layout import Box, Layout
from prefrl.labelers.window.shapes import framed, write
from prefrl.labelers.window.view import View

WIDTH, ROW, PADDING, TITLE = 600, 34, 36, 62
ADVICE = (
    "Judge all that happens in a clip, not only how it ends.",
    "Ties are useful too. Skip what cannot be compared: it costs nothing.",
)


def paint_help(surface: pygame.Surface, layout: Layout, view: View) -> None:
    """A panel over everything, which is dimmed."""
    shade = pygame.Surface(surface.get_size())
    shade.fill(theme.BACKGROUND)
    shade.set_alpha(190)
    surface.blit(shade, (0, 0))
    actions = (Action.LEFT, Action.RIGHT, Action.TIE, Action.SKIP, *CONTROLS)
    height = 2 * PADDING + TITLE + ROW * len(actions) + 26 * len(ADVICE) - 10
    width, height = layout.px(WIDTH), layout.px(height)
    x, y = layout.window.center
    panel = Box(x - width // 2, y - height // 2, width, height)
    framed(surface, panel, layout.px(14), theme.PANEL, theme.LINE, layout.px(1))
    left, y = panel.left + layout.px(PADDING), panel.top + layout.px(PADDING)
    inner = width - 2 * layout.px(PADDING)
    write(surface, "Keys", (left, y + layout.px(10)), layout.px(24), theme.TEXT)
    write(surface, f"You label as {view.labeler}", (left + inner, y + layout.px(12)), layout.px(14), theme.MUTED,
          align=1, width=inner // 2)  # fmt: skip
    y += layout.px(TITLE)
    for action in actions:
        cap, x = layout.px(24), left
        for name in CAPS[action]:
            wide = cap if len(name) == 1 or name in ("left", "right", "down") else layout.px(56)
            keycap(surface, layout, Box(x, y - cap // 2, wide, cap), name)
            x += wide + layout.px(6)
        write(surface, EXPLAINED[action], (left + layout.px(96), y), layout.px(16), theme.TEXT)
        y += layout.px(ROW)
    y += layout.px(12)
    for line in ADVICE:
        write(surface, line, (left, y), layout.px(14), theme.MUTED, width=inner)
        y += layout.px(26)
