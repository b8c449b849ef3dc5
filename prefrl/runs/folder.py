"""A run's folder: where its files lie, and the way into and out of them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

from prefrl.config import RlhfConfig, from_json, to_json
from prefrl.core.errors import PrefrlError
from prefrl.runs.files import read_json, write_json
from prefrl.runs.progress import ProgressRow, append_row, forget_rows_after, read_rows
from prefrl.runs.provenance import versions
from prefrl.runs.status import Status, read_status, write_status
from prefrl.runs.summary import Summary, read_summary

CONTENTS = {
    "config.json": "every setting of the run",
    "summary.json": "the result, the machine and the versions",
    "progress.csv": "returns, labels and fits over steps: one row a rollout",
    "diagnostics.safetensors": "predicted and true returns of fresh segments",
    "episodes": "episodes before, midway and after training: states and rewards",
    "preferences.sqlite3": "every query and its answer",
    "checkpoints": "what resuming goes on from",
    "policy.zip": "the agent, as Stable-Baselines3 saves it",
    "reward_model": "the ensemble of reward predictors",
    "tensorboard": "logs for TensorBoard",
    "clips": "clips that labelers were shown",
    "report.html": "this page",
}
"""What a report says of the files in its folder."""


@dataclass(frozen=True)
class RunFolder:
    """Where everything about one run lies."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def store(self) -> Path:
        return self.path / "preferences.sqlite3"

    def store_location(self, config: RlhfConfig) -> str | Path:
        """The URL of the run's database, or its own file."""
        return config.store or self.store

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def policy(self) -> Path:
        return self.path / "policy.zip"

    @property
    def reward_model(self) -> Path:
        return self.path / "reward_model"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def progress(self) -> Path:
        return self.path / "progress.csv"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def diagnostics(self) -> Path:
        return self.path / "diagnostics.safetensors"

    def episode(self, name: str) -> Path:
        return self.path / "episodes" / f"{name}.safetensors"

    def create(self, config: RlhfConfig) -> None:
        """A new run's folder.

        Raises:
            PrefrlError: the folder holds something already; nothing of it is touched.
        """
        if self.config_file.exists():
            raise PrefrlError(
                f"{self.path} already holds a run: `prefrl resume {self.path}` goes on with it, "
                "or choose another folder with `out`"
            )
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise PrefrlError(f"{self.path} is not an empty folder; choose another one with `out`")
        (self.path / "episodes").mkdir(parents=True)
        self.write_config(config)

    def write_config(self, config: RlhfConfig) -> None:
        write_json(self.config_file, to_json(config) | {"id": self.id(), "versions": versions()})

    def id(self) -> str:
        """Names the run for good, wherever its folder goes; a new one where there is none yet."""
        written = json.loads(self.config_file.read_text(encoding="utf-8")) if self.config_file.exists() else {}
        return written.get("id") or uuid.uuid4().hex

    def config(self) -> RlhfConfig:
        """The configuration of the run.

        Raises:
            PrefrlError: no run here, or its configuration is damaged.
        """
        if not self.config_file.exists():
            raise PrefrlError(f"no run at {self.path}: config.json is missing; `prefrl train` makes one")
        try:
            values = read_json(self.config_file)
            for about in ("id", "versions"):
                values.pop(about, None)
            return from_json(values)
        except (ValueError, TypeError, AttributeError) as error:
            raise PrefrlError(f"{self.config_file} cannot be used: {error}") from error

    def has_ended(self, config: RlhfConfig) -> bool:
        """Whether the run has come to the end that `config` sets: its steps, and the answers that it waits for."""
        if not self.summary_file.exists():
            return False
        summary = self.summary()
        labels = summary.labels
        is_waited_for = config.labeler == "human" and config.pace == "wait" and not summary.no_more_pairs
        if is_waited_for and summary.labels_answered is not None:
            labels = min(labels, summary.labels_answered)
        return summary.steps >= config.steps and labels >= config.labels

    def forget_outcome(self) -> None:
        """Removes what an extension makes untrue: the summary above all, by which a run is known to have ended."""
        for path in (self.summary_file, self.policy, self.diagnostics, self.report):
            path.unlink(missing_ok=True)

    def status(self) -> Status:
        """Where the trainer is, as far as is known."""
        return read_status(self.status_file)

    def write_status(self, status: Status) -> None:
        """Says where the trainer is to those who look on from another process."""
        write_status(self.status_file, status)

    def rows(self) -> list[ProgressRow]:
        """The rows of progress.csv so far."""
        return read_rows(self.progress)

    def append(self, row: ProgressRow) -> None:
        """One more row of progress.csv."""
        append_row(self.progress, row)

    def forget_rows_after(self, step: int) -> None:
        """Drops the rows past `step`, which a resumed run writes again, and those half written.

        Raises:
            PrefrlError: a whole row is none; nothing is changed.
        """
        forget_rows_after(self.progress, step)

    def summary(self) -> Summary:
        """The result of the run.

        Raises:
            PrefrlError: the run has not ended, or its summary is damaged.
        """
        if not self.summary_file.exists():
            raise PrefrlError(f"no summary at {self.path}; `prefrl resume {self.path}` brings the run to its end")
        return read_summary(self.summary_file)
