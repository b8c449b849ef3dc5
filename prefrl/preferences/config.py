"""The settings of the queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prefrl.core.settings import require, require_at_least, require_positive


@dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """The queries: which pairs, and when."""

    initial_fraction: float = 0.25  # of the labels, asked about what is done before learning
    random_share: float = 0.5  # of the environments, rounded down, that act at random before learning; the paper's is 0
    schedule: Literal["hyperbolic", "constant", "all_at_start"] = "hyperbolic"
    schedule_constant: float = 2e6  # steps after which the hyperbolic label rate has halved
    round_steps: int = 16_384  # steps between two rounds of queries, each followed by a fit
    selection: str = "disagreement"  # disagreement, uniform, entropy, k_center, or module:function
    oversample: int = 10  # candidate pairs per pair asked
    pool_steps: int = 65_536  # recent steps that are asked about, and over which the reward is normalized

    def __post_init__(self) -> None:
        require_at_least(1, self, "round_steps", "oversample", "pool_steps")
        require_positive(self, "schedule_constant")
        for name in ("initial_fraction", "random_share"):
            share = getattr(self, name)
            require(0 <= share <= 1, f"{name} must be in [0, 1], got {share}")
