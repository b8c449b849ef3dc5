"""Reads what a run left in its folder; whatever is not there is empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open

from prefrl.core.errors import PrefrlError
from prefrl.runs import RunFolder
from prefrl.runs.progress import ProgressRow
from prefrl.runs.summary import RewardModelQuality, Summary

T = TypeVar("T")

EPISODES = ("before", "midway", "after")


@dataclass(frozen=True, eq=False)
class Episode:
    """One evaluated episode.

    Attributes:
        step: environment steps the agent had done, or None where it is not noted.
        render_states: [T, S], or None where nothing draws it.
        true_rewards: [T].
        learned_rewards: [T], or None where nothing was learned.
    """

    step: int | None
    render_states: np.ndarray | None
    true_rewards: np.ndarray
    learned_rewards: np.ndarray | None

    @property
    def true_return(self) -> float:
        return float(self.true_rewards.sum(dtype=np.float64))


@dataclass(frozen=True, eq=False)
class RunRecord:
    """The content of a report.

    Attributes:
        config: the settings, as config.to_json writes them.
        summary: the run's result; None before its end.
        progress: its rows so far.
        episodes: before, midway, after; in this order.
        diagnostics: predicted_returns [P] and true_returns [P] of fresh segments.
    """

    path: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Summary | None = None
    progress: Sequence[ProgressRow] = ()
    episodes: Mapping[str, Episode] = field(default_factory=dict)
    diagnostics: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def env_id(self) -> str:
        judged = self.summary.env_id if self.summary else None
        return str(judged or self.config.get("env_id") or "unknown environment")

    @property
    def labels(self) -> int:
        """Comparisons learned from so far; 0 for a run on the true reward."""
        if self.summary and self.summary.labels_answered:
            return self.summary.labels_answered  # the concluding round, too, which no row of the progress knows
        budget = self.summary.labels if self.summary else self.config.get("labels")
        if not isinstance(budget, int | float):
            return 0
        if not budget:
            return 0
        return self.latest(lambda row: row.labels) or int(budget)

    @property
    def reward_model(self) -> RewardModelQuality | None:
        return self.summary.reward_model if self.summary else None

    def column(self, figure: Callable[[ProgressRow], float | None]) -> np.ndarray:
        """[N] a figure of every row of the progress; nan where it was not measured."""
        values = [figure(row) for row in self.progress]
        return np.array([np.nan if value is None else value for value in values], np.float64)

    def latest(self, figure: Callable[[ProgressRow], T | None]) -> T | None:
        """A figure as it was last measured; None where it never was."""
        values = (figure(row) for row in reversed(self.progress))
        return next((value for value in values if value is not None), None)


def read_run(path: Path) -> RunRecord:
    """Reads a run's folder, finished or not.

    Raises:
        FileNotFoundError: there is no such folder.
        PrefrlError: a file in it is damaged.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"no run at {path}; `prefrl train` makes one in its output folder")
    folder = RunFolder(path)
    episodes = {name: _episode(folder.episode(name)) for name in EPISODES}
    return RunRecord(
        path=path,
        config=_json(folder.config_file),
        summary=folder.summary() if folder.summary_file.exists() else None,
        progress=folder.rows(),
        episodes={name: episode for name, episode in episodes.items() if episode is not None},
        diagnostics=_arrays(folder.diagnostics)[0],
    )


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata of a safetensors file; nothing where there is none.

    Raises:
        PrefrlError: it is damaged.
    """
    if not path.exists():
        return {}, {}
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise PrefrlError(f"{path} is damaged: {error}; a report without it is made once it is gone") from error


def _episode(path: Path) -> Episode | None:
    arrays, metadata = _arrays(path)
    if "true_rewards" not in arrays:
        return None
    return Episode(
        step=int(metadata["step"]) if metadata.get("step", "").isdigit() else None,
        render_states=arrays.get("render_states"),
        true_rewards=arrays["true_rewards"],
        learned_rewards=arrays.get("learned_rewards"),
    )
