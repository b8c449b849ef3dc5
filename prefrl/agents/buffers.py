"""Rollout buffers that are paid once the rollout is full, and whose minibatches are gathered on the device."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import torch
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from prefrl.moments import RunningMoments

PREPARED = 256  # observations at a time: in float32 as many images take 29 MB

SAMPLED = ("observations", "actions", "values", "log_probs", "advantages", "returns")
"""The arrays of a minibatch, in the order of RolloutBufferSamples."""


class ReturnScale:
    """Divides rewards by the running standard deviation of the discounted return, as VecNormalize does.

    The value function then has targets of about 1 whatever the rewards' unit.

    Attributes:
        returns: [N] discounted return of each environment so far.
        moments: mean and variance of all returns seen.
    """

    def __init__(self, num_envs: int, gamma: float) -> None:
        self.gamma, self.returns, self.moments = gamma, np.zeros(num_envs), RunningMoments(())

    def __call__(self, rewards: np.ndarray, episode_starts: np.ndarray) -> np.ndarray:
        """rewards [T, N], episode_starts [T, N] -> scaled rewards [T, N], clipped to plus or minus 10."""
        seen = np.empty_like(rewards, dtype=np.float64)
        for step, (reward, start) in enumerate(zip(rewards, episode_starts, strict=True)):
            self.returns = self.returns * self.gamma * (1 - start) + reward
            seen[step] = self.returns
        self.moments.update(torch.as_tensor(seen.reshape(-1)))
        return np.clip(rewards / np.sqrt(float(self.moments.variance) + 1e-8), -10, 10)


class Filled(RolloutBuffer):
    """Waits for its rewards: SB3 asks for advantages while it collects, and they are computed in `pay`."""

    def compute_returns_and_advantage(self, last_values: Tensor, dones: np.ndarray) -> None:
        """Keeps the arguments for `pay`: SB3 keeps neither."""
        self._last = last_values, dones

    def pay(self, rewards: np.ndarray) -> None:
        """Adds rewards [T, N] to the full rollout, and computes returns and advantages.

        By then SB3 has put the discounted values of truncated episodes' last observations into `rewards`.
        """
        self.rewards += rewards.astype(np.float32)
        super().compute_returns_and_advantage(*self._last)


class FilledDictRolloutBuffer(Filled, DictRolloutBuffer):
    """For Dict observations."""


class FilledRolloutBuffer(Filled):
    """For all others: the minibatches of SB3's buffer, bit for bit, with fewer copies and transfers.

    A step costs a device one transfer each way, its observations and its actions: what the policy says of them stays
    where it is until the rollout is full. Then the rest of the rollout goes to the device at once, and minibatches are
    gathered there. SB3 waits for values and log-probabilities at every step, and copies each minibatch three times.

    Attributes:
        prepare: what the policy makes of observations before anything that it learns, done once for all passes.
    """

    prepare: Callable[[Tensor], Tensor] | None = None

    def reset(self) -> None:
        super().reset()
        self._values: list[Tensor] = []
        self._log_probs: list[Tensor] = []
        self._samples: list[Tensor] = []

    def add(
        self,
        obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        episode_start: np.ndarray,
        value: Tensor,
        log_prob: Tensor,
    ) -> None:
        """One step of each of the N environments; value and log_prob [N, 1] and [N] on the device."""
        step = self.pos
        self._keep(obs)
        self.actions[step] = action.reshape(self.n_envs, self.action_dim)
        self.rewards[step], self.episode_starts[step] = reward, episode_start
        self._values.append(value.flatten())
        self._log_probs.append(log_prob.flatten())
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def pay(self, rewards: np.ndarray) -> None:
        self.values = torch.stack(self._values).cpu().numpy()
        self.log_probs = torch.stack(self._log_probs).cpu().numpy()
        super().pay(rewards)

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """One pass over the rollout in a new order, SB3's own, in minibatches on the device."""
        if not self.generator_ready:
            self._samples = [self._kept(), *(self._steps_on_device(getattr(self, name)) for name in SAMPLED[1:])]
            if self.prepare is not None:
                self._samples[0] = torch.cat([self.prepare(part) for part in self._samples[0].split(PREPARED)])
            self.generator_ready = True  # SB3 would reorder every array here
        return super().get(batch_size)

    def _get_samples(self, batch_inds: np.ndarray, env: VecNormalize | None = None) -> RolloutBufferSamples:
        """The steps with these numbers, which SB3 counts environment by environment."""
        number, step = np.divmod(batch_inds, self.buffer_size)
        order = torch.as_tensor(step * self.n_envs + number, device=self.device)
        return RolloutBufferSamples(*(rows_of(rows, order) for rows in self._samples))

    def _keep(self, obs: np.ndarray) -> None:
        """The observations of the step that is being added."""
        self.observations[self.pos] = obs.reshape(self.n_envs, *self.obs_shape)

    def _kept(self) -> Tensor:
        """[T * N, ...] the observations of the rollout, on the device."""
        return self._steps_on_device(self.observations)

    def _steps_on_device(self, array: np.ndarray) -> Tensor:
        """[T, N, ...] -> [T * N, ...]; on a CPU without a copy."""
        return torch.as_tensor(array, device=self.device).flatten(0, 1)


class SeenRolloutBuffer(FilledRolloutBuffer):
    """The same, for a policy that saw the images on the device: there they stay, and go there once.

    Attributes:
        seen: the [N, C, H, W] that the policy chose its latest actions by.
    """

    seen: Callable[[], Tensor]
    _images: Tensor | None = None

    def _keep(self, obs: np.ndarray) -> None:
        seen = self.seen()
        if self._images is None:
            self._images = torch.empty((self.buffer_size, *seen.shape), dtype=seen.dtype, device=self.device)
        self._images[self.pos].copy_(seen)

    def _kept(self) -> Tensor:
        assert self._images is not None
        return self._images.flatten(0, 1)


def rows_of(kept: Tensor, order: Tensor) -> Tensor:
    """kept[order], in the layout of `kept`, copied a row at a time: indexing does it number by number."""
    if kept.is_contiguous():
        return kept.index_select(0, order)
    return kept.permute(0, 2, 3, 1).index_select(0, order).permute(0, 3, 1, 2)  # images, channels last
