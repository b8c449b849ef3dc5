"""Views to pixels. What stands still is painted once; from frame to frame only clips and lights are."""

from __future__ import annotations

from collections.abc import Sequence

import pygame

from prefrl.labelers.window import theme
from prefrl.labelers.window.actions import CAPS, CHOICES, CONTROLS, LABELS, Action
from prefrl.labelers.window.help import paint_help
from prefrl.labelers.window.keycaps import keycap
from prefrl.labelers.window.layout import CONTROL_INSET, Box, Layout
from prefrl.labelers.window.shapes import dot, framed, round_off, rounded, text_width, write
from prefrl.labelers.window.view import Moment, Screen, View

RADIUS = 10
CLIP_LINE = 3  # units that a lit frame is thick
WORDS = {
    Screen.WAITING: ("Waiting for the trainer", "New pairs appear here by themselves."),
    Screen.COMPLETE: ("That was the last one", "All labels of this run are given. Thank you."),
}


class Painter:
    """Paints a window; remembers what it painted last."""

    def __init__(self) -> None:
        self._painted: tuple[Layout, View] | None = None
        self._lit: Action | None = None

    def paint(
        self, surface: pygame.Surface, layout: Layout, view: View, moment: Moment, frames: Sequence[pygame.Surface]
    ) -> None:
        """Brings the window up to date and on the screen.

        Args:
            frames: of the left and the right clip, as large as their boxes; none unless a pair is shown.
        """
        whole = self._painted != (layout, view)
        if whole:
            surface.fill(theme.BACKGROUND)
            _still(surface, layout, view)
            self._painted = (layout, view)
        changed = [] if view.help else self._moving(surface, layout, view, moment, frames)
        if whole and view.help:
            self._moving(surface, layout, view, moment, frames)
            paint_help(surface, layout, view)
        if whole:
            pygame.display.flip()
        elif changed:
            pygame.display.update(changed)

    def _moving(
        self, surface: pygame.Surface, layout: Layout, view: View, moment: Moment, frames: Sequence[pygame.Surface]
    ) -> list[Box]:
        changed = []
        if view.screen in (Screen.PAIR, Screen.DRAWING):
            for side, box in enumerate(layout.clips):
                picture = frames[side] if frames else None
                changed.append(_clip(surface, layout, view, moment, side, box, picture))
        else:
            changed.append(_breathing_dot(surface, layout, moment))
        for action in CHOICES:
            if action in (self._lit, moment.lit) and view.screen in (Screen.PAIR, Screen.DRAWING):
                _choice(surface, layout, view, action, moment.light if action is moment.lit else 0.0)
                changed.append(layout.buttons[action])
        self._lit = moment.lit
        return changed


def _still(surface: pygame.Surface, layout: Layout, view: View) -> None:
    if view.screen in (Screen.PAIR, Screen.DRAWING):
        box = layout.question
        write(surface, view.question, box.center, layout.px(27), theme.TEXT, align=0.5, width=box.width)
        for action in CHOICES:
            _choice(surface, layout, view, action, 0.0)
    else:
        _words(surface, layout, view)
    for action in CONTROLS:
        _control(surface, layout, view, action)
    box = layout.figures
    text, colour = (view.notice, theme.ACCENT) if view.notice else ("   ·   ".join(view.figures), theme.MUTED)
    write(surface, text, (box.right, box.center[1]), layout.px(14), colour, align=1, width=box.width)


def _clip(
    surface: pygame.Surface,
    layout: Layout,
    view: View,
    moment: Moment,
    side: int,
    box: Box,
    picture: pygame.Surface | None,
) -> Box:
    line, radius = layout.px(CLIP_LINE), layout.px(RADIUS)
    action = (Action.LEFT, Action.RIGHT)[side]
    light = moment.light if moment.lit in (action, Action.TIE) else 0.0
    resting = theme.FOCUS if view.hovered is action and picture is not None else theme.BACKGROUND
    colour = theme.blend(resting, theme.ACCENT, round(light, 1))
    outer = box.grown(line)
    surface.fill(theme.BACKGROUND, outer)
    rounded(surface, outer, radius + line, colour)
    if picture is None:
        rounded(surface, box, radius, theme.PANEL)
        write(surface, "Drawing the clips", box.center, layout.px(15), theme.MUTED, align=0.5)
        return outer
    surface.blit(picture, box[:2])
    round_off(surface, box, radius, colour)
    return _progress(surface, layout, box, moment, outer)


