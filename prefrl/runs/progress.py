"""The course of a run: progress.csv."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from prefrl.core.errors import PrefrlError


@dataclass(frozen=True, kw_only=True)
class ProgressRow:
    """A row of progress.csv: a run at a step, and the episodes that ended since the row before.

    None is what was not measured, or what an older version did not write.

    Attributes:
        step: environment steps, over all parallel environments.
        true_return, learned_return: sums of rewards, means over the episodes that ended.
        labels: answers so far.
        train_loss, heldout_loss: of the reward model after its latest fit, in nats per comparison.
        train_accuracy, heldout_accuracy: shares of pairs that it predicts.
        l2: mean L2 coefficient of its members.
        games: Atari games that ended.
        score: their mean, unclipped.
        game_steps: their mean length.
        seconds, cpu_seconds: of training so far, by the clock and over all threads.
    """

    step: int
    true_return: float | None = None
    learned_return: float | None = None
    labels: int | None = None
    train_loss: float | None = None
    heldout_loss: float | None = None
    train_accuracy: float | None = None
    heldout_accuracy: float | None = None
    l2: float | None = None
    games: int | None = None
    score: float | None = None
    game_steps: float | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None

    def filled_from(self, earlier: ProgressRow) -> ProgressRow:
        """This row, with what was not measured since as it was before."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        return replace(earlier, **known)


COLUMNS = tuple(each.name for each in fields(ProgressRow))

_WHOLE = ("step", "labels", "games")


def append_row(path: Path, row: ProgressRow) -> None:
    """Adds a row to a progress.csv. An older version's file keeps its columns, which may be fewer."""
    with path.open("a+", newline="", encoding="utf-8") as file:
        file.seek(0)
        columns = next(csv.reader(file), None)
        writer = csv.DictWriter(file, columns or COLUMNS)
        if not columns:
            writer.writeheader()
        writer.writerow({name: _cell(vars(row).get(name)) for name in writer.fieldnames})


def read_rows(path: Path) -> list[ProgressRow]:
    """Reads a progress.csv, or a part of one; there are no rows where there is no file.

    A cell that is missing, empty or no number is None: a run that was killed while writing may leave half a row.
    Unknown columns are passed over, and so are rows without a step.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [_numbers(cells) for cells in csv.DictReader(file)]
    return [ProgressRow(**row) for row in rows if row["step"] is not None]


def forget_rows_after(path: Path, step: int) -> None:
    """Drops the rows past `step`, which a resumed run writes again, and those half written.

    Raises:
        PrefrlError: a whole row is none; nothing is changed.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if not lines:
        path.unlink(missing_ok=True)
        return
    full = lines[0].count(",")
    try:
        kept = [line for line in lines[1:] if line.count(",") == full and int(line.split(",")[0]) <= step]
    except ValueError as error:
        raise PrefrlError(f"{path} is damaged: {error}; take that row out to go on") from error
    draft = path.with_suffix(".part")
    draft.write_text("\n".join([lines[0], *kept]) + "\n", encoding="utf-8")
    draft.replace(path)


def _numbers(cells: Mapping[str, str | None]) -> dict[str, Any]:
    numbers: dict[str, Any] = {name: _number(cells.get(name)) for name in COLUMNS}
    for name in _WHOLE:
        if numbers[name] is not None:
            numbers[name] = int(numbers[name])
    return numbers


def _number(cell: str | None) -> float | None:
    try:
        number = float(cell or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _cell(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
