"""Losses on comparisons: tensors in, [B] out."""

from __future__ import annotations

import math

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


def _log_with_noise(log_probability: Tensor, noise: float) -> Tensor:
    """log((1 - noise) p + noise / 2), without leaving the logarithm."""
    if noise == 0.0:
        return log_probability
    at_random = torch.full_like(log_probability, math.log(noise / 2))
    return torch.logaddexp(log_probability + math.log1p(-noise), at_random)
