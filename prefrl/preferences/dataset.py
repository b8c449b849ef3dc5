"""The answers that a learner learns from, whatever it is: rankings of K segments, with ties."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import numpy as np

from prefrl.queries import AnsweredQuery, Comparison, Query

Encoded = TypeVar("Encoded")


@dataclass(frozen=True, eq=False)
class PreferenceBatch(Generic[Encoded]):
    """B rankings of up to K segments.

    Attributes:
        encoded: what the learner made of the B queries.
        ranks: [B, K] int64, 0 for the best segment; equal ranks are a tie. 0 where there is no segment.
        mask: [B, K] bool, whether the query has that segment.
        answered: [B] the same answers with all names: of queries, segments and labelers.
    """

    encoded: Encoded
    ranks: np.ndarray
    mask: np.ndarray
    answered: list[AnsweredQuery]


class PreferenceDataset:
    """D rankings, of pairs or of more segments, as many as each query has.

    It keeps names and answers; segments are read when a batch asks for them: those of 5,500 comparisons of a game
    take 2.2 GB. A learner that makes many passes keeps an encoding of its own, by `numbers`.

    Attributes:
        answered: [D] in the order in which they were added.
        numbers: [D] each one's own, growing and never given again: by these a cache sees what is new and what is gone.
    """

    def __init__(self, read: Callable[[Sequence[str]], Mapping[str, Query]]) -> None:
        """`read`: the queries of some ids with their segments, by id, as `PreferenceStore.queries` gives them."""
        self._read = read
        self._next = 0
        self.answered: list[AnsweredQuery] = []
        self.numbers: list[int] = []

    @classmethod
    def of(cls, comparisons: Iterable[Comparison]) -> Self:
        """The dataset of comparisons that are in memory, and stay there."""
        given = list(comparisons)
        queries = {comparison.query.id: comparison.query for comparison in given}
        dataset = cls(lambda ids: {query_id: queries[query_id] for query_id in ids})
        dataset.add(comparison.without_segments() for comparison in given)
        return dataset

    def __len__(self) -> int:
        return len(self.answered)

    def add(self, answered: Iterable[AnsweredQuery]) -> None:
        """Appends answers; those that say that the segments cannot be compared are left out."""
        usable = [each for each in answered if each.answer.comparable]
        self.answered += usable
        self.numbers += range(self._next, self._next + len(usable))
        self._next += len(usable)

    def keep(self, places: Iterable[int]) -> None:
        """Forgets all answers but those with these indices, which are in growing order."""
        kept = list(places)
        self.answered = [self.answered[place] for place in kept]
        self.numbers = [self.numbers[place] for place in kept]

    def batches(
        self, order: Sequence[int], size: int, encode: Callable[[list[Query]], Encoded]
    ) -> Iterator[PreferenceBatch[Encoded]]:
        """The answers with the indices `order`, `size` at a time, each batch's segments in memory with it alone.

        Args:
            encode: makes of the B queries of a batch, with their segments, what the learner reads.
        """
        for start in range(0, len(order), size):
            answered = [self.answered[place] for place in order[start : start + size]]
            queries = self._read([each.query_id for each in answered])
            encoded = encode([queries[each.query_id] for each in answered])
            yield PreferenceBatch(encoded, *padded_ranks(answered), answered)


def padded_ranks(answered: Sequence[AnsweredQuery]) -> tuple[np.ndarray, np.ndarray]:
    """[B, K] ranks and [B, K] mask of B rankings of at most K segments."""
    sizes = np.array([len(each.segment_ids) for each in answered])
    mask = np.arange(sizes.max()) < sizes[:, None]
    ranks = np.zeros(mask.shape, np.int64)
    ranks[mask] = np.concatenate([each.answer.ranks for each in answered])
    return ranks, mask
