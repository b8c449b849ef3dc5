"""Reward networks: all members of an ensemble as one module, so that no loop runs over them.

A function that makes such a module is one of prefrl's plug-in points. Its module takes observations by name,
[B, ...], and actions [B, A], and returns the predicted rewards [M, B] of M members that share nothing: every
parameter has M equal blocks along its first axis, one a member.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from prefrl.names import look_up_or_load
from prefrl.rewards.inputs import InputShapes

MakeNetwork = Callable[[InputShapes, tuple[int, ...], int], nn.Module]
"""(shapes, hidden units, members) -> a module as above."""


class StackedLinear(nn.Module):
    """M linear layers side by side: [M or 1, B, inputs] -> [M, B, outputs]."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5  # as nn.Linear
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, rows: Tensor) -> Tensor:
        # Not baddbmm, which first writes the bias to every row: a third of a fit's time.
        return torch.bmm(rows.expand(len(self.weight), -1, -1), self.weight).add_(self.bias)


class RewardNetwork(nn.Module):
    """Reads every image through a convolutional trunk, joins all with the action, ends in one number a member.

    Christiano et al. 2017, appendix A: leaky ReLU of slope 0.01 throughout.
    """

    def __init__(self, shapes: InputShapes, hidden: tuple[int, ...], members: int) -> None:
        super().__init__()
        self.members, self.vectors = members, sorted(shapes.vectors)
        self.images = sorted(shapes.images)
        self.trunks = nn.ModuleList([convolutions(shapes.images[name][0], members) for name in self.images])
        with torch.no_grad():
            blank = {name: torch.zeros(1, *shape) for name, shape in shapes.images.items()}
            read = self._read_images(blank)
        width = sum(shapes.vectors.values()) + shapes.action + sum(features.shape[-1] for features in read)
        sizes = [width, *hidden]
        layers = [
            layer for pair in pairwise(sizes) for layer in (StackedLinear(members, *pair), nn.LeakyReLU(0.01, True))
        ]
        self.head = nn.Sequential(*layers, StackedLinear(members, sizes[-1], 1))

    def forward(self, obs: dict[str, Tensor], actions: Tensor) -> Tensor:
        """obs: name -> [B, ...], actions [B, A] -> predicted rewards [M, B], not normalised."""
        shared = torch.cat([*(obs[name] for name in self.vectors), actions], dim=-1)[None]
        features = self._read_images(obs)
        if features:
            shared = shared.expand(self.members, -1, -1)
        return self.head(torch.cat([shared, *features], dim=-1)).squeeze(-1)

    def _read_images(self, obs: dict[str, Tensor]) -> list[Tensor]:
        """[B, C, H, W] -> [M, B, features] of each image."""
        read = [trunk(obs[name]) for name, trunk in zip(self.images, self.trunks, strict=True)]
        return [rows.unflatten(1, (self.members, -1)).flatten(2).transpose(0, 1) for rows in read]


def convolutions(channels: int, members: int) -> nn.Sequential:
    """The paper's four layers of 16 filters a member, padded so that any size fits; the members are groups."""
    layers: list[nn.Module] = []
    for i, (kernel, stride) in enumerate(((7, 3), (5, 2), (3, 1), (3, 1))):
        inputs, groups = (16 * members, members) if i else (channels, 1)  # all members read the same image
        layers.append(nn.Conv2d(inputs, 16 * members, kernel, stride, padding=kernel // 2, groups=groups))
        layers.append(nn.LeakyReLU(0.01, True))
    return nn.Sequential(*layers)


def mlp(shapes: InputShapes, hidden: tuple[int, ...], members: int) -> nn.Module:
    """The paper's network for control: vectors only.

    Raises:
        ValueError: there are images to read.
    """
    if shapes.images:
        raise ValueError(f"network mlp reads vectors, but {sorted(shapes.images)} are images; use cnn")
    return RewardNetwork(shapes, hidden, members)


def cnn(shapes: InputShapes, hidden: tuple[int, ...], members: int) -> nn.Module:
    """Convolutions on every image, as the paper's on Atari but with the action, and vectors beside them.

    Raises:
        ValueError: there is no image to read.
    """
    if not shapes.images:
        raise ValueError("network cnn reads images, but the observation has none; use mlp")
    return RewardNetwork(shapes, hidden, members)


NETWORKS: dict[str, MakeNetwork] = {"mlp": mlp, "cnn": cnn}


def find_network(name: str, shapes: InputShapes) -> MakeNetwork:
    """What `name` stands for: auto, a name in NETWORKS, or module:function of one's own."""
    if name == "auto":
        return cnn if shapes.images else mlp
    return look_up_or_load("network", name, NETWORKS)
