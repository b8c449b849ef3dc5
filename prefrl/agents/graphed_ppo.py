"""SB3's PPO with gradient steps that a GPU takes as one."""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from stable_baselines3 import PPO
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.utils import FloatSchedule, explained_variance
from torch import Tensor

from prefrl.agents.graphs import Graphed

LOGGED = ("policy_gradient_loss", "value_loss", "entropy_loss", "loss", "approx_kl", "clip_fraction")


class GraphedPpo(PPO):
    """PPO for discrete actions: the loss is SB3's, with normalised advantages, no clipped values and no target of KL.

    On a GPU a gradient is recorded as a CUDA graph, losses are added up there, and nothing is waited for before the
    end of an update. SB3 waits six times a gradient step.
    """

    _recorded: tuple[tuple[float, float], Graphed] | None = None

    def train(self) -> None:
        """Learns from the rollout.

        Raises:
            ValueError: the loss is no finite number any more.
        """
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip_range = FloatSchedule(self.clip_range)(self._current_progress_remaining)
        total, number = torch.zeros(len(LOGGED), device=self.device), 0
        for _ in range(self.n_epochs):
            for batch in self.rollout_buffer.get(self.batch_size):
                total += self._gradient(batch, clip_range)
                self.policy.optimizer.step()
                number += 1
        self._n_updates += self.n_epochs
        means = dict(zip(LOGGED, (total / number).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise ValueError(f"the agent's loss is {means['loss']} by now; lower --learning-rate")
        for name, value in means.items():
            self.logger.record(f"train/{name}", value)
        buffer = self.rollout_buffer
        spread = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        self.logger.record("train/explained_variance", spread)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip_range)

    def _gradient(self, batch: RolloutBufferSamples, clip_range: float) -> Tensor:
        """Puts the clipped gradient of a minibatch into the weights' `grad`; what is logged of it."""
        actions = batch.actions.long().flatten()
        tensors = batch.observations, actions, batch.old_log_prob, batch.advantages, batch.returns
        if self.device.type != "cuda":
            return self._losses_and_gradient(*tensors, clip_range)[0]
        settings = clip_range, self.ent_coef
        if self._recorded is None or self._recorded[0] != settings or not self._recorded[1].fits(*tensors):
            self._recorded = settings, Graphed(partial(self._losses_and_gradient, clip_range=clip_range), *tensors)
        return self._recorded[1](*tensors)[0]

    def _losses_and_gradient(
        self, obs: Tensor, actions: Tensor, old_log_prob: Tensor, advantages: Tensor, returns: Tensor, clip_range: float
    ) -> tuple[Tensor]:
        values, log_prob, entropy = self.policy.evaluate_actions(obs, actions)
        assert entropy is not None
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_ratio = log_prob - old_log_prob
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
        policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
        value_loss = F.mse_loss(returns, values.flatten())
        entropy_loss = -entropy.mean()
        loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
        weights = list(self.policy.parameters())
        for parameter, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(gradient)
        torch.nn.utils.clip_grad_norm_(weights, self.max_grad_norm)
        kl, clip_fraction = ((ratio - 1) - log_ratio).mean(), ((ratio - 1).abs() > clip_range).float().mean()
        return (torch.stack([policy_loss, value_loss, entropy_loss, loss, kl, clip_fraction]).detach(),)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_recorded"]
