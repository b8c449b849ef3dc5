"""SB3's PPO with an update of our own: one loss for processors and for the graphs of a GPU."""

from __future__ import annotations

from functools import partial

import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.utils import FloatSchedule, explained_variance
from torch import Tensor

from prefrl.agents.base import Metrics
from prefrl.agents.buffers import FilledRolloutBuffer, SeenRolloutBuffer
from prefrl.agents.cnn import CentredCnn, CnnPolicy
from prefrl.agents.graphs import Graphed, unchecked
from prefrl.agents.ppo_loss import PpoLosses, ppo_losses

LOGGED = {
    "policy": "train/policy_gradient_loss",
    "value": "train/value_loss",
    "entropy": "train/entropy_loss",
    "total": "train/loss",
    "approx_kl": "train/approx_kl",
    "clip_fraction": "train/clip_fraction",
}
"""Field of PpoLosses -> name in the log."""


class Ppo(PPO):
    """PPO whose rewards are paid after a rollout was collected (`prefrl.agents.buffers`).

    `update` is SB3's `train`, bit for bit, with normalized advantages, values that are not clipped, and no target of
    KL. It returns what SB3 logs, as means over the whole update. A subclass adds a term to the loss in `losses`.
    """

    def _setup_model(self) -> None:
        super()._setup_model()
        buffer, network = self.rollout_buffer, self.policy.features_extractor
        if isinstance(buffer, FilledRolloutBuffer) and isinstance(network, CentredCnn):
            buffer.prepare = network.centred  # its background stays the same until the update is over
        if isinstance(buffer, SeenRolloutBuffer) and isinstance(self.policy, CnnPolicy):
            buffer.seen = self.policy.seen

    def update(self) -> Metrics:
        """Learns from the rollout; returns means over all gradient steps."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip_range = FloatSchedule(self.clip_range)(self._current_progress_remaining)
        total, number = torch.zeros(len(LOGGED), device=self.device), 0
        with unchecked():  # weights that are not finite are reported by their owner, after the update
            for _ in range(self.n_epochs):
                for batch in self.rollout_buffer.get(self.batch_size):
                    total += self._gradient(batch, clip_range)
                    self.policy.optimizer.step()
                    number += 1
        self._n_updates += self.n_epochs
        metrics = dict(zip(LOGGED.values(), (total / number).tolist(), strict=True))
        buffer = self.rollout_buffer
        spread = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        return metrics | {
            "train/explained_variance": float(spread),
            "train/learning_rate": self.policy.optimizer.param_groups[0]["lr"],
            "train/clip_range": clip_range,
        }

    def losses(
        self,
        obs: Tensor,
        actions: Tensor,
        old_log_prob: Tensor,
        advantages: Tensor,
        returns: Tensor,
        *,
        clip_range: float,
    ) -> PpoLosses:
        """Computes the losses of a minibatch; the gradient is that of `total`.

        On a GPU it is recorded as a graph: it must not branch on the values of its tensors.
        """
        values, log_prob, entropy = self.policy.evaluate_actions(obs, actions)
        return ppo_losses(
            values.flatten(),
            log_prob,
            -log_prob if entropy is None else entropy,
            old_log_prob=old_log_prob,
            advantages=advantages,
            returns=returns,
            clip_range=clip_range,
            ent_coef=self.ent_coef,
            vf_coef=self.vf_coef,
        )

    def _gradient(self, batch: RolloutBufferSamples, clip_range: float) -> Tensor:
        """Puts the clipped gradient of a minibatch into the weights' `grad`; returns what is logged of it."""
        losses = self.losses(*self._tensors(batch), clip_range=clip_range)
        self.policy.optimizer.zero_grad()
        losses.total.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        return _logged(losses)

    def _tensors(self, batch: RolloutBufferSamples) -> tuple[Tensor, ...]:
        """The arguments of `losses`, as SB3 prepares them."""
        is_discrete = isinstance(self.action_space, spaces.Discrete)
        actions = batch.actions.long().flatten() if is_discrete else batch.actions
        return batch.observations, actions, batch.old_log_prob, batch.advantages, batch.returns


class GraphedPpo(Ppo):
    """The same for images on a GPU: a gradient is recorded as a CUDA graph, and waited for once an update.

    SB3 waits six times a gradient step.
    """

    _recorded: tuple[tuple[float, float], Graphed] | None = None

    def _gradient(self, batch: RolloutBufferSamples, clip_range: float) -> Tensor:
        tensors = self._tensors(batch)
        if self.device.type != "cuda":
            return self._static_gradient(*tensors, clip_range=clip_range)[0]
        settings = clip_range, self.ent_coef
        if self._recorded is None or self._recorded[0] != settings or not self._recorded[1].fits(*tensors):
            self._recorded = settings, Graphed(partial(self._static_gradient, clip_range=clip_range), *tensors)
        return self._recorded[1](*tensors)[0]

    def _static_gradient(self, *tensors: Tensor, clip_range: float) -> tuple[Tensor]:
        """The same gradient, in tensors that stay where they are: a graph writes to fixed addresses."""
        losses = self.losses(*tensors, clip_range=clip_range)
        weights = list(self.policy.parameters())
        for parameter, gradient in zip(weights, torch.autograd.grad(losses.total, weights), strict=True):
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(gradient)
        torch.nn.utils.clip_grad_norm_(weights, self.max_grad_norm)
        return (_logged(losses),)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_recorded"]


def _logged(losses: PpoLosses) -> Tensor:
    return torch.stack([getattr(losses, name) for name in LOGGED]).detach()
