"""PPO's loss. Schulman et al. 2017 (arXiv 1707.06347), as SB3 computes it."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class PpoLosses(NamedTuple):
    """Losses of a minibatch, each a scalar.

    Attributes:
        total: the one to minimize.
        policy: clipped surrogate loss.
        value: mean squared error of the values.
        entropy: mean entropy of the policy, negated.
        approx_kl: estimate of KL(old || new), for the log.
        clip_fraction: share of the steps whose ratio was clipped, for the log.
    """

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    approx_kl: Tensor
    clip_fraction: Tensor


def ppo_losses(
    values: Tensor,
    log_prob: Tensor,
    entropy: Tensor,
    *,
    old_log_prob: Tensor,
    advantages: Tensor,
    returns: Tensor,
    clip_range: float,
    ent_coef: float,
    vf_coef: float,
) -> PpoLosses:
    """Computes the losses of B steps, with advantages normalized over the minibatch.

    Args:
        values: [B] predicted values.
        log_prob: [B] log-probability of each action under the current policy.
        entropy: [B] of the current policy.
        old_log_prob: [B] log-probability of each action when it was taken.
        advantages: [B], at least two.
        returns: [B] targets of the values.
        clip_range: largest change of the ratio of probabilities that still pays.
        ent_coef: weight of the entropy loss.
        vf_coef: weight of the value loss.
    """
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    log_ratio = log_prob - old_log_prob
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
    value_loss = F.mse_loss(returns, values)
    entropy_loss = -entropy.mean()
    total = policy_loss + ent_coef * entropy_loss + vf_coef * value_loss
    approx_kl = ((ratio - 1) - log_ratio).mean()
    clip_fraction = ((ratio - 1).abs() > clip_range).float().mean()
    return PpoLosses(total, policy_loss, value_loss, entropy_loss, approx_kl, clip_fraction)
