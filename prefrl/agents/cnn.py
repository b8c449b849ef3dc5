"""The agent's convolutional networks: images in, features out, centred on their background, in either precision."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from prefrl.agents.base import DIVERGED
from prefrl.agents.graphs import Graphed
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up
from prefrl.core.settings import Precision

Layers = tuple[tuple[int, int, int], ...]
"""(filters, kernel, stride) of each convolution."""

CNNS: dict[str, tuple[Layers, int]] = {
    "dqn2013": (((16, 8, 4), (32, 4, 2)), 256),  # Mnih et al. 2013, arXiv 1312.5602: a third of the work
    "nature": (((32, 8, 4), (64, 4, 2), (64, 3, 1)), 512),  # Mnih et al. 2015
}
"""Name -> convolutions, and units of the layer on top of them."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

IMAGES_PER_THREAD = 16  # fewer are read by one thread as fast as by two, and the other is left to the consoles


class CentredCnn(BaseFeaturesExtractor):
    """Reads how images differ from their background, the mean of all that `observe` was shown.

    On raw grey frames PPO learns nothing of Pong: a constant background outweighs the ball. Grey levels less the
    background, rounded to one, are whole numbers below 256, and a 64th of those (about 4/255) is exact in bfloat16:
    both precisions read the same input. Weights and features are float32 in both.

    Attributes:
        background: [C, H, W] mean of the images seen; 0 to 255.
        count: how many were.
    """

    background: Tensor
    count: Tensor

    def __init__(self, observation_space: spaces.Box, cnn: str = "dqn2013", precision: Precision = "fp32") -> None:
        convolutions, units = look_up("cnn", cnn, CNNS)
        super().__init__(observation_space, features_dim=units)
        self.dtype = look_up("precision", precision, DTYPES)
        shape = observation_space.shape
        # Channels last, as the images that it is taken from: to subtract one of another layout takes twice as long.
        self.register_buffer("background", torch.zeros(1, *shape).contiguous(memory_format=torch.channels_last)[0])
        self.register_buffer("count", torch.zeros(()))
        layers: list[nn.Module] = []
        channels = shape[0]
        for filters, kernel, stride in convolutions:
            layers += [nn.Conv2d(channels, filters, kernel, stride), nn.ReLU(inplace=True)]
            channels = filters
        # Flattened before the last ReLU: its gradient would else be between two layouts, which takes ten times as long.
        trunk = nn.Sequential(*layers[:-1], nn.Flatten(), layers[-1])
        width = trunk(torch.zeros(1, *shape)).shape[1]
        self.layers = nn.Sequential(*trunk, nn.Linear(width, units), nn.ReLU(inplace=True))
        self._rounded: list[nn.Sequential] = []  # in a list it is no part of the network, nor of what is saved
        self._is_current = False

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] grey levels, uint8 or float -> [B, units] float32."""
        return self.read(self.centred(images))

    @torch.no_grad()
    def centred(self, images: Tensor) -> Tensor:
        """Grey levels [B, C, H, W] in the network's precision and layout, less the background."""
        levels = images if images.dtype == torch.uint8 else images.to(self.dtype)
        background = self.background[None].round().to(self.dtype)
        return torch.add(background.mul_(-1 / 64), interleaved(levels), alpha=1 / 64)

    def read(self, centred: Tensor) -> Tensor:
        """[B, C, H, W], of `centred` -> [B, units] float32."""
        is_acting = not self.training and not torch.is_grad_enabled() and centred.device.type == "cpu"
        if is_acting and self.dtype is torch.bfloat16:
            return self._rounded_layers()(centred).float()
        with torch.autocast(centred.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            return self.layers(centred).float()

    def train(self, mode: bool = True) -> CentredCnn:
        """As ever. SB3 calls it before each rollout and before each update: the weights may be others from here on."""
        self._is_current = False
        return super().train(mode)

    def _rounded_layers(self) -> nn.Sequential:
        """The layers in bfloat16. For a few images autocast, which rounds at every call, takes a third of the time."""
        if not self._rounded:
            with torch.inference_mode(False):  # made in that mode they could not be changed outside of it
                self._rounded.append(copy.deepcopy(self.layers).to(self.dtype))
        (layers,) = self._rounded
        if not self._is_current:
            for rounded, weights in zip(layers.parameters(), self.layers.parameters(), strict=True):
                rounded.copy_(weights)
            self._is_current = True
        return layers

    def put_channels_last(self) -> None:
        """The layout of the weights that is twice as fast on a CPU with AVX2, thrice with AMX, and never slower.

        Once they are initialized: PyTorch's orthogonal_ needs the other one.
        """
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def observe(self, images: np.ndarray) -> None:
        """Takes images [..., C, H, W] into the background."""
        *leading, _, _, _ = images.shape
        number = math.prod(leading)
        mean = images.mean(axis=tuple(range(len(leading))), dtype=np.float32)  # torch's takes ten times as long
        self.count += number
        shown = torch.as_tensor(mean, device=self.background.device)
        self.background += (shown - self.background) * (number / self.count)


def interleaved(images: Tensor) -> Tensor:
    """The same [B, C, H, W], each pixel's channels together in memory; with bytes OpenCV is thrice as fast at it."""
    if images.device.type != "cpu" or images.dtype != torch.uint8:
        return images.contiguous(memory_format=torch.channels_last)
    batch, channels, height, width = images.shape
    pixels = np.empty((batch, height, width, channels), np.uint8)
    for pixel, planes in zip(pixels, images.numpy(), strict=True):
        cv2.merge(list(planes), pixel)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


class CnnPolicy(ActorCriticCnnPolicy):
    """SB3's policy for images, on a network that takes them as they are: uint8, a byte a pixel."""

    _acting: Graphed | None = None
    _seen: Tensor | None = None

    def seen(self) -> Tensor:
        """[N, C, H, W] the images that the latest actions were chosen by, where they were: on the device."""
        assert self._seen is not None
        return self._seen

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, values and log-probabilities of images [N, C, H, W]; on a GPU as one graph while a rollout lasts."""
        self._seen = obs
        drawn = isinstance(self.action_space, spaces.Discrete) and not deterministic and not torch.is_grad_enabled()
        if obs.device.type == "cpu":
            with at_most_threads(math.ceil(len(obs) / IMAGES_PER_THREAD)):
                return self._drawn(obs) if drawn else super().forward(obs, deterministic)
        if obs.device.type != "cuda" or not drawn:
            return super().forward(obs, deterministic)
        if self._acting is None or not self._acting.fits(obs):
            self._acting = Graphed(super().forward, obs)
        actions, values, log_probs = (output.clone() for output in self._acting(obs))
        return actions, values, log_probs

    def _drawn(self, obs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Computes SB3's `forward` bit for bit, without the checks of torch.distributions."""
        latent_policy, latent_value = self.mlp_extractor(self.extract_features(obs))
        logits = self.action_net(latent_policy)
        log_probs = logits - logits.logsumexp(-1, keepdim=True)
        try:
            actions = torch.multinomial(log_probs.softmax(-1), 1, replacement=True)
        except RuntimeError as error:
            raise PrefrlError(DIVERGED) from error
        return actions[:, 0], self.value_net(latent_value), log_probs.gather(-1, actions)[:, 0]

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        assert isinstance(self.features_extractor, CentredCnn)
        self.features_extractor.put_channels_last()

    def extract_features(self, obs: PyTorchObs, features_extractor: BaseFeaturesExtractor | None = None) -> Tensor:
        """Features of raw images, or of centred ones, as the rollout buffer has them for all passes of an update.

        SB3 would first write the images out as float32, which takes as long as the first convolution.
        """
        network = features_extractor or self.features_extractor
        assert isinstance(network, CentredCnn)
        assert isinstance(obs, Tensor)
        return network(obs) if obs.dtype == torch.uint8 else network.read(obs)


@contextmanager
def at_most_threads(number: int) -> Iterator[None]:
    """Keeps torch to so many threads: those with nothing left to do go on turning for a while, in others' way."""
    before = torch.get_num_threads()
    if before <= number:
        yield
        return
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
