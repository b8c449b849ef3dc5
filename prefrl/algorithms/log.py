"""What a run tells of its iterations: progress.csv, TensorBoard, status.json."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from prefrl.agents.base import Metrics
from prefrl.algorithms.feedback import Feedback
from prefrl.algorithms.learner import Learner
from prefrl.config import RlhfConfig
from prefrl.rollouts import Recorder, Rollout
from prefrl.runs import RunFolder
from prefrl.runs.progress import ProgressRow
from prefrl.runs.status import Status
from prefrl.stopwatch import Stopwatch

LOG_STEPS = 64  # steps between two rows, about: an iteration may be shorter


class RunLog:
    """Writes a row for every iteration, or for several short ones together.

    Args:
        recorder: knows how long the environments take.
        on_row: told every row, with the metrics of its latest iteration.

    Attributes:
        timed: calls the parts of an iteration, and measures them.
    """

    def __init__(
        self,
        config: RlhfConfig,
        learner: Learner,
        run: RunFolder,
        recorder: Recorder,
        on_row: Callable[[ProgressRow, Metrics], None],
    ) -> None:
        self._config, self._learner, self._run, self._on_row = config, learner, run, on_row
        self._recorder = recorder
        self.timed = Stopwatch(self._processor_seconds)
        self._tensorboard = SummaryWriter(str(run.tensorboard))
        self._forget()

    def close(self) -> None:
        self._tensorboard.close()

    def add(self, rollout: Rollout, rewards: np.ndarray) -> None:
        """Takes in an iteration's rollout and its rewards [T, N]."""
        learner = self._learner
        self._returns.append(learner.returns.add(rollout.true_rewards, rewards, rollout.dones))
        self._scores.append(rollout.game_scores)
        self._game_steps.append(rollout.game_steps)
        learner.games.add(rollout)

    def write(self, feedback: Feedback, metrics: Metrics) -> None:
        """Writes one row: figures of the episodes that ended since the last one, and of the latest iteration."""
        metrics = metrics | self.count_time(feedback)
        row = self._row(feedback.num_labels)
        self._run.append(row)
        self._write_status(feedback.num_labels)
        self._show(row, metrics)
        self._on_row(row, metrics)
        self._forget()

    def count_time(self, feedback: Feedback) -> Metrics:
        """Adds the time since the last call to the run's, without what was waited for people; returns it by part."""
        seconds, processor = self.timed.take()
        self._learner.wall_seconds += sum(seconds.values()) - feedback.take_waited()
        self._learner.cpu_seconds += processor
        seconds["environments"] = self._recorder.take_seconds()
        return {f"time/{part}": value for part, value in seconds.items()}

    def _processor_seconds(self) -> float:
        """Processor time taken so far, by the environments' own processes too."""
        return time.process_time() + getattr(self._recorder.venv, "other_cpu_seconds", 0.0)

    def _forget(self) -> None:
        self._returns: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []
        self._game_steps: list[np.ndarray] = []

    def _row(self, num_labels: int) -> ProgressRow:
        learner = self._learner
        returns = np.concatenate(self._returns)
        scores = np.concatenate(self._scores)
        return ProgressRow(
            step=learner.step,
            true_return=_mean(returns[:, 0]),
            learned_return=_mean(returns[:, 1]) if learner.reward else None,
            labels=num_labels,
            games=len(scores),
            score=_mean(scores),
            game_steps=_mean(np.concatenate(self._game_steps)),
            seconds=learner.wall_seconds,
            cpu_seconds=learner.cpu_seconds,
            **self._fit(),
        )

    def _fit(self) -> dict[str, Any]:
        """How the reward model did after its latest fit, by name."""
        return asdict(self._learner.fit) if self._learner.fit else {}

    def _write_status(self, num_labels: int) -> None:
        config = self._config
        status = Status(
            step=self._learner.step,
            steps=config.steps,
            labels=num_labels,
            labels_wanted=config.labels,
            waiting_for=0,
        )
        self._run.write_status(status)

    def _show(self, row: ProgressRow, metrics: Metrics) -> None:
        """Writes the figures of a row and the metrics for TensorBoard."""
        figures = {"rollout/ep_rew_mean": row.true_return, "rollout/ep_learned_rew_mean": row.learned_return}
        if self._learner.reward is not None:
            figures["reward_model/labels"] = row.labels
            figures |= {f"reward_model/{name}": value for name, value in self._fit().items()}
        for name, value in {**figures, **metrics}.items():
            if value is not None:
                self._tensorboard.add_scalar(name, value, self._learner.step)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
