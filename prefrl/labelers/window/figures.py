"""The quiet figures of the window, as text: how far the person is, and how far the agent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Trainer:
    """What a trainer says of itself in status.json; None is what it does not say.

    Attributes:
        step, steps: environment steps done, and of the whole run.
        labels, labels_wanted: comparisons given, and of the whole run.
    """

    step: int | None = None
    steps: int | None = None
    labels: int | None = None
    labels_wanted: int | None = None

    @property
    def content(self) -> bool:
        """Whether all labels of the run are given."""
        return self.labels is not None and bool(self.labels_wanted) and self.labels >= (self.labels_wanted or 0)


NOTHING_SAID = Trainer()


def read_trainer(path: Path) -> Trainer:
    """What status.json says; nothing where there is none, or one that cannot be read."""
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return NOTHING_SAID
    if not isinstance(values, dict):
        return NOTHING_SAID
    numbers = {name: values.get(name) for name in Trainer.__dataclass_fields__}
    return Trainer(**{name: int(value) for name, value in numbers.items() if isinstance(value, int | float)})


def figures(answers: int, per_minute: float, waiting: int, trainer: Trainer) -> list[str]:
    """The parts of the line under the clips, the most important first."""
    parts = [counted(answers, "label")]
    if answers >= 3:  # a rate over less is noise
        parts.append(f"{per_minute:.0f} a minute")
    parts.append(f"{waiting:,} waiting")
    if trainer.step is not None:
        parts.append(f"step {short(trainer.step)}" + (f" of {short(trainer.steps)}" if trainer.steps else ""))
    return parts


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def short(number: int) -> str:
    """1234 as 1,234; 20,500 as 20k; 1,250,000 as 1.25M."""
    if number < 10_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number // 1000}k"
    return f"{number / 1e6:.2f}".rstrip("0").rstrip(".") + "M"
