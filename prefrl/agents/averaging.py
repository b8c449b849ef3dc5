"""The mean of an agent's latest policies, which is judged and saved in place of the very last one."""

from __future__ import annotations

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def running_average(policy: BasePolicy, kept: float) -> AveragedModel:
    """Follows the weights of `policy`, exponentially: `update_parameters(policy)` after each rollout.

    A gradient step may leave a policy that falls where the one before it did not; the mean of the latest ones seldom
    does. Nothing but the order of the rollouts decides what is in it. What the policy has seen of its observations
    (`features.py`, `cnn.py`) is the latest. Izmailov et al. 2018 (arXiv 1803.05407); of policies Nikishin et al. 2018.

    Args:
        kept: share of the mean that an update keeps once there are enough policies in it, in [0, 1): 0.9 is the mean of
            about the latest 10 policies, 0 the last one. Of n policies an update keeps at most n / (n + 1), so that the
            first counts no more than the others.
    """

    @torch.no_grad()
    def update(mean: Tensors, latest: Tensors, number: Tensor | int) -> None:
        n = int(number)
        torch._foreach_lerp_(mean, latest, 1 - min(kept, n / (n + 1)))

    return AveragedModel(policy, multi_avg_fn=update)
