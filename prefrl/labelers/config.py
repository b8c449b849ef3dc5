"""The settings of the synthetic labeler."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prefrl.core.settings import require


@dataclass(frozen=True, kw_only=True)
class OracleConfig:
    """The errors of the synthetic labeler; with the defaults it makes none. B-Pref, Lee et al. 2021, sec. 4.1."""

    beta: float = math.inf  # rationality: P(left) = sigmoid(beta (R_left - R_right)); inf never errs
    discount: float = 1.0  # weight of a step relative to the one after it; below 1 the oracle is myopic
    mistakes: float = 0.0  # probability of a flipped answer
    skip_below: float = -math.inf  # a pair whose returns are both below this is skipped
    tie_within: float = 0.0  # a difference in returns below this is a tie, and so are equal ones

    def __post_init__(self) -> None:
        require(self.beta >= 0, f"beta must not be negative, got {self.beta}; inf never errs")
        require(0 < self.discount <= 1, f"discount must be in (0, 1], got {self.discount}; 1 weighs all steps alike")
        require(0 <= self.mistakes <= 1, f"mistakes is a probability, got {self.mistakes}")
        require(not math.isnan(self.skip_below), "skip_below must be a return, got nan; -inf skips nothing")
        require(self.tie_within >= 0, f"tie_within must not be negative, got {self.tie_within}; 0 has no ties")
