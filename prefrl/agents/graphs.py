"""CUDA graphs: what a GPU does in a hundred small steps, begun with one call.

A network of a few layers is so little work for a GPU that most of its time goes to being told each step anew: 4.6 ms a
gradient step of 512 images on an H100, and 1.2 as a graph; 2.3 to choose the actions of 64 games, and 0.2
(docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.distributions import Distribution

WARM_UP = 3  # calls before the recorded one: PyTorch's advice, so that all lazy preparation is over


class Graphed:
    """A function of tensors on a GPU, recorded once for tensors of these shapes, and then replayed.

    The function must not branch on tensor values. A replay sees weights and statistics that were changed in place, and
    Python's numbers as they were when it was recorded. Random numbers come from the GPU's own generator; recording
    draws none. Every call returns the same tensors, which the next call overwrites.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]], *example: Tensor) -> None:
        device = example[0].device
        self._inputs = [tensor.clone() for tensor in example]
        self._graph = torch.cuda.CUDAGraph()
        beside = torch.cuda.Stream(device)
        beside.wait_stream(torch.cuda.current_stream(device))
        with torch.random.fork_rng(devices=[device]), unchecked():
            with torch.cuda.stream(beside):
                for _ in range(WARM_UP):
                    function(*self._inputs)
            torch.cuda.current_stream(device).wait_stream(beside)
            with torch.cuda.graph(self._graph):
                self._outputs = function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for own, new in zip(self._inputs, inputs, strict=True):
            own.copy_(new, non_blocking=True)
        self._graph.replay()
        return self._outputs

    def fits(self, *inputs: Tensor) -> bool:
        """Whether it was recorded for tensors like these."""
        return [tensor.shape for tensor in inputs] == [tensor.shape for tensor in self._inputs]


@contextmanager
def unchecked() -> Iterator[None]:
    """Distributions that do not look at their parameters: a recording cannot wait for what it computes."""
    checked = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(checked)
