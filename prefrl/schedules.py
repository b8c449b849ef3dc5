"""The number of labels due after t steps. A schedule starts at the initial labels and ends at the budget."""

from __future__ import annotations

import math
from collections.abc import Callable


def hyperbolic(step: int, total_steps: int, labels: int, initial: int, constant: float) -> int:
    """Labels due after `step` steps if they are asked at a rate proportional to constant / (step + constant).

    Args:
        step: environment steps done.
        total_steps: environment steps of the whole run, at which all labels are due.
        labels: the budget, the initial ones included.
        initial: labels due before the agent's first step.
        constant: steps after which the rate has halved; 2e6 for MuJoCo.

    Christiano et al. 2017, appendix A.1, in cumulative form.
    """
    share = math.log1p(min(step, total_steps) / constant) / math.log1p(total_steps / constant)
    return initial + math.floor((labels - initial) * share + 0.5)


def constant(step: int, total_steps: int, labels: int, initial: int, constant: float) -> int:
    """Labels due at a constant rate; `constant` is not used."""
    return initial + math.floor((labels - initial) * min(step, total_steps) / total_steps + 0.5)


def all_at_start(step: int, total_steps: int, labels: int, initial: int, constant: float) -> int:
    """All labels before training: the paper's ablation "no online queries"."""
    return labels


Schedule = Callable[[int, int, int, int, float], int]
SCHEDULES: dict[str, Schedule] = {
    "hyperbolic": hyperbolic,
    "constant": constant,
    "all_at_start": all_at_start,
}
