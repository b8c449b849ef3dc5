"""Training an ensemble on comparisons."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from prefrl.config import LEAST_L2, MOST_L2
from prefrl.losses import bradley_terry_loss
from prefrl.metrics import heldout_accuracy
from prefrl.queries import Comparison, Query
from prefrl.rewards.ensemble import Ensemble
from prefrl.rewards.inputs import by_name
from prefrl.rewards.memory import ImagePairs
from prefrl.segments import Segment
from prefrl.tensors import on_device

CPU = torch.device("cpu")


@dataclass(frozen=True)
class FitStats:
    """How the ensemble does on comparisons after a fit, averaged over its members.

    Attributes:
        train_loss: nats per comparison, weighted by the bootstrap; 0.69 is chance.
        heldout_loss: nats per comparison that a member never trains on; None where there are none.
        train_accuracy: share predicted rightly, ties left out.
        heldout_accuracy: the same on held-out comparisons; None where there are none.
        l2: mean L2 coefficient.
    """

    train_loss: float
    heldout_loss: float | None
    train_accuracy: float
    heldout_accuracy: float | None
    l2: float


class Batch(NamedTuple):
    """B comparisons, ready for the ensemble.

    Attributes:
        obs: name -> [B, 2, T, ...] encoded observations.
        actions: [B, 2, T, A] encoded actions.
        prefer_left: [B] label: 1, 0, or 0.5 for a tie.
        weights: [M, B] bootstrap weights.
    """

    obs: dict[str, Tensor]
    actions: Tensor
    prefer_left: Tensor
    weights: Tensor


def by_pair(query: Query) -> str:
    """The segments in no order: a pair that is asked about twice is held out twice, or trained on twice."""
    return " ".join(sorted(query.pair))


def by_query(query: Query) -> str:
    """The query itself, as in runs of version 0.1, whose pairs could come twice."""
    return query.id


class ComparisonData:
    """D comparisons of pairs of segments of T steps, which grow as answers come in.

    Attributes:
        vectors: name -> [D, 2, T, features] encoded vector observations.
        images: name -> the image observations, encoded a batch at a time.
        actions: [D, 2, T, A] encoded actions.
        prefer_left: [D] label: 1, 0, or 0.5 for a tie.
        weights: [D, M] bootstrap weight of each comparison for each member; 0 holds it out for ever.
    """

    def __init__(self, ensemble: Ensemble, heldout_by: Callable[[Query], str] = by_pair) -> None:
        """`heldout_by`: what of a query decides its weights; two of the same name have the same."""
        self._name_of = heldout_by
        self._inputs, self._device, self._members = ensemble.inputs, ensemble.device, ensemble.config.members
        self.vectors: dict[str, Tensor] = {}
        self.images = {
            name: ImagePairs(ensemble.device, partial(ensemble.reduced, name)) for name in ensemble.inputs.shapes.images
        }
        self.actions = torch.empty(0)
        self.prefer_left = torch.empty(0, device=self._device)
        self.weights = torch.empty(0, self._members, device=self._device)

    def __len__(self) -> int:
        return len(self.prefer_left)

    def add(self, comparisons: Iterable[Comparison]) -> None:
        """Takes in comparisons of two segments; those that cannot be compared are left out.

        Raises:
            ValueError: segments of other lengths than before.
        """
        usable = [comparison for comparison in comparisons if comparison.answer.comparable]
        if not usable:
            return
        segments = [segment for comparison in usable for segment in comparison.query.segments]
        lengths = {len(segment) for segment in segments} | ({self.actions.shape[2]} if len(self) else set())
        if len(lengths) > 1:
            raise ValueError(f"segments of {sorted(lengths)} steps cannot be trained on together; keep one clip length")
        for name, kept in self.images.items():
            for comparison in usable:
                kept.append(*(self._channels_first(name, segment) for segment in comparison.query.segments))
        vectors, actions = self._encode(segments, (len(usable), 2, *lengths))
        labels = torch.tensor([comparison.answer.prefer_left for comparison in usable], device=self._device)
        names = [self._name_of(comparison.query) for comparison in usable]
        weights = np.array([bootstrap_weights(name, self._members) for name in names])
        first = len(self) == 0
        self.vectors = vectors if first else {k: torch.cat([self.vectors[k], vectors[k]]) for k in vectors}
        self.actions = actions if first else torch.cat([self.actions, actions])
        self.prefer_left = torch.cat([self.prefer_left, labels])
        self.weights = torch.cat([self.weights, torch.tensor(weights, device=self._device).float()])

    def _channels_first(self, name: str, segment: Segment) -> np.ndarray:
        return self._inputs.observation(name, on_device(by_name(segment.obs)[name], CPU)).numpy()

    def _encode(self, segments: list[Segment], shape: tuple[int, ...]) -> tuple[dict[str, Tensor], Tensor]:
        """Vector observations by name, and actions, as [*shape, features]."""
        raw = {
            name: np.concatenate([by_name(segment.obs)[name] for segment in segments])
            for name in self._inputs.shapes.vectors
        }
        vectors = self._inputs.observations(raw, self._device)
        actions = self._inputs.actions(np.concatenate([segment.actions for segment in segments]), self._device)
        return {name: rows.reshape(*shape, -1) for name, rows in vectors.items()}, actions.reshape(*shape, -1)

    def keep(self, places: Sequence[int]) -> None:
        """Forgets all comparisons but those with these indices."""
        if len(places) == len(self):
            return
        for kept in self.images.values():
            kept.keep(places)
        index = torch.as_tensor(places, dtype=torch.long, device=self._device)
        self.vectors = {name: rows[index] for name, rows in self.vectors.items()}
        self.actions, self.prefer_left = self.actions[index], self.prefer_left[index]
        self.weights = self.weights[index]

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """The comparisons with the indices `order`, a tensor on the CPU, `size` at a time."""
        for numbers, batch in zip(order.split(size), order.to(self._device).split(size), strict=True):
            yield Batch(
                obs={name: rows[batch] for name, rows in self.vectors.items()}
                | {name: kept.take(numbers.tolist()) for name, kept in self.images.items()},
                actions=self.actions[batch],
                prefer_left=self.prefer_left[batch],
                weights=self.weights[batch].T,
            )


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


def predicted_returns(ensemble: Ensemble, obs: dict[str, Tensor], actions: Tensor) -> Tensor:
    """[M, B, 2] predicted return of both segments of B pairs: obs name -> [B, 2, T, ...], actions [B, 2, T, A]."""
    pairs, sides, length = actions.shape[:3]
    flat = {name: rows.reshape(-1, *rows.shape[3:]) for name, rows in obs.items()}
    rewards = ensemble.raw(flat, actions.reshape(pairs * sides * length, -1))
    return rewards.reshape(-1, pairs, sides, length).sum(-1)


def make_optimizer(ensemble: Ensemble) -> torch.optim.Adam:
    """Adam over all members' parameters; being elementwise it keeps them apart."""
    return torch.optim.Adam(ensemble.network.parameters(), lr=ensemble.config.reward_lr, fused=True)


