"""What is labelled, and what its trainer says of itself: the same for the window and the page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Trainer:
    """What a trainer says of itself in status.json; None is what it does not say.

    Attributes:
        step, steps: environment steps done, and of the whole run.
        labels, labels_wanted: comparisons given, and of the whole run.
        waiting_for: labels without which the agent does not go on.
    """

    step: int | None = None
    steps: int | None = None
    labels: int | None = None
    labels_wanted: int | None = None
    waiting_for: int | None = None

    @property
    def content(self) -> bool:
        """Whether all labels of the run are given."""
        return self.labels is not None and bool(self.labels_wanted) and self.labels >= (self.labels_wanted or 0)

    def said(self) -> dict[str, int]:
        """What it does say, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NOTHING_SAID = Trainer()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A run, as far as a labeler needs to know it.

    Attributes:
        env_id, horizon, on_end: the environment, as the run made it.
        folder: of the run.
    """

    env_id: str
    horizon: int | None
    on_end: Literal["absorb", "reset"]
    folder: Path

    @property
    def name(self) -> str:
        return self.env_id.removeprefix("prefrl/").removesuffix("-v0")

    def trainer(self) -> Trainer:
        """What status.json says; nothing where there is none, or one that cannot be read."""
        try:
            values: Any = json.loads((self.folder / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return NOTHING_SAID
        if not isinstance(values, dict):
            return NOTHING_SAID
        # JSON's true is an int of Python's, and its NaN a float: a trainer writes whole numbers.
        return Trainer(**{name: values[name] for name in Trainer.__dataclass_fields__ if type(values.get(name)) is int})
