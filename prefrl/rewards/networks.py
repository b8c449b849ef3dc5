"""Reward networks: one member of the ensemble, as a function of the shapes it reads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from prefrl.names import look_up_or_load
from prefrl.rewards.inputs import InputShapes

MakeNetwork = Callable[[InputShapes, tuple[int, ...]], nn.Module]


class RewardNetwork(nn.Module):
    """Reads every image through a convolutional trunk, joins all with the action, ends in one number.

    Christiano et al. 2017, appendix A: leaky ReLU of slope 0.01 throughout.
    """

    def __init__(self, shapes: InputShapes, hidden: tuple[int, ...], trunks: dict[str, nn.Module], width: int) -> None:
        """`trunks`: one module per image, with `width` outputs in all."""
        super().__init__()
        self.vectors, self.trunks = sorted(shapes.vectors), nn.ModuleDict(trunks)
        sizes = [sum(shapes.vectors.values()) + width + shapes.action, *hidden]
        layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.LeakyReLU(0.01))]
        self.head = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def forward(self, obs: dict[str, Tensor], actions: Tensor) -> Tensor:
        """obs: name -> [B, ...], actions [B, A] -> predicted reward [B], not normalised."""
        parts = [obs[name] for name in self.vectors]
        parts += [trunk(obs[name]) for name, trunk in self.trunks.items()]
        return self.head(torch.cat([*parts, actions], dim=-1)).squeeze(-1)


def mlp(shapes: InputShapes, hidden: tuple[int, ...]) -> nn.Module:
    """The paper's network for control: vectors only.

    Raises:
        ValueError: there are images to read.
    """
    if shapes.images:
        raise ValueError(f"network mlp reads vectors, but {sorted(shapes.images)} are images; use cnn")
    return RewardNetwork(shapes, hidden, {}, 0)


def cnn(shapes: InputShapes, hidden: tuple[int, ...]) -> nn.Module:
    """Four convolutions of 16 filters on every image, as the paper's on Atari, padded so that any size fits.

    Raises:
        ValueError: there is no image to read.
    """
    if not shapes.images:
        raise ValueError("network cnn reads images, but the observation has none; use mlp")
    trunks = {name: _convolutions(shape[0]) for name, shape in shapes.images.items()}
    with torch.no_grad():
        width = sum(trunks[name](torch.zeros(1, *shape)).shape[1] for name, shape in shapes.images.items())
    return RewardNetwork(shapes, hidden, trunks, width)


def _convolutions(channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, kernel, stride in ((channels, 7, 3), (16, 5, 2), (16, 3, 1), (16, 3, 1)):
        layers += [nn.Conv2d(inputs, 16, kernel, stride, padding=kernel // 2), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers, nn.Flatten())


NETWORKS: dict[str, MakeNetwork] = {"mlp": mlp, "cnn": cnn}


def find_network(name: str, shapes: InputShapes) -> MakeNetwork:
    """What `name` stands for: auto, a name in NETWORKS, or module:function of one's own."""
    if name == "auto":
        return cnn if shapes.images else mlp
    return look_up_or_load("network", name, NETWORKS)
