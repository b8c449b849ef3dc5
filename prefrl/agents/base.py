"""The protocol of agents. No module outside prefrl.agents names an algorithm of SB3's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from gymnasium import spaces
from torch.nn import Parameter

from prefrl.evaluation import Policy
from prefrl.rollouts import Rollout
from prefrl.segments import Observations

Metrics = dict[str, float]
"""Figures of one iteration by the name that TensorBoard shows, such as "train/loss"."""

RewardFunction = Callable[[Observations, np.ndarray], np.ndarray]
"""Observations by name, each [B, ...], and actions [B, ...] -> [B] rewards."""

DIVERGED = "the policy diverged: its weights are not finite numbers any more; lower its learning rate"


class TrainablePolicy(Policy, Protocol):
    """A policy with weights, and with statistics of the observations it was shown."""

    def parameters(self) -> Iterator[Parameter]:
        """Yields its weights."""

    def observe(self, obs: Observations) -> None:
        """Takes raw observations, each [T, N, ...], into its statistics, if it keeps any."""


class Agent(Protocol):
    """Collects steps, is paid for them, and learns.

    Draws made in an iteration depend on the run's seed and on the step at which the iteration begins (`prefrl.seeds`):
    an agent that was saved and loaded continues as if it had never stopped, bit for bit.

    Attributes:
        policy: chooses actions.
        step: environment steps so far, over all environments.
        iteration_steps: steps that `collect` takes, over all environments.
        action_space: of one environment.
        device: where its networks compute.
    """

    @property
    def policy(self) -> TrainablePolicy: ...
    @property
    def step(self) -> int: ...
    @property
    def iteration_steps(self) -> int: ...
    @property
    def action_space(self) -> spaces.Space: ...
    @property
    def device(self) -> torch.device: ...

    def begin(self) -> None:
        """Begins new episodes."""

    def explore(self, steps: int, random_share: float) -> Rollout:
        """Takes at least `steps` steps without learning.

        Args:
            random_share: share of the environments, rounded down, whose actions are drawn uniformly.
        """

    def collect(self) -> Rollout:
        """Takes `iteration_steps` steps by the current policy.

        Raises:
            PrefrlError: the policy diverged.
        """

    def update(self, rollout: Rollout, rewards: np.ndarray) -> Metrics:
        """Learns from the rollout just collected and its rewards [T, N].

        Raises:
            PrefrlError: the policy diverged.
        """

    def relabel(self, reward: RewardFunction) -> None:
        """Pays anew for all steps that the agent keeps. Agents that keep none do nothing."""

    def reinitialize(self, seed: int) -> None:
        """Draws fresh weights. Statistics of observations and rewards stay.

        An agent that has learned from an early reward model's mistakes may never find what a later one pays for, and
        one that starts again does (Nikishin et al. 2022, "The primacy bias in deep reinforcement learning").
        """

    def save(self, folder: Path) -> None:
        """Writes weights, optimizers, statistics and, where they can tell, the state of the environments."""

    def load(self, folder: Path) -> bool:
        """Restores what `save` wrote; returns whether the environments were restored, too.

        If they were not, `begin` has to be called.
        """

    def save_policy(self, path: Path) -> None:
        """Writes the mean of the latest policies as SB3's zip. From here on the agent acts by that mean."""
