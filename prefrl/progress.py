"""Progress of a run while it trains: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType

from prefrl_envs.suite import find
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from prefrl.config import RlhfConfig
from prefrl.runs.progress import ProgressRow

WAIT_LINE_S = 30  # between two lines that say so where there is no terminal


class ProgressBar:
    """Returns, labels, accuracy and time left. Call it with every row of progress.csv."""

    def __init__(self, config: RlhfConfig, folder: Path) -> None:
        self._config, self._folder = config, folder
        self._latest = ProgressRow(step=0)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None), TaskProgressColumn(), TimeRemainingColumn(),
            TextColumn("left"), console=Console(file=sys.stderr), transient=False,
        )  # fmt: skip
        self._quiet = not self._bar.console.is_terminal
        self._task = self._bar.add_task("training", total=config.steps)
        self._next_line = 0.0
        self._next_wait_line = 0.0
        self._told_where = False

    def __enter__(self) -> ProgressBar:
        if not self._quiet:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self._bar.stop()

    def __call__(self, row: ProgressRow) -> None:
        self._latest = row.filled_from(self._latest)
        step = row.step
        if not self._quiet:
            self._bar.update(self._task, completed=step, description=self.text())
        elif step >= self._next_line * self._config.steps or step >= self._config.steps:
            left = (self._config.steps - step) / step * (row.seconds or 0)
            print(f"{step:>10,} steps  {self.text()} · {max(left, 0):,.0f} s left", file=sys.stderr, flush=True)
            self._next_line = step / self._config.steps + 0.05

    def wait(self, missing: int) -> None:
        """Says that training waits for labels, and where to give them; 0 once it goes on."""
        text = f"waiting for {missing} label{'s' * (missing > 1)}" if missing else "learning from the labels"
        label, serve = f"prefrl label {self._folder}", f"prefrl serve {self._folder}"
        if not self._quiet:
            if not self._told_where:
                # Above the bar, which is one line and would cut it off; whole, however long the folder's name is.
                where = f"Labels are given in a window or in a browser:\n  {label}\n  {serve}"
                self._bar.console.print(where, markup=False, highlight=False, soft_wrap=True)
                self._told_where = True
            self._bar.update(self._task, description=text)
        elif missing and time.monotonic() >= self._next_wait_line:
            print(f"{text}: {label}, or {serve}", file=sys.stderr, flush=True)
            self._next_wait_line = time.monotonic() + WAIT_LINE_S

    def note(self, text: str) -> None:
        """One line above the bar."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def judge(self) -> None:
        """Says that learning is over and that the final policy plays to be judged."""
        text = f"learned; playing {self._config.eval_episodes} episodes to judge it"
        row = find(self._config.env_id)
        if row is not None and row.scored:
            text += ", and as many whole games: minutes"
        if self._quiet:
            print(f"{text}; `prefrl resume {self._folder}` does so if this is stopped", file=sys.stderr, flush=True)
        else:
            self._bar.update(self._task, description=text)

    def text(self) -> str:
        """One line on how the run is doing."""
        known = self._latest
        parts = []
        if known.score is not None:
            parts.append(f"score {known.score:.5g}")  # in a stream of games the return of 1,000 steps says less
        elif known.true_return is not None:
            parts.append(f"true return {known.true_return:.5g}")
        if known.learned_return is not None:
            parts.append(f"learned {known.learned_return:.4g}")
        if self._config.labels:
            parts.append(f"labels {known.labels or 0}/{self._config.labels}")
        if known.heldout_accuracy is not None:
            parts.append(f"accuracy {known.heldout_accuracy:.0%}")
        if known.seconds:
            parts.append(f"{known.step / known.seconds:,.0f} steps/s")
        return " · ".join(parts)