def fit(
    ensemble: Ensemble,
    optimizer: torch.optim.Optimizer,
    data: ComparisonData,
    epochs: int,
    generator: torch.Generator,
) -> FitStats:
    """Trains every member on its bootstrap sample, adapting each one's L2 coefficient after every epoch.

    Args:
        epochs: passes over the comparisons, or over `config.fit_sample` of them, drawn anew for each.
        generator: on the CPU; draws the order of the comparisons, and the seed of what the network draws.

    Returns:
        How the ensemble does afterwards on the latest comparisons: a third of `config.fit_sample`, or all.
    """
    torch.set_flush_denormal(True)  # L2 shrinks idle weights until arithmetic on them is ten times slower
    ensemble.network.train()
    try:
        with _seeded(generator, ensemble.device):
            _train(ensemble, optimizer, data, epochs, generator)
    finally:
        ensemble.network.eval()
        torch.set_flush_denormal(False)  # it is the whole process's setting
    return assess(ensemble, data, _judged(ensemble.config.fit_sample))


def _judged(sample: int | None) -> int | None:
    """A third of what a pass has, which then takes a seventh of the fit's time; where that is all, all."""
    return None if sample is None else max(sample // 3, 1)


@contextmanager
def _seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """torch's global generators, from which dropout draws, seeded by `generator`, and afterwards as they were."""
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _train(
    ensemble: Ensemble,
    optimizer: torch.optim.Optimizer,
    data: ComparisonData,
    epochs: int,
    generator: torch.Generator,
) -> None:
    config = ensemble.config
    for _ in range(epochs):
        train, heldout = torch.zeros_like(ensemble.l2), torch.zeros_like(ensemble.l2)
        order = torch.randperm(len(data), generator=generator)[: config.fit_sample]
        seen = data.weights[order.to(ensemble.device)]
        for batch in data.batches(order, config.fit_batch):
            losses = _losses(ensemble, batch)
            weights = batch.weights
            member_loss = (losses * weights).mean(1)
            penalty = sum(p.square().reshape(config.members, -1).sum(1) for p in ensemble.network.parameters())
            optimizer.zero_grad()
            (member_loss + ensemble.l2 * penalty).sum().backward()
            optimizer.step()
            train += (losses.detach() * weights).sum(1)
            heldout += (losses.detach() * (weights == 0)).sum(1)
        _adapt_l2(ensemble, train / _at_least_one(seen.sum(0)), heldout, (seen == 0).sum(0))


def _losses(ensemble: Ensemble, batch: Batch) -> Tensor:
    """[M, B] loss of each member on each comparison."""
    returns = predicted_returns(ensemble, batch.obs, batch.actions)
    labels = batch.prefer_left.expand(len(returns), -1)
    return bradley_terry_loss(returns[..., 0], returns[..., 1], labels, ensemble.config.response_noise)


def _adapt_l2(ensemble: Ensemble, train_mean: Tensor, heldout_sum: Tensor, heldout_number: Tensor) -> None:
    """Keeps each member's held-out loss between l2_low and l2_high times its training loss.

    Means are compared, not sums: a member trains on about twice as many comparisons as it holds out.
    Christiano et al. 2017, sec. 2.2.3; the factor of 1.1 an epoch is ours.
    """
    config = ensemble.config
    ratio = heldout_sum / _at_least_one(heldout_number) / train_mean
    factor = torch.where(ratio > config.l2_high, 1.1, torch.where(ratio < config.l2_low, 1 / 1.1, 1.0))
    factor = torch.where(heldout_number > 0, factor, 1.0)
    adapted = (ensemble.l2 * factor).clamp(LEAST_L2, MOST_L2)
    ensemble.l2 = torch.where(ensemble.l2 > 0, adapted, ensemble.l2)  # off stays off


@torch.no_grad()
def assess(ensemble: Ensemble, data: ComparisonData, latest: int | None = None) -> FitStats:
    """How the ensemble does on the `latest` comparisons, or on all."""
    number = min(latest or len(data), len(data))
    order = torch.arange(len(data) - number, len(data))
    batches = data.batches(order, ensemble.config.fit_batch)
    difference = torch.cat([_difference(ensemble, batch) for batch in batches], dim=1)
    labels, weights = data.prefer_left[-number:], data.weights[-number:].T
    losses = bradley_terry_loss(
        difference, torch.zeros_like(difference), labels.expand_as(difference), ensemble.config.response_noise
    )
    right = (difference > 0) == (labels > 0.5)
    heldout, trained = (weights == 0).float(), weights * (labels != 0.5)
    return FitStats(
        train_loss=float((losses * weights).sum() / _at_least_one(weights.sum())),
        heldout_loss=float((losses * heldout).sum() / heldout.sum()) if heldout.any() else None,
        train_accuracy=float((right * trained).sum() / _at_least_one(trained.sum())),
        heldout_accuracy=heldout_accuracy(difference.cpu().numpy(), labels.cpu().numpy(), weights.T.cpu().numpy()),
        l2=float(ensemble.l2.mean()),
    )


def _difference(ensemble: Ensemble, batch: Batch) -> Tensor:
    returns = predicted_returns(ensemble, batch.obs, batch.actions)
    return returns[..., 0] - returns[..., 1]


def _at_least_one(number: Tensor) -> Tensor:
    return number.clamp_min(1)
