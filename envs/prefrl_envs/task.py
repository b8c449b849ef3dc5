"""What travels of a task: one value that says which environment, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

OnEnd = Literal["absorb", "reset"]


@dataclass(frozen=True)
class TaskConfig:
    """An environment, and how it is made.

    Attributes:
        id: of the suite, or any other that Gymnasium knows.
        horizon: steps of an episode; None for the suite's own.
        on_end: what follows where an environment outside the suite ends an episode by itself; see
            `prefrl_envs.wrappers.FixedHorizon`.
        options: of the environment itself, a dataclass such as `prefrl_envs.games.AtariOptions`; None for its defaults.
    """

    id: str
    horizon: int | None = None
    on_end: OnEnd = "absorb"
    options: Any = None
