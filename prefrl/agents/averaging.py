"""The mean of an agent's latest policies, which is judged and saved in place of the very last one."""

from __future__ import annotations

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


STEPS = 2048  # environment steps over which the mean keeps its share


def running_average(policy: BasePolicy, averaging: float, iteration_steps: int) -> AveragedModel:
    """Follows the weights of `policy`, exponentially: `update_parameters(policy)` after each iteration.

    A gradient step may leave a policy that falls where the one before it did not; the mean of the latest ones seldom
    does. Nothing but the order of the rollouts decides what is in it. What the policy has seen of its observations
    (`features.py`, `cnn.py`) is the latest. Izmailov et al. 2018 (arXiv 1803.05407); of policies Nikishin et al. 2018.

    Args:
        averaging: share of the mean that is kept over 2,048 steps once there are enough policies in it, in [0, 1): 0.9
            is the mean over about the latest 20,480 steps, 0 the last policy. Of n policies an update keeps at most
            n / (n + 1), so that the first counts no more than the others.
        iteration_steps: environment steps between two updates.
    """
    kept = averaging ** (iteration_steps / STEPS)

    @torch.no_grad()
    def update(mean: Tensors, latest: Tensors, number: Tensor | int) -> None:
        n = int(number)
        torch._foreach_lerp_(mean, latest, 1 - min(kept, n / (n + 1)))

    return AveragedModel(policy, multi_avg_fn=update)
