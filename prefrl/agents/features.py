"""Observation statistics inside the policy: policy.zip alone acts rightly, and all else sees raw observations."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from prefrl.moments import RunningMoments
from prefrl.segments import Observations


@runtime_checkable
class Observer(Protocol):
    """A features extractor that keeps statistics of what it is shown, as buffers."""

    def observe(self, rows: np.ndarray) -> None:
        """Takes in raw observations [..., *obs_shape]."""


class StandardisedFeatures(BaseFeaturesExtractor):
    """Vector observations at mean 0 and standard deviation 1, by everything that `observe` was shown."""

    def __init__(self, observation_space: spaces.Box) -> None:
        super().__init__(observation_space, features_dim=spaces.utils.flatdim(observation_space))
        self.moments = RunningMoments((self.features_dim,))

    def forward(self, observations: Tensor) -> Tensor:
        return self.moments(observations.flatten(1).float())

    def observe(self, rows: np.ndarray) -> None:
        self.moments.update(torch.as_tensor(rows).reshape(-1, self.features_dim))


def observe(policy: BasePolicy, obs: Observations) -> None:
    """Shows raw observations, each [..., *obs_shape], to the policy's statistics, where it keeps any.

    Only between two rollouts: while one is collected and learned from, the policy must stay the same.
    """
    extractor = policy.features_extractor
    if isinstance(extractor, Observer):
        (rows,) = obs.values()  # no policy for a Dict space keeps statistics
        space = policy.observation_space
        channels_last = is_image_space(space) and rows.shape[-3:] != space.shape
        extractor.observe(np.moveaxis(rows, -1, -3) if channels_last else rows)  # SB3 puts the channels first
