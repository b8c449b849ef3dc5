"""A dataset encoded for an ensemble, once, and kept from fit to fit."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from prefrl.core.errors import PrefrlError
from prefrl.preferences.dataset import PreferenceBatch, PreferenceDataset
from prefrl.queries import AnsweredQuery, Query
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.memory import PackedImages
from prefrl.segments import Segment
from prefrl.tensors import on_device

CPU = torch.device("cpu")
ENCODED_AT_ONCE = 500  # queries whose segments are in memory together


class EncodedBatch(NamedTuple):
    """B rankings with S segments in all, ready for the ensemble.

    Attributes:
        obs: name -> [S, T, ...] encoded observations.
        actions: [S, T, A] encoded actions.
        places: [B, K] which of the S segments is the query's k-th; any where it has none.
        ranks: [B, K] 0 for the best; equal ranks are a tie.
        mask: [B, K] whether the query has a k-th segment.
        weights: [M, B] bootstrap weights.
    """

    obs: dict[str, Tensor]
    actions: Tensor
    places: Tensor
    ranks: Tensor
    mask: Tensor
    weights: Tensor


def by_pair(answered: AnsweredQuery) -> str:
    """The segments in no order: a pair that is asked about twice is held out twice, or trained on twice."""
    return " ".join(sorted(set(answered.segment_ids)))


def by_query(answered: AnsweredQuery) -> str:
    """The query itself, as in runs of version 0.1, whose pairs could come twice."""
    return answered.query_id


class EncodedPreferences:
    """D rankings of segments of T steps, S segments in all, one query's after another's.

    Attributes:
        vectors: name -> [S, T, features] encoded vector observations.
        images: name -> the image observations by query, encoded a batch at a time.
        actions: [S, T, A] encoded actions.
        ranks: [D, K] 0 for the best; equal ranks are a tie.
        mask: [D, K] whether the query has a k-th segment.
        weights: [D, M] bootstrap weight of each ranking for each member; 0 holds it out for ever.
    """

    def __init__(self, ensemble: RewardEnsemble, heldout_by: Callable[[AnsweredQuery], str] = by_pair) -> None:
        """`heldout_by`: what of an answer decides its weights; two of the same name have the same."""
        self._name_of = heldout_by
        self._inputs, self._device, self._members = ensemble.inputs, ensemble.device, ensemble.config.members
        self._numbers: list[int] = []  # of the dataset that it follows
        self._sizes = torch.empty(0, dtype=torch.long)  # [D] segments of each query
        self.vectors: dict[str, Tensor] = {}
        self.images = {
            name: PackedImages(ensemble.device, partial(ensemble.reduced, name))
            for name in ensemble.inputs.shapes.images
        }
        self.actions = torch.empty(0)
        self.ranks = torch.empty(0, 0, dtype=torch.long, device=self._device)
        self.mask = torch.empty(0, 0, dtype=torch.bool, device=self._device)
        self.weights = torch.empty(0, self._members, device=self._device)

    def __len__(self) -> int:
        return len(self._numbers)

    def update(self, dataset: PreferenceDataset) -> None:
        """Encodes what is new in the dataset since the last time, and forgets what is gone from it.

        Raises:
            PrefrlError: segments of different lengths.
        """
        present = set(dataset.numbers)
        self._keep([place for place, number in enumerate(self._numbers) if number in present])
        new = range(len(self), len(dataset))  # a dataset only forgets and appends
        for batch in dataset.batches(new, ENCODED_AT_ONCE, self._encode):
            self._append(batch)
            self._numbers = dataset.numbers[: len(self) + len(batch.answered)]

    def batches(self, order: Tensor, size: int) -> Iterator[EncodedBatch]:
        """The rankings with the indices `order`, a tensor on the CPU, `size` at a time."""
        rows = self._rows(order)
        sizes = [int(part.sum()) for part in self._sizes[order].split(size)]
        parts = zip(
            order.split(size),
            order.to(self._device).split(size),
            rows.to(self._device).split(sizes),
            self._places(order, size).to(self._device).split(size),
            strict=True,
        )
        for numbers, batch, segments, places in parts:
            yield EncodedBatch(
                obs={name: kept[segments] for name, kept in self.vectors.items()}
                | {name: kept.take(numbers.tolist()) for name, kept in self.images.items()},
                actions=self.actions[segments],
                places=places,
                ranks=self.ranks[batch],
                mask=self.mask[batch],
                weights=self.weights[batch].T,
            )

    def _rows(self, order: Tensor) -> Tensor:
        """Which of the S segments are those of these queries, one query's after another's."""
        sizes = self._sizes[order]
        first = (self._sizes.cumsum(0) - self._sizes)[order]
        before = sizes.cumsum(0) - sizes
        return torch.arange(int(sizes.sum())) + (first - before).repeat_interleave(sizes)

    def _places(self, order: Tensor, size: int) -> Tensor:
        """[N, K] the place of each query's k-th segment in its batch of `size` queries; 0 where it has none."""
        sizes = self._sizes[order]
        before = sizes.cumsum(0) - sizes
        in_batch = before - before[torch.arange(len(order)) // size * size]
        k = torch.arange(self.ranks.shape[1])
        return (in_batch[:, None] + k).masked_fill(k >= sizes[:, None], 0)

    def _keep(self, places: list[int]) -> None:
        if len(places) == len(self):
            return
        order = torch.tensor(places, dtype=torch.long)
        rows, queries = self._rows(order).to(self._device), order.to(self._device)
        for kept in self.images.values():
            kept.keep(places)
        self.vectors = {name: encoded[rows] for name, encoded in self.vectors.items()}
        self.actions, self._sizes = self.actions[rows], self._sizes[order]
        self.ranks, self.mask, self.weights = self.ranks[queries], self.mask[queries], self.weights[queries]
        self._numbers = [self._numbers[place] for place in places]

    def _append(self, batch: PreferenceBatch[tuple[dict[str, Tensor], Tensor]]) -> None:
        vectors, actions = batch.encoded
        names = [self._name_of(each) for each in batch.answered]
        weights = np.array([bootstrap_weights(name, self._members) for name in names])
        ranks, mask = (torch.as_tensor(array, device=self._device) for array in (batch.ranks, batch.mask))
        first = len(self._sizes) == 0
        self.vectors = vectors if first else {k: torch.cat([self.vectors[k], vectors[k]]) for k in vectors}
        self.actions = actions if first else torch.cat([self.actions, actions])
        self._sizes = torch.cat([self._sizes, torch.as_tensor(batch.mask.sum(1))])
        self.ranks, self.mask = _stacked(self.ranks, ranks), _stacked(self.mask, mask)
        self.weights = torch.cat([self.weights, torch.tensor(weights, device=self._device).float()])

    def _encode(self, queries: list[Query]) -> tuple[dict[str, Tensor], Tensor]:
        """Vector observations by name, and actions, of all segments: [S, T, features]; takes in the images."""
        segments = [segment for query in queries for segment in query.segments]
        length = self._common_length(segments)
        for name, kept in self.images.items():
            for query in queries:
                kept.append([self._channels_first(name, segment) for segment in query.segments])
        raw = {
            name: np.concatenate([segment.obs[name] for segment in segments]) for name in self._inputs.shapes.vectors
        }
        vectors = self._inputs.observations(raw, self._device)
        actions = self._inputs.actions(np.concatenate([segment.actions for segment in segments]), self._device)
        shape = len(segments), length, -1
        return {name: rows.reshape(shape) for name, rows in vectors.items()}, actions.reshape(shape)

    def _common_length(self, segments: Sequence[Segment]) -> int:
        lengths = {len(segment) for segment in segments}
        if len(self._sizes):
            lengths.add(self.actions.shape[1])
        if len(lengths) > 1:
            raise PrefrlError(
                f"segments of {sorted(lengths)} steps cannot be trained on together; keep one clip length"
            )
        return lengths.pop()

    def _channels_first(self, name: str, segment: Segment) -> np.ndarray:
        return self._inputs.observation(name, on_device(segment.obs[name], CPU)).numpy()


def _stacked(above: Tensor, below: Tensor) -> Tensor:
    """Rows of two tables as one, padded with 0 to the width of the wider one."""
    width = max(above.shape[1], below.shape[1])
    return torch.cat([F.pad(rows, (0, width - rows.shape[1])) for rows in (above, below)])


def bootstrap_weights(name: str, members: int) -> list[int]:
    """[M] Poisson(1) weights, a function of (name, member) alone: held out once is held out for ever.

    1/e of the weights are 0, the share that a bootstrap sample of |D| out of |D| leaves out.
    """
    return [_poisson(_uniform(f"{name} {member}")) for member in range(members)]


def _uniform(key: str) -> float:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64


def _poisson(uniform: float) -> int:
    """The Poisson(1) quantile at `uniform` in [0, 1)."""
    number, probability = 0, math.exp(-1)
    while uniform >= probability and number < 20:
        uniform -= probability
        number += 1
        probability /= number
    return number
