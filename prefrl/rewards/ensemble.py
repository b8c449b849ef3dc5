"""An ensemble of reward networks, evaluated and trained in one batched computation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from prefrl.core.errors import PrefrlError
from prefrl.core.settings import Precision, build
from prefrl.moments import RunningMoments
from prefrl.rewards.config import RewardConfig, with_new_names
from prefrl.rewards.inputs import Inputs
from prefrl.rewards.networks import find_network
from prefrl.segments import Observations, Segment, part_of

WEIGHTS, DESCRIPTION = "reward_model.safetensors", "reward_model.json"


class RewardEnsemble:
    """M reward networks in one module, evaluated and trained together.

    The learned reward is the mean over the members of each one's prediction, standardised on its own
    (Christiano et al. 2017, sec. 2.2.3). Vector observations are standardised by what was shown to
    `see`; the networks' own outputs, not the standardised ones, are what comparisons are trained on.
    The network is in training mode nowhere but inside `fit`.

    Attributes:
        precision: of the networks' products and convolutions; weights, outputs, losses and statistics are float32.
        network: (obs, actions) -> [M, B]; every parameter has one block a member along its first axis.
        l2: [M] weight of each member's sum of squared parameters, adapted by `fit`.
        output_mean: [M] mean of each member's predictions, set by `standardise`.
        output_std: [M].
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        config: RewardConfig,
        seed: int,
        device: str | torch.device = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        self.precision = precision
        self.inputs, self.config, self.device = (
            Inputs(observation_space, action_space),
            config,
            torch.device(device),
        )
        make = find_network(config.network, self.inputs.shapes)
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from the CPU's global generator
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU's as well
            self.network = make(self.inputs.shapes, config.hidden, config.members).to(self.device).eval()
        self._moments = {
            name: RunningMoments((size,)).to(self.device) for name, size in self.inputs.shapes.vectors.items()
        }
        self.l2 = torch.full((config.members,), config.l2, device=self.device)
        self.output_mean = torch.zeros(config.members, device=self.device)
        self.output_std = torch.ones(config.members, device=self.device)

    def __call__(self, obs: Observations, actions: np.ndarray) -> np.ndarray:
        """Returns the learned reward of B steps.

        Args:
            obs: name -> [B, ...], or [T, N, ...] with B = T * N.
            actions: [B, ...] or [T, N, ...].

        Returns:
            [B] float32.

        Raises:
            PrefrlError: obs is not a dict with the names that the model reads.
        """
        return self.normalized(obs, actions).mean(0).cpu().numpy()

    @torch.no_grad()
    def normalized(self, obs: Observations, actions: np.ndarray) -> Tensor:
        """[M, B] each member's prediction at mean 0 and the configured standard deviation."""
        self.inputs.check_names(obs)
        rows = max(1, self._part * len(actions) // self.inputs.steps(actions))
        parts = [slice(start, start + rows) for start in range(0, len(actions), rows)]
        raw = torch.cat([self.raw(*self.encode(part_of(obs, part), actions[part])) for part in parts], dim=1)
        return self._standardised(raw)

    def returns(self, segments: Sequence[Segment]) -> np.ndarray:
        """[S] float32 learned return of S segments of the same length: the sum of their rewards."""
        return self.returns_of(self.raw_of(segments))

    def returns_of(self, raw: Tensor) -> np.ndarray:
        """The same of predictions that are there already: raw [M, S, T], of `raw_of`, -> [S] float32."""
        rewards = self._standardised(raw.flatten(1)).mean(0)
        return rewards.reshape(raw.shape[1:]).sum(1).cpu().numpy()

    @torch.no_grad()
    def raw_of(self, segments: Sequence[Segment]) -> Tensor:
        """[M, S, T] `raw` of every step of S segments of T steps each, any number of them in bounded memory."""
        raw = torch.cat([self.raw(*self.encode_segments(part)) for part in self._parts(segments)], dim=1)
        return raw.reshape(len(raw), len(segments), -1)

    def _standardised(self, raw: Tensor) -> Tensor:
        return (raw - self.output_mean[:, None]) * (self.config.std / self.output_std[:, None])

    def encode(self, obs: Observations, actions: np.ndarray) -> tuple[dict[str, Tensor], Tensor]:
        """Raw observations and actions [B, ...], or [T, N, ...], as the tensors that `raw` takes."""
        return self.inputs.observations(obs, self.device), self.inputs.actions(actions, self.device)

    def encode_segments(self, segments: Sequence[Segment]) -> tuple[dict[str, Tensor], Tensor]:
        """The same of all steps of S segments, [S * T, ...]."""
        obs = self.inputs.of_segments([segment.obs for segment in segments], self.device)
        return obs, self.inputs.actions(np.concatenate([segment.actions for segment in segments]), self.device)

    def raw(self, obs: dict[str, Tensor], actions: Tensor) -> Tensor:
        """[M, B] what the networks themselves put out, with gradients."""
        scaled = {name: self._moments[name](rows) if name in self._moments else rows for name, rows in obs.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.network(scaled, actions).float()  # of a network of one's own, too

    def reduced(self, name: str, images: Tensor) -> Tensor:
        """Images [..., H, W] of the observation `name` no larger than the network reads them, where it says so."""
        reduce = getattr(self.network, "reduced", None)  # one's own network need not have it
        return images if reduce is None else reduce(name, images)

    @property
    def _part(self) -> int:
        """Steps evaluated at a time: a step with an image takes a hundred kilobytes and more on its way."""
        return 512 if self.inputs.shapes.images else 8192

    def _parts(self, segments: Sequence[Segment]) -> Iterator[list[Segment]]:
        number = max(1, self._part // len(segments[0]))
        return (list(segments[start : start + number]) for start in range(0, len(segments), number))

    def see(self, segments: Sequence[Segment]) -> None:
        """Takes what was observed into the statistics by which vectors are standardised."""
        for name, moments in self._moments.items():
            rows = np.concatenate([segment.obs[name] for segment in segments])
            moments.update(self.inputs.observation(name, torch.as_tensor(rows, device=self.device)))

    def standardise(self, segments: Sequence[Segment]) -> None:
        """Makes each member's predictions on the steps of these segments have mean 0 and the configured std."""
        self.standardise_by(self.raw_of(segments))

    def standardise_by(self, raw: Tensor) -> None:
        """The same by predictions that are there already: raw [M, S, T], of `raw_of`."""
        self.output_mean, self.output_std = raw.flatten(1).mean(1), raw.flatten(1).std(1).clamp_min(1e-6)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the model consists of, by name."""
        moments = {
            f"moments.{name}.{key}": value
            for name, module in self._moments.items()
            for key, value in module.state_dict().items()
        }
        own = {"l2": self.l2, "output_mean": self.output_mean, "output_std": self.output_std}
        return own | moments | {f"network.{name}": value for name, value in self.network.state_dict().items()}

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`, in place."""
        for name, value in self.state().items():
            value.copy_(state[name])

    def save(self, folder: Path, versions: dict[str, str]) -> None:
        """Writes weights and description into `folder`; `versions` are recorded beside them."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous().cpu() for name, value in self.state().items()}, folder / WEIGHTS)
        description = {
            "spaces": self.inputs.signature(), "config": vars(self.config), "precision": self.precision,
            "versions": versions,
        }  # fmt: skip
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2))

    @classmethod
    def load(
        cls,
        folder: str | Path,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        device: str | torch.device = "cpu",
    ) -> RewardEnsemble:
        """A saved ensemble, for the spaces it is to be used with.

        Raises:
            PrefrlError: no reward model there, a damaged one, or one made for other spaces.
        """
        folder = Path(folder)
        description, state = _read(folder)
        precision = description.get("precision", "fp32")  # older ones do not say
        ensemble = cls(observation_space, action_space, description["config"], 0, device, precision)
        made_for, given = description["spaces"], ensemble.inputs.signature()
        for kind in ("observation", "action"):
            if made_for[kind] != given[kind]:
                raise PrefrlError(f"{folder} was made for {kind}s {made_for[kind]}, but here they are {given[kind]}")
        ensemble.load_state(state)
        return ensemble


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not (folder / DESCRIPTION).exists():
        raise PrefrlError(f"no reward model in {folder}: {DESCRIPTION} is missing")
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        description["config"] = build(RewardConfig, with_new_names(description["config"]))
        return description, load_file(folder / WEIGHTS)
    except (ValueError, KeyError, SafetensorError, OSError) as error:
        raise PrefrlError(f"the reward model in {folder} is damaged: {error}") from error
