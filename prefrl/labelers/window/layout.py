"""Positions of everything in a window of any size: sizes in, boxes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from prefrl.labelers.window.actions import CHOICES, CONTROLS, Action

ASPECT = 5 / 4  # of a clip, width to height: two of them fill a screen of 16:9 under a line of text


class Box(NamedTuple):
    """A rectangle in pixels; pygame takes it wherever it takes a Rect."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def center(self) -> tuple[int, int]:
        return self.left + self.width // 2, self.top + self.height // 2

    def grown(self, by: int) -> Box:
        return Box(self.left - by, self.top - by, self.width + 2 * by, self.height + 2 * by)

    def holds(self, point: tuple[int, int]) -> bool:
        return self.left <= point[0] < self.right and self.top <= point[1] < self.bottom


@dataclass(frozen=True)
class Layout:
    """Boxes of the labeling screen.

    Attributes:
        unit: pixels per unit; 1 in a window of 1280x720.
        window: all of it.
        question: the line above the clips.
        clips: left and right.
        buttons: of every action.
        figures: where counts and the agent's progress stand.
        words, dot: in the middle, while there is nothing to compare.
    """

    unit: float
    window: Box
    question: Box
    clips: tuple[Box, Box]
    buttons: dict[Action, Box]
    figures: Box
    words: Box
    dot: Box

    def px(self, units: float) -> int:
        """Units to whole pixels, at least one."""
        return pixels(self.unit, units)

    def action_at(self, point: tuple[int, int]) -> Action | None:
        """The action of a click there: a button's own, or the choice of the clip."""
        for side, clip in zip((Action.LEFT, Action.RIGHT), self.clips, strict=True):
            if clip.holds(point):
                return side
        return next((action for action, box in self.buttons.items() if box.holds(point)), None)


def pixels(unit: float, units: float) -> int:
    return max(1, round(units * unit))


MARGIN, GAP = 24, 12
HEADER, UNDER_CLIPS, CHOICE_HEIGHT, FOOTER = 74, 22, 52, 64
MIDDLE_WIDTH = 150  # of the buttons for a tie and for can't tell
CONTROL_WIDTHS = {
    Action.UNDO: 84, Action.REPLAY: 120, Action.PAUSE: 88, Action.SLOW: 80, Action.HELP: 80, Action.LEAVE: 86,
}  # fmt: skip
CONTROL_HEIGHT, CONTROL_GAP = 30, 4
CONTROL_INSET = 6  # from a control's edge to its key, which stands exactly under the clip's edge


def arrange(width: int, height: int) -> Layout:
    """The boxes in a window of `width` by `height` pixels: clips as large as fit, all in the middle."""
    unit = max(0.25, min(width / 1280, height / 720))

    px = partial(pixels, unit)
    around = px(HEADER + UNDER_CLIPS + CHOICE_HEIGHT + FOOTER)
    clip_height = max(2, height - around)
    clip_width = max(2, min((width - px(3 * MARGIN)) // 2, round(clip_height * ASPECT)))
    clip_height = min(clip_height, round(clip_width / ASPECT))
    row = 2 * clip_width + px(MARGIN)
    left = (width - row) // 2
    top = px(HEADER) + max(0, height - around - clip_height) // 2
    clips = (
        Box(left, top, clip_width, clip_height),
        Box(left + row - clip_width, top, clip_width, clip_height),
    )
    choices = Box(left, top + clip_height + px(UNDER_CLIPS), row, px(CHOICE_HEIGHT))
    footer = Box(left, height - px(FOOTER), row, px(FOOTER))
    controls = _controls(footer, px)
    figures_left = max(box.right for box in controls.values()) + px(GAP)
    return Layout(
        unit=unit,
        window=Box(0, 0, width, height),
        question=Box(left, top - px(HEADER), row, px(HEADER)),
        clips=clips,
        buttons=_choices(choices, px) | controls,
        figures=Box(figures_left, footer.top, max(1, footer.right - figures_left), footer.height),
        words=Box(left, height // 2 - px(58), row, px(88)),
        dot=Box(width // 2 - px(6), height // 2 - px(98), 2 * px(6), 2 * px(6)),
    )


def _choices(row: Box, px: Callable[[float], int]) -> dict[Action, Box]:
    """Left and right under their clips, a tie and can't tell between them."""
    middle, gap = min(px(MIDDLE_WIDTH), row.width // 5), px(GAP)
    side = (row.width - 2 * middle - 3 * gap) // 2
    boxes, x = {}, row.left
    for action, width in zip(CHOICES, (side, middle, middle, side), strict=True):
        boxes[action] = Box(x, row.top, width, row.height)
        x += width + gap
    return boxes


def _controls(footer: Box, px: Callable[[float], int]) -> dict[Action, Box]:
    boxes, x, height = {}, footer.left - px(CONTROL_INSET), px(CONTROL_HEIGHT)
    for action in CONTROLS:
        boxes[action] = Box(x, footer.top + (footer.height - height) // 2, px(CONTROL_WIDTHS[action]), height)
        x = boxes[action].right + px(CONTROL_GAP)
    return boxes
