"""Losses on comparisons: tensors in, [B] out."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def bradley_terry_loss(return_a: Tensor, return_b: Tensor, prefer_a: Tensor, noise: float = 0.0) -> Tensor:
    """Cross-entropy of P(a over b) = (1 - noise) sigmoid(return_a - return_b) + noise / 2 against the label.

    Args:
        return_a: [B] predicted return of segment a: its predicted rewards, summed.
        return_b: [B] predicted return of segment b.
        prefer_a: [B] label in [0, 1]: 1 if a is preferred, 0 if b, 0.5 for a tie.
        noise: share of answers taken to be given at random, in [0, 1); the paper's is 0.1.

    Returns:
        [B] loss in nats; ln 2 = 0.69 when the model cannot tell the two apart.

    Raises:
        ValueError: if the three shapes differ.

    Christiano et al. 2017, eq. 1 and sec. 2.2.3 (arXiv 1706.03741).
    """
    if not return_a.shape == return_b.shape == prefer_a.shape:
        raise ValueError(
            "bradley_terry_loss needs three equal shapes, got "
            f"{tuple(return_a.shape)}, {tuple(return_b.shape)}, {tuple(prefer_a.shape)}"
        )
    difference = return_a - return_b
    log_a = _log_with_noise(F.logsigmoid(difference), noise)
    log_b = _log_with_noise(F.logsigmoid(-difference), noise)
    return -(prefer_a * log_a + (1 - prefer_a) * log_b)


class RankedPairs(NamedTuple):
    """All P = K (K - 1) / 2 pairs (i, j), i < j, of B rankings.

    Attributes:
        return_i: [..., B, P] predicted return of the first segment of each pair.
        return_j: [..., B, P] that of the second.
        prefer_i: [B, P] label: 1 if the first is ranked better, 0 if the second, 0.5 for a tie.
        present: [B, P] 1 where the query has both segments, else 0.
    """

    return_i: Tensor
    return_j: Tensor
    prefer_i: Tensor
    present: Tensor


def ranked_pairs(returns: Tensor, ranks: Tensor, mask: Tensor) -> RankedPairs:
    """Splits rankings into pairs.

    Args:
        returns: [..., B, K] predicted returns, of any number of models.
        ranks: [B, K] 0 for the best segment; equal ranks are a tie.
        mask: [B, K] whether the query has that segment.

    Raises:
        ValueError: if the shapes do not fit together.
    """
    _check_rankings(returns, ranks, mask)
    i, j = torch.triu_indices(ranks.shape[-1], ranks.shape[-1], offset=1, device=ranks.device)
    rank_i, rank_j = ranks[:, i], ranks[:, j]
    prefer_i = (rank_i < rank_j).to(returns.dtype) + 0.5 * (rank_i == rank_j)
    return RankedPairs(returns[..., i], returns[..., j], prefer_i, (mask[:, i] & mask[:, j]).to(returns.dtype))


def pairwise_ranking_loss(returns: Tensor, ranks: Tensor, mask: Tensor, noise: float = 0.0) -> Tensor:
    """Mean `bradley_terry_loss` of all pairs of each ranking; of a ranking of two, that of its pair.

    Args:
        returns: [..., B, K] predicted returns, of any number of models.
        ranks: [B, K] 0 for the best segment; equal ranks are a tie.
        mask: [B, K] whether the query has that segment; at least two a query.
        noise: share of pairs taken to be answered at random, in [0, 1).

    Returns:
        [..., B] loss in nats a pair; ln 2 = 0.69 when the model cannot tell the segments apart.

    Raises:
        ValueError: if the shapes do not fit together.

    Ouyang et al. 2022, eq. 1 (arXiv 2203.02155), with ties.
    """
    pairs = ranked_pairs(returns, ranks, mask)
    prefer_i = pairs.prefer_i.expand_as(pairs.return_i)
    losses = bradley_terry_loss(pairs.return_i, pairs.return_j, prefer_i, noise)
    return (losses * pairs.present).sum(-1) / pairs.present.sum(-1)


def plackett_luce_loss(returns: Tensor, ranks: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood of each ranking: best first, P = prod_i exp(r_i) / sum_(j >= i) exp(r_j).

    Args:
        returns: [..., B, K] predicted returns, of any number of models.
        ranks: [B, K] 0 for the best segment; no two equal.
        mask: [B, K] whether the query has that segment.

    Returns:
        [..., B] loss in nats; ln K! when the model cannot tell K segments apart.

    Raises:
        ValueError: if the shapes do not fit together, or a ranking has a tie.

    Plackett 1975, "The analysis of permutations"; of two segments it is Bradley-Terry's.
    """
    _check_rankings(returns, ranks, mask)
    last = torch.iinfo(torch.long).max
    places = ranks.long().masked_fill(~mask, last)
    ordered, order = places.sort(dim=-1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != last)).any():
        raise ValueError("plackett_luce_loss needs rankings without ties; pairwise_ranking_loss takes them")
    absent = ~mask.gather(-1, order)
    # Not -inf: its gradient would be no number.
    nothing = torch.finfo(returns.dtype).min / 2
    best_first = returns.gather(-1, order.expand_as(returns)).masked_fill(absent, nothing)
    log_of_rest = best_first.flip(-1).logcumsumexp(-1).flip(-1)
    return (log_of_rest - best_first).masked_fill(absent, 0.0).sum(-1)


def _check_rankings(returns: Tensor, ranks: Tensor, mask: Tensor) -> None:
    if not returns.shape[-2:] == ranks.shape == mask.shape:
        raise ValueError(
            "a loss of rankings needs returns [..., B, K], ranks [B, K] and mask [B, K], got "
            f"{tuple(returns.shape)}, {tuple(ranks.shape)}, {tuple(mask.shape)}"
        )


def _log_with_noise(log_probability: Tensor, noise: float) -> Tensor:
    """log((1 - noise) p + noise / 2), without leaving the logarithm."""
    if noise == 0.0:
        return log_probability
    at_random = torch.full_like(log_probability, math.log(noise / 2))
    return torch.logaddexp(log_probability + math.log1p(-noise), at_random)
