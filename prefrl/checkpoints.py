"""Everything that learning has come to, on disk and back: a run goes on from its latest checkpoint."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from prefrl.agents.buffers import ReturnScale
from prefrl.agents.ppo import load_ppo
from prefrl.rewards.ensemble import Ensemble
from prefrl.rollouts import SegmentPool
from prefrl.store import codec

POLICY, TENSORS, POOL, MANIFEST = "policy.zip", "tensors.safetensors", "pool.safetensors", "checkpoint.json"


@dataclass
class RewardLearner:
    """The reward model with what it takes to go on training it."""

    ensemble: Ensemble
    optimizer: torch.optim.Adam
    pool: SegmentPool


@dataclass
class Learner:
    """What a run has learned so far, complete at the end of every iteration.

    No random state is in it: every leg of a run, from one checkpoint to the next, seeds its generators
    and environments from (seed, step).

    Attributes:
        model: the agent; its num_timesteps counts the run's steps.
        average: the running mean of the agent's policies.
        scale: the running scale of the agent's rewards.
        reward: None where the agent trains on the true reward.
        rounds: rounds of queries done.
        wall_seconds: spent training, fits included.
        cpu_seconds: the same, added up over all threads.
        fit_seconds: spent fitting the reward model.
        fit: how the reward model did after its latest fit.
    """

    model: PPO
    average: AveragedModel
    scale: ReturnScale
    reward: RewardLearner | None
    rounds: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    fit_seconds: float = 0.0
    fit: dict[str, float | None] = field(default_factory=dict)

    @property
    def step(self) -> int:
        return self.model.num_timesteps


def save_checkpoint(learner: Learner, folder: Path) -> Path:
    """Writes folder/step-<n>, complete or not at all, and removes all but the latest two."""
    target = folder / f"step-{learner.step:012d}"
    draft = folder / f".{target.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    learner.model.save(draft / POLICY)
    save_file(_tensors(learner), draft / TENSORS)
    if learner.reward is not None:
        save_arrays(_packed(learner.reward.pool), draft / POOL)
    manifest = {
        "step": learner.step,
        "rounds": learner.rounds,
        "wall_seconds": learner.wall_seconds,
        "cpu_seconds": learner.cpu_seconds,
        "fit_seconds": learner.fit_seconds,
        "fit": learner.fit,
        "sha256": {path.name: _sha256(path) for path in sorted(draft.iterdir())},
    }
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=2))
    for path in draft.iterdir():
        _to_disk(path)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    for old in checkpoints(folder)[:-2]:
        shutil.rmtree(old)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, oldest first."""
    return sorted(folder.glob("step-*"))


def load_checkpoint(path: Path, learner: Learner, env: VecEnv, device: str) -> None:
    """Brings a fresh learner to where the checkpoint was.

    Raises:
        ValueError: the checkpoint is damaged; says how to go on from an earlier one.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        for name, expected in manifest["sha256"].items():
            if _sha256(path / name) != expected:
                raise ValueError(f"{name} is not what was saved")
        learner.model = load_ppo(path / POLICY, env, device)
        _load_tensors(learner, load_file(path / TENSORS))
        if learner.reward is not None:
            _unpack(load_arrays(path / POOL), learner.reward.pool)
        learner.rounds, learner.fit = manifest["rounds"], manifest["fit"]
        learner.wall_seconds, learner.fit_seconds = manifest["wall_seconds"], manifest["fit_seconds"]
        learner.cpu_seconds = manifest.get("cpu_seconds", 0.0)  # older checkpoints do not say
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise ValueError(
            f"the checkpoint {path} is damaged ({error}); remove that folder to go on from the one before it"
        ) from error


def _tensors(learner: Learner) -> dict[str, Tensor]:
    scale = {f"scale.{name}": value for name, value in learner.scale.moments.state_dict().items()}
    tensors = scale | {"scale.returns": torch.as_tensor(learner.scale.returns)}
    tensors |= {f"average.{name}": value for name, value in _weights(learner.average).items()}
    if learner.reward is not None:
        tensors |= {f"ensemble.{name}": value for name, value in learner.reward.ensemble.state().items()}
        adam = learner.reward.optimizer.state_dict()["state"]
        tensors |= {f"adam.{i}.{name}": value for i, values in adam.items() for name, value in values.items()}
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _load_tensors(learner: Learner, tensors: dict[str, Tensor]) -> None:
    learner.scale.returns = tensors["scale.returns"].numpy().copy()
    moments = learner.scale.moments
    moments.load_state_dict({name: tensors[f"scale.{name}"] for name in moments.state_dict()})
    if average := _under("average.", tensors):
        for name, value in _weights(learner.average).items():
            value.data.copy_(average[name])
    else:  # an older checkpoint
        learner.average.update_parameters(learner.model.policy)
    if learner.reward is None:
        return
    learner.reward.ensemble.load_state(_under("ensemble.", tensors))
    adam: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("adam.", tensors).items():
        index, key = name.split(".")
        adam.setdefault(int(index), {})[key] = value
    optimizer = learner.reward.optimizer
    optimizer.load_state_dict({"state": adam, "param_groups": optimizer.state_dict()["param_groups"]})


def _weights(average: AveragedModel) -> dict[str, Tensor]:
    """Parameters and buffers, each once: SB3's policies have three names for one network of features."""
    return dict(average.named_parameters()) | dict(average.named_buffers())


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _packed(pool: SegmentPool) -> dict[str, np.ndarray]:
    """Place and id of each segment -> the bytes that a store would keep of it: of a game a thirtieth of the pool."""
    blobs = {f"{place:08d} {segment.id}": codec.encode(segment) for place, segment in enumerate(pool.segments)}
    return {name: np.frombuffer(blob, np.uint8) for name, blob in blobs.items()}


def _unpack(blobs: dict[str, np.ndarray], pool: SegmentPool) -> None:
    """The inverse of `_packed`."""
    for name in sorted(blobs):
        pool.segments.append(codec.decode(name.split()[1], pool.env_id, blobs[name].tobytes()))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """Survives power loss: the rename that follows must not overtake the content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
