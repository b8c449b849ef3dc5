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
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(shape, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, rows: Tensor) -> None:
        """Takes in rows [B, *shape]."""
        rows = rows.to(self.mean.device, torch.float64)
        number, mean, variance = len(rows), rows.mean(0), rows.var(0, correction=0)
        total = self.count + number
        shift = mean - self.mean
        squares = self.variance * self.count + variance * number + shift**2 * self.count * number / total
        self.mean += shift * number / total
        self.variance.copy_(squares / total)
        self.count.copy_(total)

    def forward(self, rows: Tensor) -> Tensor:
        """[B, *shape] float32, standardised and clipped."""
        scale = (self.variance + 1e-8).rsqrt().float()
        return ((rows - self.mean.float()) * scale).clamp(-self.limit, self.limit)
