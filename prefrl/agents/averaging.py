"""The mean of an agent's latest policies, which is judged and saved in place of the very last one."""

from __future__ import annotations

from stable_baselines3.common.policies import BasePolicy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def running_average(policy: BasePolicy, kept: float) -> AveragedModel:
    """Follows the weights of `policy`, exponentially: `update_parameters(policy)` after each rollout.

    A gradient step may leave a policy that falls where the one before it did not; the mean of the latest ones seldom
    does. Nothing but the order of the rollouts decides what is in it. What the policy has seen of its observations
    (`features.py`, `cnn.py`) is the latest. Izmailov et al. 2018 (arXiv 1803.05407); of policies Nikishin et al. 2018.

    Args:
        kept: share of the mean that an update keeps, in [0, 1): 0.9 is the mean of about the latest 10 policies, 0 the
            last one.
    """
    return AveragedModel(policy, multi_avg_fn=get_ema_multi_avg_fn(kept))
