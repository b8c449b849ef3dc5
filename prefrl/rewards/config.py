"""The settings of the reward model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefrl.core.settings import (
    require,
    require_at_least,
    require_not_negative,
    require_positive,
    require_units,
)

LEAST_L2 = 1e-8
MOST_L2 = 1.0
"""The bounds between which the weight of the sum of squared parameters is adapted."""


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """The reward model: an ensemble trained on comparisons."""

    network: str = "auto"  # auto (cnn where there are images, else mlp), mlp, cnn, paper_cnn, or module:function
    members: int = 3  # predictors in the ensemble
    hidden: tuple[int, ...] = (64, 64)  # hidden units of each predictor
    learning_rate: float = 3e-3  # Adam's
    batch_size: int = 64  # comparisons per gradient step
    initial_epochs: int = 50  # passes over the comparisons in the first fit
    epochs: int = 2  # passes over the comparisons in each later fit
    fit_sample: int | None = None  # comparisons drawn for each pass; None for all: images take 10 ms each and more
    response_noise: float = 0.1  # share of answers taken to be given at random
    l2: float = 1e-2  # initial weight of the sum of squared parameters, adapted per member; 0 turns it off
    l2_low: float = 1.3  # held-out over training loss below which l2 shrinks
    l2_high: float = 1.5  # held-out over training loss above which l2 grows
    std: float = 1.0  # of the normalized reward, whose mean is 0; an agent that scales rewards scales it away
    label_window: int | None = None  # train on so many of the latest comparisons; None for all

    def __post_init__(self) -> None:
        require_at_least(1, self, "members", "batch_size")
        require_at_least(0, self, "initial_epochs", "epochs")
        require_units("hidden", self.hidden)
        require_positive(self, "std")
        require(0 <= self.response_noise < 1, f"response_noise must be in [0, 1), got {self.response_noise}")
        require_not_negative(self, "learning_rate", "l2", "l2_low", "l2_high")
        require(
            self.l2_low <= self.l2_high,
            f"l2_low must not be above l2_high, got {self.l2_low} and {self.l2_high}; between them l2 stays",
        )
        for name in ("label_window", "fit_sample"):
            most = getattr(self, name)
            require(most is None or most >= 1, f"{name} must be at least 1, got {most}")


def with_new_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in JSON that version 0.1 wrote by other names, by those that `RewardConfig` has."""
    return {OLD_NAMES.get(name, name): value for name, value in values.items()}


OLD_NAMES = {"reward_lr": "learning_rate", "fit_batch": "batch_size", "reward_std": "std"}
