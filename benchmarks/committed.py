"""Reads the runs that are committed under results/<study>/<task>/<variant>/seed-<n>."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from prefrl.plotting import Run

Summary = dict[str, Any]


def runs(study: Path, task: str = "*", variant: str = "*") -> list[tuple[Path, Summary]]:
    """Folder and summary of every run, or of those of a task and variant: by these, and by seed."""
    files = study.glob(f"{task}/{variant}/seed-*/summary.json")
    folders = sorted((file.parent for file in files), key=lambda folder: (folder.parent, seed_of(folder)))
    return [(folder, json.loads((folder / "summary.json").read_text(encoding="utf-8"))) for folder in folders]


def seed_of(folder: Path) -> int:
    return int(folder.name.removeprefix("seed-"))


def curve(folder: Path, column: str) -> Run:
    """(steps, values of a column of curve.csv); nan where there is none."""
    rows = list(csv.DictReader((folder / "curve.csv").read_text(encoding="utf-8").splitlines()))
    steps, values = (np.array([float(row[name] or "nan") for row in rows]) for name in ("step", column))
    return steps, values
