"""How good a reward model or a run is: arrays in, numbers out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def pearson(a: ArrayLike, b: ArrayLike) -> float | None:
    """Linear correlation of two [N] arrays, or None where one of them does not vary."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def spearman(a: ArrayLike, b: ArrayLike) -> float | None:
    """Rank correlation of two [N] arrays, ties at their mean rank; None where one of them does not vary."""
    return pearson(ranks(a), ranks(b))


def ranks(values: ArrayLike) -> np.ndarray:
    """[N] rank of each value, from 0; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return (last - (counts - 1) / 2.0)[inverse]


def heldout_accuracy(return_difference: np.ndarray, prefer_left: np.ndarray, weights: np.ndarray) -> float | None:
    """Share of comparisons that the members that never trained on them predict rightly.

    Args:
        return_difference: [M, D] predicted return of the left segment minus the right one's.
        prefer_left: [D] label: 1, 0, or 0.5 for a tie; ties are left out.
        weights: [D, M] bootstrap weight; a member predicts only what it has weight 0 for.

    Returns:
        The share in [0, 1] over (comparison, member) pairs; None where there is nothing held out.
    """
    heldout = (weights.T == 0) & (prefer_left != 0.5)[None]
    if not heldout.any():
        return None
    right = (return_difference > 0) == (prefer_left > 0.5)[None]
    return float(right[heldout].mean())


def normalised_return(true_return: float, random_return: float, reference_return: float) -> float:
    """N = (R - R_random) / (R_reference - R_random): 0 for the random policy, 1 for RL on the true reward."""
    return (true_return - random_return) / (reference_return - random_return)
