"""Trunks by which reward networks read images: convolutions, the members of an ensemble side by side as groups.

A trunk takes images [B, C, H, W], uint8, and returns features [B, M * F, h, w], those of member m in the m-th of
M equal blocks of channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LARGE = 64  # pixels, of the shorter side, from which an image is read at half its size


class Halved(nn.Module):
    """Images at half their height and width: of every 2x2 pixels the brightest.

    A ball of 1-2 pixels stays as bright as it was; in the mean it would be lost in its ground.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.whole = height, width

    def forward(self, images: Tensor) -> Tensor:
        """[..., H, W] -> [..., H // 2, W // 2]; those that are so small already, as they are kept, stay as they are.

        By slices, 20 times faster than max_pool2d on uint8.
        """
        if images.shape[-2:] != self.whole:
            return images
        height, width = (size // 2 * 2 for size in self.whole)
        rows = torch.maximum(images[..., 0:height:2, :width], images[..., 1:height:2, :width])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2])


class Centred(nn.Module):
    """uint8 images as float32, less the mean image of all it was trained on.

    What never moves is then 0, and what does stands out: the 1-2 pixels of a ball are all that a network needs to
    look at in Pong. In training mode every batch is taken into the mean before it is subtracted.

    Attributes:
        background: [C, H, W] mean image, 0 to 255.
        count: how many images it is the mean of.
    """

    background: Tensor
    count: Tensor

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.register_buffer("background", torch.zeros(shape))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape, about -2 to 2."""
        levels = channels_last(images).float()
        if self.training:
            self.count += len(levels)
            rows = levels.permute(0, 2, 3, 1).flatten(1)  # as they lie in memory: else the mean takes six times as long
            mean = rows.mean(0).unflatten(0, levels.shape[2:] + levels.shape[1:2]).permute(2, 0, 1)
            self.background += (mean - self.background) * (len(levels) / self.count)
        return levels.sub_(channels_last(self.background[None])).mul_(4 / 255)


class SharedDropout(nn.Module):
    """Dropout with one mask for a whole batch: every gradient step trains one thinned network a member.

    A comparison is about the difference of two sums over frames. With a mask for every frame the two sums would be
    taken by 2 T different networks, whose noise is no regulariser of what is compared: most of it averages out over
    a clip, and the rest is noise in the label. Here both clips are judged by the same network. It is also cheaper
    by the number of frames in a batch: drawing masks for each took longer than the convolutions.
    """

    def __init__(self, share: float) -> None:
        """`share`: of the activations that are dropped, in [0, 1)."""
        super().__init__()
        self.share = share

    def forward(self, rows: Tensor) -> Tensor:
        """[B, ...] -> the same shape; in evaluation mode unchanged. Draws from torch's global generator."""
        if not self.training:
            return rows
        mask = torch.rand(rows.shape[1:], device=rows.device) >= self.share
        return rows * (mask / (1 - self.share))


class Scaled(nn.Module):
    """uint8 images as float32 between 0 and 1."""

    def forward(self, images: Tensor) -> Tensor:
        return channels_last(images.float() / 255)


def channels_last(rows: Tensor) -> Tensor:
    """The same [B, C, H, W] in the memory order in which convolutions with few channels are 1.5 to 4 times faster."""
    return rows.contiguous(memory_format=torch.channels_last)


def trunk(shape: tuple[int, int, int], members: int) -> nn.Sequential:
    """The default: reads large images at half their size, with a fifth of the paper's multiplications.

    The figures behind it are in docs/experiments.md.
    """
    channels, height, width = shape
    layers: list[nn.Module] = []
    if min(height, width) >= LARGE:
        layers, height, width = [Halved(height, width)], height // 2, width // 2
    layers.append(Centred((channels, height, width)))
    inputs, groups = channels, 1  # all members read the same image
    for filters, kernel, stride in ((8, 5, 2), (16, 3, 2)):
        layers.append(nn.Conv2d(inputs, filters * members, kernel, stride, kernel // 2, groups=groups))
        layers.append(nn.LeakyReLU(0.01, True))
        inputs, groups = filters * members, members
    return nn.Sequential(*layers)


def paper_trunk(shape: tuple[int, int, int], members: int) -> nn.Sequential:
    """Four layers of 16 filters a member, with batch norm and dropout 0.5 on each.

    Both clips of every pair of a minibatch pass in one batch, so they are standardised by the same batch statistics:
    by statistics of their own, what tells the clips apart would be taken out. Those of a member are its own, channel
    by channel, and include the comparisons that it holds out: their images, not their labels.

    Christiano et al. 2017, appendix A.2; it does not say what the images are scaled by, in which order the layers
    are, nor whether they are padded; here they are not.
    """
    layers: list[nn.Module] = [Scaled()]
    inputs, groups = shape[0], 1  # all members read the same image
    for kernel, stride in ((7, 3), (5, 2), (3, 1), (3, 1)):
        layers.append(nn.Conv2d(inputs, 16 * members, kernel, stride, groups=groups, bias=False))
        layers += [nn.BatchNorm2d(16 * members), nn.LeakyReLU(0.01, True), SharedDropout(0.5)]
        inputs, groups = 16 * members, members
    return nn.Sequential(*layers)
