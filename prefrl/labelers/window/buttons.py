"""Buttons: an action's keys and its word."""

from __future__ import annotations

import pygame

from prefrl.labelers.window import theme
from prefrl.labelers.window.actions import CAPS, LABELS, Action
from prefrl.labelers.window.keycaps import keycap
from prefrl.labelers.window.layout import CONTROL_INSET, Box, Layout
from prefrl.labelers.window.shapes import framed, rounded, text_width, write
from prefrl.labelers.window.view import ButtonState

GROUNDS = {ButtonState.HOVERED: theme.HOVERED, ButtonState.PRESSED: theme.PRESSED}


def paint_choice(
    layout: Layout, action: Action, state: ButtonState, light: float, open_: bool, surface: pygame.Surface
) -> None:
    """A large button under the clips.

    Args:
        light: how much of the accent is on its line, from 0 to 1.
        open_: whether there is something to choose from.
    """
    fill = GROUNDS.get(state, theme.BUTTON) if open_ else theme.PANEL
    line = theme.blend(fill, theme.ACCENT, 1.0 if state is ButtonState.PRESSED and open_ else light)
    framed(surface, layout.buttons[action], layout.px(10), fill, line, layout.px(1.5))
    _label_with_keys(surface, layout, layout.buttons[action], action, theme.TEXT if open_ else theme.MUTED)


def paint_control(layout: Layout, action: Action, state: ButtonState, surface: pygame.Surface) -> None:
    """A quiet button: nothing but its key and its word, until the mouse is on it."""
    box = layout.buttons[action]
    if state in (ButtonState.HOVERED, ButtonState.PRESSED):
        rounded(surface, box, layout.px(7), theme.PRESSED if state is ButtonState.PRESSED else theme.BUTTON)
    name, cap = CAPS[action][0], layout.px(19)
    width = cap if len(name) == 1 else layout.px(44)
    left = box.left + layout.px(CONTROL_INSET)
    keycap(surface, layout, Box(left, box.center[1] - cap // 2, width, cap), name, size=12)
    colors = {ButtonState.ACTIVE: theme.ACCENT, ButtonState.RESTING: theme.MUTED}
    word = (left + width + layout.px(7), box.center[1])
    write(surface, LABELS[action], word, layout.px(14), colors.get(state, theme.TEXT))


def _label_with_keys(surface: pygame.Surface, layout: Layout, box: Box, action: Action, color: theme.Color) -> None:
    """Keys, then the word; on the right button the other way round, so that its arrow points outwards."""
    label, size, gap = LABELS[action], layout.px(17), layout.px(11)
    caps = CAPS[action][:1] if action is Action.SKIP else CAPS[action]
    cap, between = layout.px(24), layout.px(5)
    caps_width = len(caps) * cap + (len(caps) - 1) * between
    label_width = text_width(label, size)
    x, y = box.center[0] - (caps_width + gap + label_width) // 2, box.center[1]
    if action is Action.RIGHT:
        write(surface, label, (x, y), size, color)
        x, caps = x + label_width + gap, caps[::-1]
    for name in caps:
        keycap(surface, layout, Box(x, y - cap // 2, cap, cap), name)
        x += cap + between
    if action is not Action.RIGHT:
        write(surface, label, (x - between + gap, y), size, color)
