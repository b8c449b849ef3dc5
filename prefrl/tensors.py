"""Tensors: of a processor's arrays, and by name."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def on_device(array: np.ndarray, device: torch.device) -> Tensor:
    """The same numbers as a tensor of the same shape, a view where the array is one that overlaps itself.

    Of stacks of frames every frame then travels once, a quarter of what is in them, and is stacked where it is read.
    """
    size, offsets = array.itemsize, [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    span = 1 + sum(offsets) // size
    if span >= array.size or min(array.strides) < 0:
        return torch.as_tensor(np.require(array, requirements=("C", "W")), device=device)  # torch wants its own
    memory = np.lib.stride_tricks.as_strided(array, (span,), (size,)).copy()
    return torch.from_numpy(memory).to(device).as_strided(array.shape, [stride // size for stride in array.strides])


def add_tensor_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Puts `prefix` before every name."""
    return {prefix + name: value for name, value in tensors.items()}


def tensors_under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
