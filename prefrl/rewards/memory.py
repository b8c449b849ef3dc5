"""Memory for the images of comparisons, until a minibatch asks for them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from prefrl.segments import unstacked


class _Packed(NamedTuple):
    """The images of the K clips of a query.

    Attributes:
        content: on a CPU, compressed bytes; else a tensor on the device.
        shape: of the tensor: [K, T', H, W] frames, or [K, T, C, H, W] where the images are kept whole.
        depth: how many frames an observation stacks; 0 where they are kept whole.
    """

    content: bytes | Tensor
    shape: tuple[int, ...]
    depth: int


class PackedImages:
    """Images of D queries' clips of T steps: each frame once, no larger than it is read, stacked for a minibatch.

    On a CPU compressed: two clips of Pong, 25 steps each, take 2.3 KB instead of 1.4 MB of stacks, 10,000 such pairs
    23 MB, and to unpack one takes 0.07 ms, a twenty-fifth of what a fit spends on it. On any other device as uint8
    where they are needed: 99 KB a comparison, 0.3 GB for the latest 3,000 (`label_window`); four times that for a
    network that reads whole images.
    """

    def __init__(self, device: torch.device, reduced: Callable[[Tensor], Tensor] = lambda images: images) -> None:
        """`reduced`: what is kept of images [..., H, W], be they stacked or not."""
        self._device, self._reduced = device, reduced
        self._packed: list[_Packed] = []

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def nbytes(self) -> int:
        """Number of bytes in use."""
        contents = [each.content for each in self._packed]
        return sum(len(content) if isinstance(content, bytes) else content.nbytes for content in contents)

    def append(self, clips: Sequence[np.ndarray]) -> None:
        """Takes in the images [T, C, H, W] uint8 of each clip of a query."""
        frames = [unstacked(clip) for clip in clips]
        distinct = [each for each in frames if each is not None]
        if len(distinct) < len(clips):
            content, depth = np.stack(clips), 0
        else:
            content, depth = np.stack(distinct), clips[0].shape[1]
        kept = self._reduced(torch.from_numpy(content))
        self._packed.append(_Packed(self._pack(kept), tuple(kept.shape), depth))

    def keep(self, places: Sequence[int]) -> None:
        """Forgets all queries but those with these indices."""
        self._packed = [self._packed[place] for place in places]

    def take(self, indices: Iterable[int]) -> Tensor:
        """[S, T, C, H, W] uint8 the images of all clips of these queries, one after another, on the device."""
        stacks = [self._unpack(self._packed[index]) for index in indices]
        return _side_by_side(stacks) if self._device.type == "cpu" else torch.cat(stacks)

    def _pack(self, kept: Tensor) -> bytes | Tensor:
        if self._device.type == "cpu":
            return zlib.compress(kept.numpy().tobytes(), level=1)
        return kept.to(self._device)

    def _unpack(self, packed: _Packed) -> Tensor:
        """[K, T, C, H, W], of stacks a view on their frames."""
        content = packed.content
        if isinstance(content, bytes):
            content = torch.frombuffer(bytearray(zlib.decompress(content)), dtype=torch.uint8).reshape(packed.shape)
        return content.unfold(1, packed.depth, 1).movedim(-1, 2) if packed.depth else content


def _side_by_side(queries: list[Tensor]) -> Tensor:
    """Stacks [K, T, C, H, W] uint8 of several queries as one, each pixel's channels together in memory.

    So convolutions read them. A frame is a plane of each stack that it is in; OpenCV puts together those of a whole
    clip at once.
    """
    clips = [clip for stacks in queries for clip in stacks]
    steps, channels, height, width = clips[0].shape
    pixels = np.empty((len(clips), steps, height, width, channels), np.uint8)
    for clip, merged in zip(clips, pixels, strict=True):
        planes = [plane.reshape(-1, width).numpy() for plane in clip.movedim(1, 0)]
        cv2.merge(planes, merged.reshape(-1, width, channels))
    return torch.from_numpy(pixels).movedim(-1, 2)
