"""What is labelled, and what its trainer says of itself: the same for the window and the page."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

QUIET_S = 60.0  # that a trainer whose lock is not seen may say nothing, before it is taken for gone


@dataclass(frozen=True)
class Trainer:
    """What a trainer says of itself in status.json, and whether it is still there; None is what nobody knows.

    Attributes:
        step, steps: environment steps done, and of the whole run.
        labels, labels_wanted: comparisons given, and of the whole run.
        waiting_for: labels without which the agent does not go on.
        running: whether a process trains.
    """

    step: int | None = None
    steps: int | None = None
    labels: int | None = None
    labels_wanted: int | None = None
    waiting_for: int | None = None
    running: bool | None = None

    @property
    def content(self) -> bool:
        """Whether all labels of the run are given."""
        return self.labels is not None and bool(self.labels_wanted) and self.labels >= (self.labels_wanted or 0)

    @property
    def ended(self) -> bool:
        """Whether all steps of the run are done, and nothing more will be asked."""
        return self.step is not None and bool(self.steps) and self.step >= (self.steps or 0)

    @property
    def may_ask(self) -> bool:
        """Whether more queries come by themselves, as far as is known."""
        return self.running is not False and not self.content and not self.ended

    def said(self) -> dict[str, int]:
        """What is known, by name."""
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
        return self.env_id.rpartition(":")[2].removeprefix("prefrl/").removesuffix("-v0")

    @property
    def resume(self) -> str:
        """The command that goes on with the training."""
        return f"prefrl resume {self.folder}"

    def trainer(self) -> Trainer:
        """What status.json says; nothing where there is none, or one that cannot be read."""
        try:
            values: Any = json.loads((self.folder / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return NOTHING_SAID
        if not isinstance(values, dict):
            return NOTHING_SAID
        # JSON's true is an int of Python's, and its NaN a float: a trainer writes whole numbers.
        said = {name: values[name] for name in Trainer.__dataclass_fields__ if type(values.get(name)) is int}
        return Trainer(**said | {"running": self._is_running()}) if said else NOTHING_SAID

    def _is_running(self) -> bool:
        """Whether there was a sign of life of a trainer lately.

        It writes status.json after each rollout, and several times a second while it waits for labels. A long fit
        is quiet: then its lock tells, where that can be seen.
        """
        return time.time() - _written_at(self.folder / "status.json") < QUIET_S or _is_locked(self.folder / ".training")


def _written_at(path: Path) -> float:
    """Seconds since 1970."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _is_locked(path: Path) -> bool:
    """Whether a process of this machine is seen to hold a file's lock; only Linux shows it.

    To try the lock would be to take it, and a trainer that starts in that moment would be refused.
    """
    try:
        inode, locks = path.stat().st_ino, Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return False
    # By inode alone: some file systems, btrfs among them, give stat another device than the kernel's own.
    return any(" FLOCK " in line and f":{inode} " in line for line in locks.splitlines())
