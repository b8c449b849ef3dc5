"""Reward networks: all members of an ensemble as one module, so that no loop runs over them.

A function that makes such a module is one of prefrl's plug-in points. Its module takes observations as a dict, name ->
[B, ...], and actions [B, A], and returns the predicted rewards [M, B] of M members that share nothing: every
parameter has M equal blocks along its first axis, one a member. The names are the keys of a Dict space; the observation
of any other space is named "obs". Vectors are standardised float32 [B, features], images uint8 [B, C, H, W]. It may
have `reduced`, as RewardNetwork has: then comparisons' images are kept as small as that makes them, and it must read
those too.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up_or_load
from prefrl.rewards.images import Halved, paper_trunk, trunk
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

    def forward(self, *parts: Tensor) -> Tensor:
        """Applies the layer to inputs in parts, one after the other: joining them first would copy them all.

        A part may be features of images, [M, B, pixels, filters]. They are read as they lie in memory, and the weights,
        of which there are far fewer, turned to them: those have all pixels of a filter, then all of the next.
        """
        used, hidden = 0, None
        for part in parts:
            size = part.shape[2:].numel()
            weight, used = self.weight[:, used : used + size], used + size
            if part.dim() == 4:
                pixels, filters = part.shape[2:]
                weight = weight.unflatten(1, (filters, pixels)).transpose(1, 2).flatten(1, 2)
            product = torch.bmm(part.flatten(2).expand(len(weight), -1, -1), weight)
            # Not baddbmm, which first writes the bias to every row: a third of a fit's time.
            hidden = product.add_(self.bias) if hidden is None else hidden.add_(product)
        assert hidden is not None
        return hidden


class StackedOutput(StackedLinear):
    """The last layer, in float32 whatever those before it are in: clips are compared by sums of what it puts out."""

    def forward(self, *parts: Tensor) -> Tensor:
        with torch.autocast(parts[0].device.type, enabled=False):
            return super().forward(*(part.float() for part in parts))


class RewardNetwork(nn.Module):
    """Reads every image through a trunk of its own, joins all with the action, ends in one number a member.

    Christiano et al. 2017, appendix A: leaky ReLU of slope 0.01 throughout.
    """

    def __init__(self, shapes: InputShapes, hidden: tuple[int, ...], members: int) -> None:
        super().__init__()
        self.members, self.vectors = members, sorted(shapes.vectors)
        self.images = sorted(shapes.images)
        self.trunks = nn.ModuleList([trunk(shapes.images[name], members) for name in self.images])
        read = sum(features_of(made, shapes.images[name]) for name, made in zip(self.images, self.trunks, strict=True))
        width = sum(shapes.vectors.values()) + shapes.action + read // members
        self.head = dense((width, *hidden), members)

    def forward(self, obs: dict[str, Tensor], actions: Tensor) -> Tensor:
        """obs: name -> [B, ...], actions [B, A] -> predicted rewards [M, B], not normalized."""
        shared = torch.cat([*(obs[name] for name in self.vectors), actions], dim=-1)[None]
        read = [by_member(made(obs[name]), self.members) for name, made in zip(self.images, self.trunks, strict=True)]
        return read_by(self.head, shared, *read)

    def reduced(self, name: str, images: Tensor) -> Tensor:
        """Reduces images [..., H, W] uint8 to what every pass reads, so that it is computed once."""
        first = next(self.trunks[self.images.index(name)].children())
        return first(images) if isinstance(first, Halved) else images


class PaperCnn(nn.Module):
    """The paper's network for Atari: one image, no action."""

    def __init__(self, shape: tuple[int, int, int], hidden: tuple[int, ...], members: int) -> None:
        super().__init__()
        self.members, self.trunk = members, paper_trunk(shape, members)
        self.head = dense((features_of(self.trunk, shape) // members, *hidden), members)

    def forward(self, obs: dict[str, Tensor], actions: Tensor) -> Tensor:
        """obs: name -> [B, 4, 84, 84], actions [B, A] -> predicted rewards [M, B], not normalized."""
        (image,) = obs.values()
        return read_by(self.head, by_member(self.trunk(image), self.members))


def dense(sizes: tuple[int, ...], members: int) -> nn.Sequential:
    """Layers of these sizes, then one of a single unit: [M or 1, B, sizes[0]] -> [M, B, 1]."""
    layers = [layer for pair in pairwise(sizes) for layer in (StackedLinear(members, *pair), nn.LeakyReLU(0.01, True))]
    return nn.Sequential(*layers, StackedOutput(members, sizes[-1], 1))


def read_by(head: nn.Sequential, *parts: Tensor) -> Tensor:
    """The parts that the first layer of a head takes -> predicted rewards [M, B]."""
    first, *others = head
    rows = first(*parts)
    for layer in others:
        rows = layer(rows)
    return rows.squeeze(-1)


def by_member(features: Tensor, members: int) -> Tensor:
    """[B, M * F, h, w], channels last in memory -> [M, B, h * w, F]."""
    return features.permute(0, 2, 3, 1).flatten(1, 2).unflatten(-1, (members, -1)).permute(2, 0, 1, 3)


@torch.no_grad()
def features_of(trunk: nn.Module, shape: tuple[int, int, int]) -> int:
    """Number of features that a trunk makes of an image of this shape, for all members together."""
    features = trunk.eval()(torch.zeros(1, *shape, dtype=torch.uint8)).numel()
    trunk.train()
    return features


def mlp(shapes: InputShapes, hidden: tuple[int, ...], members: int) -> nn.Module:
    """The paper's network for control: vectors only.

    Raises:
        PrefrlError: there are images to read.
    """
    if shapes.images:
        raise PrefrlError(f"network mlp reads vectors, but {sorted(shapes.images)} are images; use cnn")
    return RewardNetwork(shapes, hidden, members)


def cnn(shapes: InputShapes, hidden: tuple[int, ...], members: int) -> nn.Module:
    """Convolutions on every image, with the action and any vectors beside them: the default for games.

    Raises:
        PrefrlError: there is no image to read.
    """
    if not shapes.images:
        raise PrefrlError("network cnn reads images, but the observation has none; use mlp")
    return RewardNetwork(shapes, hidden, members)


def paper_cnn(shapes: InputShapes, hidden: tuple[int, ...], members: int) -> nn.Module:
    """The paper's network for Atari, to the letter where `hidden` is (64,).

    Raises:
        PrefrlError: the observation is not one stack of 4 frames of 84x84.
    """
    if shapes.vectors or list(shapes.images.values()) != [(4, 84, 84)]:
        raise PrefrlError(
            f"network paper_cnn reads 4 frames of 84x84, not {shapes.images | shapes.vectors}; use cnn or mlp"
        )
    return PaperCnn((4, 84, 84), hidden, members)


NETWORKS: dict[str, MakeNetwork] = {"mlp": mlp, "cnn": cnn, "paper_cnn": paper_cnn}


def find_network(name: str, shapes: InputShapes) -> MakeNetwork:
    """Finds a network by name: auto, a name in NETWORKS, or module:function."""
    if name == "auto":
        return cnn if shapes.images else mlp
    return look_up_or_load("network", name, NETWORKS)
