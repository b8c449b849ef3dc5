"""Training an ensemble on comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from prefrl.losses import RankedPairs, pairwise_ranking_loss, ranked_pairs
from prefrl.metrics import heldout_accuracy
from prefrl.rewards.config import LEAST_L2, MOST_L2
from prefrl.rewards.encoding import EncodedBatch, EncodedPreferences
from prefrl.rewards.ensemble import RewardEnsemble


@dataclass(frozen=True)
class FitStats:
    """Quality of the ensemble on comparisons after a fit, averaged over its members.

    Attributes:
        train_loss: nats per comparison, of a ranking the mean of its pairs, weighted by the bootstrap; 0.69 is chance.
        heldout_loss: nats per comparison that a member never trains on; None where there are none.
        train_accuracy: share of all pairs predicted rightly, ties left out.
        heldout_accuracy: the same on held-out comparisons; None where there are none.
        l2: mean L2 coefficient.
    """

    train_loss: float
    heldout_loss: float | None
    train_accuracy: float
    heldout_accuracy: float | None
    l2: float


def predicted_returns(ensemble: RewardEnsemble, obs: dict[str, Tensor], actions: Tensor) -> Tensor:
    """[M, S] predicted return of S segments: obs name -> [S, T, ...], actions [S, T, A]."""
    segments, length = actions.shape[:2]
    flat = {name: rows.reshape(-1, *rows.shape[2:]) for name, rows in obs.items()}
    rewards = ensemble.raw(flat, actions.reshape(segments * length, -1))
    return rewards.reshape(-1, segments, length).sum(-1)


def make_optimizer(ensemble: RewardEnsemble) -> torch.optim.Adam:
    """Adam over all members' parameters; being elementwise it keeps them apart."""
    return torch.optim.Adam(ensemble.network.parameters(), lr=ensemble.config.learning_rate, fused=True)


def fit(
    ensemble: RewardEnsemble,
    optimizer: torch.optim.Optimizer,
    data: EncodedPreferences,
    epochs: int,
    generator: torch.Generator,
) -> FitStats:
    """Trains every member on its bootstrap sample, adapting each one's L2 coefficient after every epoch.

    Args:
        data: what there is to learn from, as this ensemble reads it.
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
    """Number of recent comparisons to evaluate on: a third of `fit_sample`, or all of them."""
    return None if sample is None else max(sample // 3, 1)


@contextmanager
def _seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """torch's global generators, from which dropout draws, seeded by `generator`, and afterwards as they were."""
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _train(
    ensemble: RewardEnsemble,
    optimizer: torch.optim.Optimizer,
    data: EncodedPreferences,
    epochs: int,
    generator: torch.Generator,
) -> None:
    config = ensemble.config
    for _ in range(epochs):
        train, heldout = torch.zeros_like(ensemble.l2), torch.zeros_like(ensemble.l2)
        order = torch.randperm(len(data), generator=generator)[: config.fit_sample]
        seen = data.weights[order.to(ensemble.device)]
        for batch in data.batches(order, config.batch_size):
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


def _losses(ensemble: RewardEnsemble, batch: EncodedBatch) -> Tensor:
    """[M, B] loss of each member on each comparison."""
    returns = _returns(ensemble, batch)
    return pairwise_ranking_loss(returns, batch.ranks, batch.mask, ensemble.config.response_noise)


def _returns(ensemble: RewardEnsemble, batch: EncodedBatch) -> Tensor:
    """[M, B, K] predicted return of each segment of each query."""
    return predicted_returns(ensemble, batch.obs, batch.actions)[:, batch.places]


def _adapt_l2(ensemble: RewardEnsemble, train_mean: Tensor, heldout_sum: Tensor, heldout_number: Tensor) -> None:
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
def assess(ensemble: RewardEnsemble, data: EncodedPreferences, latest: int | None = None) -> FitStats:
    """Evaluates the ensemble on the `latest` comparisons, or on all: losses by comparison, accuracies by pair."""
    number = min(latest or len(data), len(data))
    order = torch.arange(len(data) - number, len(data))
    batches = data.batches(order, ensemble.config.batch_size)
    returns = torch.cat([_returns(ensemble, batch) for batch in batches], dim=1)
    ranks, mask, weights = data.ranks[-number:], data.mask[-number:], data.weights[-number:].T
    losses = pairwise_ranking_loss(returns, ranks, mask, ensemble.config.response_noise)
    heldout = (weights == 0).float()
    train_accuracy, out_of_bag = _accuracies(ranked_pairs(returns, ranks, mask), weights)
    return FitStats(
        train_loss=float((losses * weights).sum() / _at_least_one(weights.sum())),
        heldout_loss=float((losses * heldout).sum() / heldout.sum()) if heldout.any() else None,
        train_accuracy=train_accuracy,
        heldout_accuracy=out_of_bag,
        l2=float(ensemble.l2.mean()),
    )


def _accuracies(pairs: RankedPairs, weights: Tensor) -> tuple[float, float | None]:
    """Training and held-out accuracy over all pairs of the comparisons, each with its comparison's weights [M, B]."""
    present = pairs.present > 0
    difference = (pairs.return_i - pairs.return_j)[:, present]
    labels = pairs.prefer_i[present]
    weights = weights[..., None].expand_as(pairs.return_i)[:, present]
    right = (difference > 0) == (labels > 0.5)
    trained = weights * (labels != 0.5)
    train_accuracy = float((right * trained).sum() / _at_least_one(trained.sum()))
    return train_accuracy, heldout_accuracy(difference.cpu().numpy(), labels.cpu().numpy(), weights.T.cpu().numpy())


def _at_least_one(number: Tensor) -> Tensor:
    return number.clamp_min(1)
