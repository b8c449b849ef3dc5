"""Running mean and variance that live in a module's buffers, so that they are saved with its weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningMoments(nn.Module):
    """Standardises its input by the mean and variance of everything it was shown.

    Attributes:
        mean: [*shape].
        variance: [*shape], 1 until something was shown.
        count: how many rows were shown.

    Chan et al. 1983, parallel update of mean and variance.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, shape: tuple[int, ...], limit: float = 10.0) -> None:
        """`limit`: standardised values are clipped to plus or minus this many standard deviations."""
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("variance", torch.ones(shape))
        self.register_buffer("count", torch.zeros(()))

    @torch.no_grad()
    def update(self, rows: Tensor) -> None:
        """Takes in rows [B, *shape]."""
        rows = rows.cpu().double()  # in float64 where every device has it; mps has float32 only
        old_mean, old_variance, old_count = (value.cpu().double() for value in (self.mean, self.variance, self.count))
        number, mean, variance = len(rows), rows.mean(0), rows.var(0, correction=0)
        total = old_count + number
        shift = mean - old_mean
        squares = old_variance * old_count + variance * number + shift**2 * old_count * number / total
        self.mean.copy_(old_mean + shift * number / total)
        self.variance.copy_(squares / total)
        self.count.copy_(total)

    def forward(self, rows: Tensor) -> Tensor:
        """[B, *shape] float32, standardised and clipped."""
        return ((rows - self.mean) * (self.variance + 1e-8).rsqrt()).clamp(-self.limit, self.limit)
