"""The content of the window at one moment, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prefrl.labelers.window.actions import Action


class Screen(StrEnum):
    PAIR = "pair"  # two clips to compare
    DRAWING = "drawing"  # a pair is there, its clips are not yet
    WAITING = "waiting"  # nothing is open yet
    IDLE = "idle"  # nothing is open, and nobody is about to ask

    @property
    def has_clips(self) -> bool:
        """Whether there is a place for clips, drawn or not."""
        return self in (Screen.PAIR, Screen.DRAWING)


class ButtonState(StrEnum):
    RESTING = "resting"
    HOVERED = "hovered"
    PRESSED = "pressed"
    ACTIVE = "active"  # what it does is on, and the mouse elsewhere


@dataclass(frozen=True)
class View:
    """The values that decide the look of the window, except the clips' frames and fading lights.

    Attributes:
        words: what is said while nothing is open, and why.
        figures: counts and progress, the most important first.
        notice: a word about what was just done; takes the figures' place while it lasts.
        active: controls that are switched on.
    """

    screen: Screen
    question: str
    words: tuple[str, str] = ("", "")
    figures: tuple[str, ...] = ()
    notice: str = ""
    hovered: Action | None = None
    pressed: Action | None = None
    active: frozenset[Action] = frozenset()
    help: bool = False
    labeler: str = ""

    def state(self, action: Action) -> ButtonState:
        """The look of a button."""
        if action is self.pressed:
            return ButtonState.PRESSED
        if action is self.hovered:
            return ButtonState.HOVERED
        return ButtonState.ACTIVE if action in self.active else ButtonState.RESTING


@dataclass(frozen=True)
class Moment:
    """The values that change from frame to frame.

    Attributes:
        pair: which one it is, counted from the window's opening.
        frame: of its clips.
        progress: of the loop, from 0 to 1.
        lit: the action whose light is fading, with its strength from 1 to 0.
        breath: of the waiting screen's dot, from 0 to 1.
    """

    pair: int = 0
    frame: int = 0
    progress: float = 0.0
    lit: Action | None = None
    light: float = 0.0
    breath: float = 0.0

    def light_of(self, action: Action) -> float:
        """In tenths: finer steps nobody sees."""
        return round(self.light, 1) if action is self.lit else 0.0
