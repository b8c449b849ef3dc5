"""Training an ensemble on comparisons."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prefrl.losses import bradley_terry_loss
from prefrl.metrics import heldout_accuracy
from prefrl.queries import Comparison
from prefrl.rewards.ensemble import Ensemble
from prefrl.rollouts import steps_of


@dataclass(frozen=True)
class FitStats:
    """How the ensemble does on the comparisons after a fit, averaged over its members.

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


class ComparisonData:
    """D comparisons of pairs of segments of T steps as tensors, which grow as answers come in.

    Attributes:
        obs: name -> [D, 2, T, ...] encoded observations.
        actions: [D, 2, T, A] encoded actions.
        prefer_left: [D] label: 1, 0, or 0.5 for a tie.
        weights: [D, M] bootstrap weight of each comparison for each member; 0 holds it out for ever.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self.obs: dict[str, Tensor] = {}
        self.actions = torch.empty(0)
        self.prefer_left = torch.empty(0, device=ensemble.device)
        self.weights = torch.empty(0, ensemble.config.members, device=ensemble.device)

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
        (length,) = lengths
        obs, actions = self._ensemble.encode(*steps_of(segments))
        shape = (len(usable), 2, length)
        new_obs = {name: rows.reshape(*shape, *rows.shape[1:]) for name, rows in obs.items()}
        device = self._ensemble.device
        labels = torch.tensor([comparison.answer.prefer_left for comparison in usable], device=device)
        weights = torch.tensor(
            np.array([bootstrap_weights(c.query.id, self.weights.shape[1]) for c in usable]), device=device
        ).float()
        new_actions = actions.reshape(*shape, -1)
        first = len(self) == 0
        self.obs = new_obs if first else {k: torch.cat([self.obs[k], new_obs[k]]) for k in new_obs}
        self.actions = new_actions if first else torch.cat([self.actions, new_actions])
        self.prefer_left = torch.cat([self.prefer_left, labels])
        self.weights = torch.cat([self.weights, weights])

    def keep_latest(self, number: int) -> None:
        """Forgets all but the latest `number` comparisons."""
        self.obs = {name: rows[-number:] for name, rows in self.obs.items()}
        self.actions, self.prefer_left = self.actions[-number:], self.prefer_left[-number:]
        self.weights = self.weights[-number:]


def bootstrap_weights(comparison_id: str, members: int) -> list[int]:
    """[M] Poisson(1) weights, a function of (comparison, member) alone: held out once is held out for ever.

    1/e of the weights are 0, the share that a bootstrap sample of |D| out of |D| leaves out.
    """
    return [_poisson(_uniform(f"{comparison_id} {member}")) for member in range(members)]


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
        generator: on the CPU; draws the order of the comparisons.

    Returns:
        How the ensemble does on all comparisons afterwards.
    """
    torch.set_flush_denormal(True)  # L2 shrinks idle weights until arithmetic on them is ten times slower
    try:
        _train(ensemble, optimizer, data, epochs, generator)
    finally:
        torch.set_flush_denormal(False)  # it is the whole process's setting
    return assess(ensemble, data)


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
        order = torch.randperm(len(data), generator=generator).to(ensemble.device)
        for batch in order.split(config.fit_batch):
            losses = _losses(ensemble, data, batch)
            weights = data.weights[batch].T
            member_loss = (losses * weights).sum(1) / len(batch)
            penalty = sum(p.square().reshape(config.members, -1).sum(1) for p in ensemble.network.parameters())
            optimizer.zero_grad()
            (member_loss + ensemble.l2 * penalty).sum().backward()
            optimizer.step()
            train += (losses.detach() * weights).sum(1)
            heldout += (losses.detach() * (weights == 0)).sum(1)
        _adapt_l2(ensemble, train / _at_least_one(data.weights.sum(0)), heldout, (data.weights == 0).sum(0))


def _losses(ensemble: Ensemble, data: ComparisonData, batch: Tensor) -> Tensor:
    """[M, B] loss of each member on the comparisons with the indices `batch`."""
    returns = predicted_returns(ensemble, {k: rows[batch] for k, rows in data.obs.items()}, data.actions[batch])
    labels = data.prefer_left[batch].expand(len(returns), -1)
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
    ensemble.l2 = (ensemble.l2 * factor).clamp(1e-8, 1.0)


@torch.no_grad()
def assess(ensemble: Ensemble, data: ComparisonData, chunk: int = 1024) -> FitStats:
    """How the ensemble does on all comparisons."""
    everything = torch.arange(len(data), device=ensemble.device)
    difference = torch.cat([_difference(ensemble, data, part) for part in everything.split(chunk)], dim=1)
    labels, weights = data.prefer_left, data.weights.T
    losses = bradley_terry_loss(
        difference, torch.zeros_like(difference), labels.expand_as(difference), ensemble.config.response_noise
    )
    right = (difference > 0) == (labels > 0.5)
    heldout, trained = (weights == 0).float(), weights * (labels != 0.5)
    return FitStats(
        train_loss=float((losses * weights).sum() / _at_least_one(weights.sum())),
        heldout_loss=float((losses * heldout).sum() / heldout.sum()) if heldout.any() else None,
        train_accuracy=float((right * trained).sum() / _at_least_one(trained.sum())),
        heldout_accuracy=heldout_accuracy(difference.cpu().numpy(), labels.cpu().numpy(), data.weights.cpu().numpy()),
        l2=float(ensemble.l2.mean()),
    )


def _difference(ensemble: Ensemble, data: ComparisonData, part: Tensor) -> Tensor:
    returns = predicted_returns(ensemble, {k: rows[part] for k, rows in data.obs.items()}, data.actions[part])
    return returns[..., 0] - returns[..., 1]


def _at_least_one(number: Tensor) -> Tensor:
    return number.clamp_min(1)
