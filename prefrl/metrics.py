"""Metrics of reward models, runs and labelers: arrays in, numbers out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

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


def normalized_return(true_return: float, random_return: float, reference_return: float) -> float:
    """N = (R - R_random) / (R_reference - R_random): 0 for the random policy, 1 for RL on the true reward."""
    return (true_return - random_return) / (reference_return - random_return)


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a probability, for something that happened `count` times of `of`.

    Wilson 1927; unlike the normal approximation it is right for few and for all.
    """
    z2, share = 1.959964**2, count / of
    middle, half = share + z2 / (2 * of), (z2 * (share * (1 - share) / of + z2 / (4 * of**2))) ** 0.5
    return max(0.0, (middle - half) / (1 + z2 / of)), min(1.0, (middle + half) / (1 + z2 / of))


def cohens_kappa(a: Sequence[Hashable], b: Sequence[Hashable]) -> float | None:
    """Agreement of two raters about N things beyond chance: 1 perfect, 0 as by chance.

    Args:
        a: [N] categories that the first rater gave.
        b: [N] those of the second.

    Returns:
        (observed - expected) / (1 - expected), or None where chance alone would agree always, or N is 0.

    Cohen 1960.
    """
    if len(a) != len(b):
        raise ValueError(f"two raters of the same things, got {len(a)} and {len(b)} ratings")
    num, of_a, of_b = len(a), Counter(a), Counter(b)
    agreed = sum(x == y for x, y in zip(a, b, strict=True))
    by_chance = sum(of_a[category] * of_b[category] for category in of_a)  # times N
    return None if by_chance == num**2 else (num * agreed - by_chance) / (num**2 - by_chance)


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Agreement of any number of raters beyond chance, each rating what they please: 1 perfect, 0 as by chance.

    Args:
        units: of each thing the categories that it was given; things with fewer than two do not count.

    Returns:
        1 - observed / expected disagreement (nominal), or None where only one category was given.

    Krippendorff 2011, "Computing Krippendorff's alpha-reliability".
    """
    counters = [Counter(unit) for unit in units if len(unit) > 1]
    total = sum(counters, Counter[Hashable]())
    observed = sum(_unlike(counter) / (counter.total() - 1) for counter in counters)
    expected = _unlike(total) / (total.total() - 1) if total else 0.0
    return None if not expected else 1 - observed / expected


def _unlike(counter: Counter[Hashable]) -> int:
    """Ordered pairs of unlike values."""
    return counter.total() ** 2 - sum(count**2 for count in counter.values())
