"""A person's actions in the window, with their keys and words."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """The first four are answers, in the session's words."""

    LEFT = "left"
    TIE = "tie"
    SKIP = "skip"
    RIGHT = "right"
    UNDO = "undo"
    REPLAY = "replay"
    PAUSE = "pause"
    SLOW = "slow"
    HELP = "help"
    LEAVE = "leave"


CHOICES = (Action.LEFT, Action.TIE, Action.SKIP, Action.RIGHT)
CONTROLS = (Action.UNDO, Action.REPLAY, Action.PAUSE, Action.SLOW, Action.HELP, Action.LEAVE)

LABELS = {
    Action.LEFT: "Left",
    Action.TIE: "Tie",
    Action.SKIP: "Can't tell",
    Action.RIGHT: "Right",
    Action.UNDO: "Undo",
    Action.REPLAY: "Replay",
    Action.PAUSE: "Pause",
    Action.SLOW: "Slow",
    Action.HELP: "Help",
    Action.LEAVE: "Leave",
}

CAPS = {
    Action.LEFT: ("left", "1"),
    Action.TIE: ("down", "3"),
    Action.SKIP: ("0", "s"),
    Action.RIGHT: ("right", "2"),
    Action.UNDO: ("u",),
    Action.REPLAY: ("space",),
    Action.PAUSE: ("p",),
    Action.SLOW: ("f",),
    Action.HELP: ("h",),
    Action.LEAVE: ("q",),
}
"""The keys of each action, as pygame names them; the first stands on its button."""

EXPLAINED = {
    Action.LEFT: "The left clip is better",
    Action.RIGHT: "The right clip is better",
    Action.TIE: "Both are equally good",
    Action.SKIP: "I can't tell; this pair is passed over",
    Action.UNDO: "Take the last answer back",
    Action.REPLAY: "Play both clips from the start",
    Action.PAUSE: "Pause or resume",
    Action.SLOW: "A quarter of the speed",
    Action.HELP: "Show and hide this page",
    Action.LEAVE: "Leave; every answer is saved already",
}

_BY_KEY = {cap: action for action, caps in CAPS.items() for cap in caps}


def action_of(key: str) -> Action | None:
    """The action of a key. The number pad's keys, such as "[1]", act as the digits do."""
    return _BY_KEY.get(key.removeprefix("[").removesuffix("]"))
