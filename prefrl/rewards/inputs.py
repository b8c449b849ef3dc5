"""Inputs of reward networks: observations and actions of any supported space as tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor

from prefrl.core.errors import PrefrlError
from prefrl.segments import LONE, Observations
from prefrl.tensors import on_device


@dataclass(frozen=True)
class InputShapes:
    """Shapes of one step as networks see it.

    Attributes:
        vectors: name -> number of features of each vector observation.
        images: name -> (channels, height, width) of each image observation.
        action: number of features of the action.
    """

    vectors: dict[str, int]
    images: dict[str, tuple[int, int, int]]
    action: int


class Inputs:
    """Turns raw observations and actions into tensors: images channels first, what is discrete one-hot.

    Images stay uint8: what a network does not read of them need not be made four times as large.

    Supported: Box, Discrete, MultiDiscrete and MultiBinary actions; Box (vector or image), Discrete and
    Dict observations.
    """

    def __init__(self, observation_space: spaces.Space, action_space: spaces.Space) -> None:
        """Raises PrefrlError for a space that is not supported, by its name."""
        self.observation_space, self.action_space = observation_space, action_space
        named = _named_spaces(observation_space)
        self._images = {name: _channels_first(space) for name, space in named.items() if is_image_space(space)}
        self.shapes = InputShapes(
            vectors={name: _vector_size(name, space) for name, space in named.items() if name not in self._images},
            images={name: shape for name, (shape, _) in self._images.items()},
            action=_action_size(action_space),
        )

    def signature(self) -> dict[str, str]:
        """Both spaces in words: a reward model fits only spaces of the same signature."""
        return {"observation": _describe(self.observation_space), "action": _describe(self.action_space)}

    def check_names(self, obs: Observations) -> None:
        """Raises ValueError for anything but a dict with an array for each observation."""
        names = sorted(_named_spaces(self.observation_space))
        given = sorted(obs) if isinstance(obs, dict) else type(obs).__name__
        if given != names:
            raise PrefrlError(f"a reward model reads observations as a dict of arrays named {names}, got {given}")

    def observations(self, obs: Observations, device: torch.device) -> dict[str, Tensor]:
        """Name -> [B, features] float32 or [B, channels, height, width] uint8, of B steps."""
        return {name: self.observation(name, on_device(array, device)) for name, array in obs.items()}

    def of_segments(self, observed: Sequence[Observations], device: torch.device) -> dict[str, Tensor]:
        """The same of S segments' observations [T, ...]: all S * T steps."""

        def joined(name: str) -> Tensor:
            arrays = [obs[name] for obs in observed]
            if name in self._images:
                return torch.cat([on_device(array, device) for array in arrays])
            return torch.as_tensor(np.concatenate(arrays), device=device)

        return {name: self.observation(name, joined(name)) for name in observed[0]}

    def observation(self, name: str, rows: Tensor) -> Tensor:
        """The same for raw rows [..., *obs_shape] of the observation `name` that are on their device already."""
        space = _named_spaces(self.observation_space)[name]
        if isinstance(space, spaces.Discrete):
            return F.one_hot(rows.long().reshape(-1) - int(space.start), int(space.n)).float()
        if name not in self._images:
            return rows.reshape(-1, self.shapes.vectors[name]).float()
        _, transposed = self._images[name]
        rows = rows.reshape(-1, *rows.shape[-3:])
        return rows.permute(0, 3, 1, 2) if transposed else rows

    def steps(self, actions: np.ndarray) -> int:
        """Number of steps in actions [..., *action_shape]."""
        return actions.size // max(1, math.prod(self.action_space.shape or ()))

    def actions(self, actions: np.ndarray, device: torch.device) -> Tensor:
        """[B, features] float32, of actions [..., *action_shape] of B steps."""
        rows, space = torch.as_tensor(actions, device=device), self.action_space
        if isinstance(space, spaces.Discrete):
            return F.one_hot(rows.reshape(-1).long() - int(space.start), int(space.n)).float()
        if isinstance(space, spaces.MultiDiscrete):
            columns = rows.reshape(-1, space.nvec.size).long()
            sizes = [int(n) for n in space.nvec.reshape(-1)]
            return torch.cat([F.one_hot(columns[:, i], n) for i, n in enumerate(sizes)], dim=1).float()
        return rows.reshape(-1, self.shapes.action).float()


def _named_spaces(space: spaces.Space) -> dict[str, spaces.Space]:
    return dict(space.spaces) if isinstance(space, spaces.Dict) else {LONE: space}


def _channels_first(space: spaces.Space) -> tuple[tuple[int, int, int], bool]:
    """The shape as (channels, height, width), and whether the axes have to be swapped for it."""
    assert space.shape is not None
    a, b, c = space.shape
    channels_last = c < a
    return ((c, a, b), True) if channels_last else ((a, b, c), False)


def _vector_size(name: str, space: spaces.Space) -> int:
    if isinstance(space, spaces.Box):
        return int(np.prod(space.shape))
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    raise PrefrlError(
        f"a reward model cannot read the {type(space).__name__} observation {name!r}; "
        "supported: Box, Discrete, and Dict of these"
    )


def _action_size(space: spaces.Space) -> int:
    if isinstance(space, spaces.Box):
        return int(np.prod(space.shape))
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    if isinstance(space, spaces.MultiBinary):
        return int(np.prod(space.shape))
    raise PrefrlError(
        f"a reward model cannot read {type(space).__name__} actions; "
        "supported: Box, Discrete, MultiDiscrete, MultiBinary"
    )


def _describe(space: Any) -> str:
    """A space in words, without its bounds: those do not change what a network reads."""
    if isinstance(space, spaces.Dict):
        return "Dict(" + ", ".join(f"{name}: {_describe(inner)}" for name, inner in space.spaces.items()) + ")"
    if isinstance(space, spaces.Box):
        return f"Box{space.shape} {space.dtype}"
    if isinstance(space, spaces.MultiDiscrete):
        return f"MultiDiscrete{space.nvec.tolist()}"
    return f"{type(space).__name__}({space.n})"
