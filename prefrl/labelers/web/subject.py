"""What is labelled, and what its trainer says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FROM_TRAINER = ("step", "steps", "labels", "labels_wanted", "waiting_for", "seconds")


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
        return self.env_id.removeprefix("prefrl/").removesuffix("-v0")

    def trainer(self) -> dict[str, float]:
        """The numbers of status.json; none where there is none, or one that cannot be read."""
        try:
            values = json.loads((self.folder / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(values, dict):
            return {}
        numbers = {name: values.get(name) for name in FROM_TRAINER}
        return {
            name: value
            for name, value in numbers.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
