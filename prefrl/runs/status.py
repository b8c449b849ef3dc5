"""Where a trainer is, for those who look on from another process: status.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from prefrl.runs.files import read_json, write_json


@dataclass(frozen=True)
class Status:
    """Where a trainer is; None is what is not known.

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


def read_status(path: Path) -> Status:
    """Reads a status.json; nothing is known where there is none, or one that cannot be read.

    Unknown keys are passed over, and so is a value that is no whole number: JSON's true is an int of Python's, and its
    NaN a float.
    """
    try:
        values = read_json(path)
    except (OSError, ValueError):
        return Status()
    names = [each.name for each in fields(Status)]
    return Status(**{name: values[name] for name in names if type(values.get(name)) is int})


def write_status(path: Path, status: Status) -> None:
    """Writes a status.json, complete or not at all."""
    write_json(path, asdict(status))
