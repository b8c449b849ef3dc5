"""The run that is labeled, and the state of its trainer, for the window and the page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from prefrl_envs.task import TaskConfig

from prefrl.runs import RunFolder
from prefrl.runs.lock import trainer_is_present
from prefrl.runs.status import Status


@dataclass(frozen=True)
class Trainer(Status):
    """A trainer's status, and whether the trainer is still there; None where unknown.

    Attributes:
        running: whether a process trains.
    """

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
    def finished(self) -> bool:
        """Whether nothing more will be asked: all labels are given, or all steps are done and nobody trains."""
        return self.content or (self.ended and self.running is False)

    @property
    def may_ask(self) -> bool:
        """Whether more queries come by themselves, as far as is known."""
        return self.running is not False and not self.content and not self.ended

    def said(self) -> dict[str, int]:
        """The fields that are known, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NOTHING_SAID = Trainer()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A run, as far as a labeler needs to know it.

    Attributes:
        task: the environment, as the run makes it.
        folder: of the run.
    """

    task: TaskConfig
    folder: Path

    @property
    def name(self) -> str:
        return self.task.id.rpartition(":")[2].removeprefix("prefrl/").removesuffix("-v0")

    @property
    def resume(self) -> str:
        """The command that goes on with the training."""
        return f"prefrl resume {self.folder}"

    def trainer(self) -> Trainer:
        """Reads the status; all fields are unknown if it is missing or cannot be read."""
        status = RunFolder(self.folder).status()
        if status == Status():
            return NOTHING_SAID
        return Trainer(**asdict(status), running=trainer_is_present(self.folder))
