"""The parts of the window: where each is, what decides how it looks, and how it is painted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pygame

from prefrl.labelers.window import theme
from prefrl.labelers.window.actions import CHOICES, CONTROLS, Action
from prefrl.labelers.window.buttons import paint_choice, paint_control
from prefrl.labelers.window.layout import Box, Layout
from prefrl.labelers.window.shapes import dot, round_off, rounded, write
from prefrl.labelers.window.view import Moment, Screen, View

RADIUS = 10  # units, of a clip's corners
CLIP_LINE = 3  # units that a lit frame is thick
SIDES = (Action.LEFT, Action.RIGHT)


@dataclass(frozen=True)
class Part:
    """A piece of the window.

    Attributes:
        box: that it fills.
        look: all that decides how it looks; while it stays the same, the part is not painted again.
    """

    name: str
    box: Box
    look: object
    paint: Callable[[pygame.Surface], None]


def parts(layout: Layout, view: View, moment: Moment, frames: Sequence[pygame.Surface]) -> Iterator[Part]:
    """All parts of a view; `frames` as for `Painter.paint`."""
    if view.screen.has_clips:
        yield Part("question", layout.question, view.question, partial(_question, layout, view))
        for side in (0, 1):
            yield _clip(layout, view, moment, side, frames[side] if frames else None)
        for action in CHOICES:
            state, light = view.state(action), moment.light_of(action)
            paint = partial(paint_choice, layout, action, state, light, view.screen is Screen.PAIR)
            yield Part(action, layout.buttons[action], (state, light, view.screen), paint)
    else:
        yield Part("words", layout.words, view.words, partial(_words, layout, view))
        yield Part("breath", layout.dot, moment.breath, partial(_breath, layout, moment))
    for action in CONTROLS:
        state = view.state(action)
        if view.screen.has_clips or action in (Action.UNDO, Action.HELP, Action.LEAVE):
            yield Part(action, layout.buttons[action], state, partial(paint_control, layout, action, state))
    yield Part("figures", layout.figures, (view.figures, view.notice), partial(_figures, layout, view))


def _question(layout: Layout, view: View, surface: pygame.Surface) -> None:
    box = layout.question
    write(surface, view.question, box.center, layout.px(27), theme.TEXT, align=0.5, width=box.width)


def _clip(layout: Layout, view: View, moment: Moment, side: int, picture: pygame.Surface | None) -> Part:
    light = max(moment.light_of(SIDES[side]), moment.light_of(Action.TIE))
    resting = theme.FOCUS if view.hovered is SIDES[side] and picture is not None else theme.BACKGROUND
    line = theme.blend(resting, theme.ACCENT, light)
    outer = layout.clips[side].grown(layout.px(CLIP_LINE))
    box = Box(outer.left, outer.top, outer.width, outer.height + layout.px(12))
    look = (picture is not None, moment.pair, moment.frame, moment.progress, line)
    return Part(f"clip {side}", box, look, partial(_paint_clip, layout, moment, layout.clips[side], line, picture))


def _paint_clip(
    layout: Layout,
    moment: Moment,
    box: Box,
    line: theme.Color,
    picture: pygame.Surface | None,
    surface: pygame.Surface,
) -> None:
    """A picture in its frame, and under it a hairline that says where in the loop it is."""
    width, radius = layout.px(CLIP_LINE), layout.px(RADIUS)
    if line != theme.BACKGROUND:
        rounded(surface, box.grown(width), radius + width, line)
    if picture is None:
        rounded(surface, box, radius, theme.PANEL)
        write(surface, "Drawing", box.center, layout.px(15), theme.MUTED, align=0.5)
        return
    surface.blit(picture, box[:2])
    round_off(surface, box, radius, line)
    track = Box(box.left + radius, box.bottom + layout.px(10), box.width - 2 * radius, layout.px(2))
    surface.fill(theme.BUTTON, track)
    surface.fill(theme.MUTED, (track.left, track.top, round(track.width * moment.progress), track.height))


def _words(layout: Layout, view: View, surface: pygame.Surface) -> None:
    title, below = view.words
    box, x = layout.words, layout.words.center[0]
    write(surface, title, (x, box.top + layout.px(22)), layout.px(30), theme.TEXT, align=0.5, width=box.width)
    write(surface, below, (x, box.top + layout.px(66)), layout.px(17), theme.MUTED, align=0.5, width=box.width)


def _breath(layout: Layout, moment: Moment, surface: pygame.Surface) -> None:
    color = theme.blend(theme.LINE, theme.ACCENT, moment.breath)
    dot(surface, layout.dot.center, layout.dot.width // 2, color)


def _figures(layout: Layout, view: View, surface: pygame.Surface) -> None:
    box = layout.figures
    text, color = (view.notice, theme.ACCENT) if view.notice else ("   ·   ".join(view.figures), theme.MUTED)
    write(surface, text, (box.right, box.center[1]), layout.px(14), color, align=1, width=box.width)
