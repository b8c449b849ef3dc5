"""Which of the candidate pairs to ask about: scores and rng in, indices out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Candidates:
    """P pairs of segments that could be asked about.

    Attributes:
        returns: [M, P, 2] predicted return of both segments by M members, on the scale that the
            comparisons are trained on.
        describe: makes `features`; of images that takes a while, and most selections do without.
    """

    returns: np.ndarray
    describe: Callable[[], np.ndarray]

    @cached_property
    def features(self) -> np.ndarray:
        """[P, F] what the pairs look like; near rows are similar pairs."""
        return self.describe()

    def __len__(self) -> int:
        return self.returns.shape[1]

    def part(self, places: np.ndarray) -> Candidates:
        """The candidates with these indices."""
        return Candidates(self.returns[:, places], lambda: self.features[places])


Selection = Callable[[Candidates, int, np.random.Generator], np.ndarray]


def uniform(candidates: Candidates, num: int, rng: np.random.Generator) -> np.ndarray:
    """[num] indices drawn without replacement."""
    _check(candidates, num)
    return rng.choice(len(candidates), num, replace=False)


def most_disagreed(candidates: Candidates, num: int, rng: np.random.Generator) -> np.ndarray:
    """[num] pairs with the largest variance of the predicted preference across the ensemble.

    Christiano et al. 2017, sec. 2.2.4. `rng` breaks ties, so that a fresh ensemble does not always
    ask about the first pairs.
    """
    _check(candidates, num)
    return _highest(_preferences(candidates).var(axis=0), num, rng)


def most_uncertain(candidates: Candidates, num: int, rng: np.random.Generator) -> np.ndarray:
    """[num] pairs with the largest entropy of the ensemble's mean preference (B-Pref, Lee et al. 2021)."""
    _check(candidates, num)
    mean = _preferences(candidates).mean(axis=0).clip(1e-12, 1 - 1e-12)
    return _highest(-(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)), num, rng)


def k_center(candidates: Candidates, num: int, rng: np.random.Generator) -> np.ndarray:
    """[num] pairs that cover the candidates: each the farthest from those picked before it.

    Greedy k-center (Sener and Savarese 2018), as in B-Pref; the first pair is drawn.
    """
    _check(candidates, num)
    features = candidates.features
    picked = [int(rng.integers(len(candidates)))]
    distance = np.full(len(candidates), np.inf)
    while len(picked) < num:
        distance = np.minimum(distance, np.square(features - features[picked[-1]]).sum(axis=1))
        distance[picked] = -1.0
        picked.append(int(distance.argmax()))
    return np.array(picked[:num])


SELECTIONS: dict[str, Selection] = {
    "disagreement": most_disagreed,
    "uniform": uniform,
    "entropy": most_uncertain,
    "k_center": k_center,
}


def _preferences(candidates: Candidates) -> np.ndarray:
    """[M, P] each member's probability that the first segment is preferred."""
    difference = candidates.returns[..., 0] - candidates.returns[..., 1]
    return 0.5 * (1.0 + np.tanh(0.5 * difference))


def _highest(scores: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """[num] indices of the highest scores, highest first, ties in random order."""
    shuffled = rng.permutation(len(scores))
    return shuffled[np.argsort(-scores[shuffled], kind="stable")[:num]]


def _check(candidates: Candidates, num: int) -> None:
    if num > len(candidates):
        raise ValueError(f"cannot pick {num} pairs out of {len(candidates)} candidates")
