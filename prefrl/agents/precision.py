"""In which precision networks that read images compute: processors differ a hundredfold in what bfloat16 gains.

With AMX bfloat16 is several times as fast as float32, with AVX512-BF16 half as fast again; a processor that has none
emulates it, ten times slower.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space

from prefrl.agents.cnn import CentredCnn
from prefrl.config import PpoConfig, Precision

STACK = spaces.Box(0, 255, (4, 84, 84), np.uint8)
ROUNDS, REPEATS = 3, 2
CLEARLY = 3  # times as fast is no noise: an emulated bf16 is not timed again
FASTER_BY = 1.25  # that bf16 must be, to be worth its coarser steps and a choice that noise may not turn


def choose_precision(
    name: Literal["auto"] | Precision,
    observation_space: spaces.Space,
    cnn: str,
    device: str,
    batch_size: int = PpoConfig.batch_size,
) -> Precision:
    """What `name` stands for, fp32 or bf16: auto is bf16 where a self-test finds it faster, else fp32.

    Args:
        batch_size: of the agent's gradient steps, which most of the time goes to.

    Raises:
        ValueError: bf16 for observations that no network of convolutions reads.
    """
    if is_image_space(observation_space):
        return faster_precision(cnn, device, batch_size) if name == "auto" else name
    if name == "bf16":
        raise ValueError("precision bf16 is for image observations alone; leave it at auto")
    return "fp32"


@lru_cache
def faster_precision(cnn: str, device: str, batch_size: int) -> Precision:
    """The self-test, once a process: forward and backward in either precision, in turn: others may slow one down."""
    coarse = exact = math.inf
    for _ in range(ROUNDS):
        coarse = min(coarse, seconds(cnn, "bf16", device, batch_size))
        exact = min(exact, seconds(cnn, "fp32", device, batch_size))
        if max(coarse, exact) > CLEARLY * min(coarse, exact):
            break
    return "bf16" if coarse * FASTER_BY < exact else "fp32"


def seconds(cnn: str, precision: Precision, device: str, batch_size: int) -> float:
    """That the gradients of a trial take; the shortest of REPEATS, after one to warm up."""
    network = CentredCnn(STACK, cnn, precision).to(device)
    network.put_channels_last()
    images, times = trial(device, batch_size)
    batch = torch.zeros((images, *STACK.shape), dtype=torch.uint8, device=device)
    taken = []
    for _ in range(1 + REPEATS):
        began = time.perf_counter()
        for _ in range(times):
            gradients = torch.autograd.grad(network(batch).sum(), list(network.parameters()))
        float(gradients[0].sum())  # waits for a device that works on its own
        taken.append(time.perf_counter() - began)
    return min(taken[1:])


def trial(device: str, batch_size: int) -> tuple[int, int]:
    """Of how many images a gradient is timed, and how often in a row: the agent's own batch.

    In one of 32 images AMX hardly pays, as bf16 first casts the weights; in one of 256 it does. Of a single gradient,
    waited for at once, nothing but the launches of a GPU's kernels would be measured, which are more in bf16.
    """
    return batch_size, 1 if device == "cpu" else 20