def _progress(surface: pygame.Surface, layout: Layout, box: Box, moment: Moment, outer: Box) -> Box:
    """A hairline under a clip: where in its loop it is."""
    height, inset = layout.px(2), layout.px(RADIUS)
    track = Box(box.left + inset, box.bottom + layout.px(10), box.width - 2 * inset, height)
    surface.fill(theme.BUTTON, track)
    surface.fill(theme.MUTED, (track.left, track.top, round(track.width * moment.progress), height))
    return Box(outer.left, outer.top, outer.width, max(outer.bottom, track.bottom) - outer.top)


def _breathing_dot(surface: pygame.Surface, layout: Layout, moment: Moment) -> Box:
    x, y = layout.window.center
    radius = layout.px(6)
    zone = Box(x - 2 * radius, y - layout.px(92) - 2 * radius, 4 * radius, 4 * radius)
    surface.fill(theme.BACKGROUND, zone)
    dot(surface, zone.center, radius, theme.blend(theme.LINE, theme.ACCENT, round(moment.breath, 2)))
    return zone


def _words(surface: pygame.Surface, layout: Layout, view: View) -> None:
    title, below = WORDS[view.screen]
    x, y = layout.window.center
    width = layout.question.width
    write(surface, title, (x, y - layout.px(36)), layout.px(30), theme.TEXT, align=0.5, width=width)
    write(surface, below, (x, y + layout.px(8)), layout.px(17), theme.MUTED, align=0.5, width=width)


def _choice(surface: pygame.Surface, layout: Layout, view: View, action: Action, light: float) -> None:
    box, pressed = layout.buttons[action], view.pressed is action
    hovered = view.hovered is action
    fill = theme.PRESSED if pressed else theme.HOVERED if hovered else theme.BUTTON
    if view.screen is Screen.DRAWING:
        fill = theme.PANEL
    line = theme.blend(theme.ACCENT if pressed else fill, theme.ACCENT, round(light, 1))
    framed(surface, box, layout.px(RADIUS), fill, line, layout.px(1.5))
    colour = theme.MUTED if view.screen is Screen.DRAWING else theme.TEXT
    _label_with_keys(surface, layout, box, action, colour)


def _label_with_keys(surface: pygame.Surface, layout: Layout, box: Box, action: Action, colour: theme.Colour) -> None:
    """Keys, then the word; on the right button the other way round, so that its arrow points outwards."""
    label, size, gap = LABELS[action], layout.px(17), layout.px(11)
    caps = CAPS[action][:1] if action is Action.SKIP else CAPS[action]
    cap, between = layout.px(24), layout.px(5)
    caps_width = len(caps) * cap + (len(caps) - 1) * between
    label_width = text_width(label, size)
    x, y = box.center[0] - (caps_width + gap + label_width) // 2, box.center[1]
    if action is Action.RIGHT:
        write(surface, label, (x, y), size, colour)
        x, caps = x + label_width + gap, caps[::-1]
    for name in caps:
        keycap(surface, layout, Box(x, y - cap // 2, cap, cap), name)
        x += cap + between
    if action is not Action.RIGHT:
        write(surface, label, (x - between + gap, y), size, colour)


def _control(surface: pygame.Surface, layout: Layout, view: View, action: Action) -> None:
    """A quiet button: nothing but its key and its word, until the mouse is on it."""
    box, active = layout.buttons[action], action in view.active
    if view.hovered is action or view.pressed is action:
        rounded(surface, box, layout.px(7), theme.PRESSED if view.pressed is action else theme.BUTTON)
    name, cap = CAPS[action][0], layout.px(19)
    width = cap if len(name) == 1 else layout.px(44)
    left = box.left + layout.px(CONTROL_INSET)
    keycap(surface, layout, Box(left, box.center[1] - cap // 2, width, cap), name, size=12)
    colour = theme.ACCENT if active else theme.TEXT if view.hovered is action else theme.MUTED
    write(surface, LABELS[action], (left + width + layout.px(7), box.center[1]), layout.px(14), colour)
