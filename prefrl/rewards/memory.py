"""Where the images of comparisons are kept until a minibatch asks for them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from prefrl.segments import unstacked


class _Pair(NamedTuple):
    """The images of two clips.

    Attributes:
        content: on a CPU, compressed bytes; else a tensor on the device.
        shape: of the tensor: [2, T', H, W] frames, or [2, T, C, H, W] where the images are kept whole.
        depth: how many frames an observation stacks; 0 where they are kept whole.
    """

    content: bytes | Tensor
    shape: tuple[int, ...]
    depth: int


class ImagePairs:
    """Images of D pairs of clips of T steps: each frame once, no larger than it is read, stacked for a minibatch.

    On a CPU compressed: two clips of Pong, 25 steps each, take 2.3 KB instead of 1.4 MB of stacks, 10,000 such pairs
    23 MB, and to unpack one takes 0.07 ms, a twenty-fifth of what a fit spends on it. On any other device as uint8
    where they are needed: 99 KB a comparison, 0.3 GB for the latest 3,000 (`label_window`); four times that for a
    network that reads whole images.
    """

    def __init__(self, device: torch.device, reduced: Callable[[Tensor], Tensor] = lambda images: images) -> None:
        """`reduced`: what is kept of images [..., H, W], be they stacked or not."""
        self._device, self._reduced = device, reduced
        self._pairs: list[_Pair] = []

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def nbytes(self) -> int:
        """What is kept takes so many bytes."""
        contents = [pair.content for pair in self._pairs]
        return sum(len(content) if isinstance(content, bytes) else content.nbytes for content in contents)

    def append(self, left: np.ndarray, right: np.ndarray) -> None:
        """Takes in the images [T, C, H, W] uint8 of both clips of a pair."""
        frames = unstacked(left), unstacked(right)
        if frames[0] is None or frames[1] is None:
            content, depth = np.stack([left, right]), 0
        else:
            content, depth = np.stack([frames[0], frames[1]]), left.shape[1]
        kept = self._reduced(torch.from_numpy(content))
        self._pairs.append(_Pair(self._pack(kept), tuple(kept.shape), depth))

    def keep(self, places: Sequence[int]) -> None:
        """Forgets all pairs but those with these indices."""
        self._pairs = [self._pairs[place] for place in places]

    def take(self, indices: Iterable[int]) -> Tensor:
        """[B, 2, T, C, H, W] uint8 the images of these pairs, on the device."""
        pairs = [self._unpack(self._pairs[index]) for index in indices]
        return _side_by_side(pairs) if self._device.type == "cpu" else torch.stack(pairs)

    def _pack(self, kept: Tensor) -> bytes | Tensor:
        if self._device.type == "cpu":
            return zlib.compress(kept.numpy().tobytes(), level=1)
        return kept.to(self._device)

    def _unpack(self, pair: _Pair) -> Tensor:
        """[2, T, C, H, W], of stacks a view on their frames."""
        content = pair.content
        if isinstance(content, bytes):
            content = torch.frombuffer(bytearray(zlib.decompress(content)), dtype=torch.uint8).reshape(pair.shape)
        return content.unfold(1, pair.depth, 1).movedim(-1, 2) if pair.depth else content


def _side_by_side(pairs: list[Tensor]) -> Tensor:
    """B pairs [2, T, C, H, W] uint8 as one, each pixel's channels together in memory, as convolutions read them.

    A frame is a plane of each stack that it is in; OpenCV puts together those of a whole clip at once.
    """
    sides, steps, channels, height, width = pairs[0].shape
    pixels = np.empty((len(pairs), sides, steps, height, width, channels), np.uint8)
    for pair, stacks in zip(pixels, pairs, strict=True):
        for clip, planes in zip(pair, stacks.movedim(2, 1), strict=True):
            cv2.merge([plane.reshape(-1, width).numpy() for plane in planes], clip.reshape(-1, width, channels))
    return torch.from_numpy(pixels).movedim(-1, 3)
