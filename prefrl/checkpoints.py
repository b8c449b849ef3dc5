"""Everything that learning has come to, on disk and back: a run goes on from its latest checkpoint."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from prefrl_envs.snapshots import State
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
from prefrl.rollouts import Games, SegmentPool
from prefrl.store import codec

POLICY, TENSORS, POOL, MANIFEST = "policy.zip", "tensors.safetensors", "pool.safetensors", "checkpoint.json"
EPISODES = "episodes.safetensors"


HeldoutBy = Literal["pair", "query"]

LATER_THAN_ALL = 1_000_000  # than every nonce of version 0.1


@dataclass
class RewardLearner:
    """The reward model with what it takes to go on training it."""

    ensemble: Ensemble
    optimizer: torch.optim.Adam
    pool: SegmentPool


@dataclass
class Learner:
    """What a run has learned so far, complete at the end of every iteration.

    No generator is in it: what is drawn in an iteration depends on the run's seed and the step alone (`prefrl.seeds`).

    Attributes:
        model: the agent; its num_timesteps counts the run's steps.
        average: the running mean of the agent's policies.
        scale: the running scale of the agent's rewards.
        reward: None where the agent trains on the true reward.
        rounds: rounds of queries done.
        round_step: step of the latest round; None before the first.
        asked: step and nonce of the latest queries; None before the first.
        known_queries: so many of the store's first queries belong to the run's past whatever their step (`Past`).
        heldout_by: whether a comparison is held out by its pair, or by its query, as in runs of version 0.1.
        games: Atari games that ended in training.
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
    round_step: int | None = None
    asked: tuple[int, int] | None = None
    known_queries: int = 0
    heldout_by: HeldoutBy = "pair"
    games: Games = field(default_factory=Games)
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    fit_seconds: float = 0.0
    fit: dict[str, float | None] = field(default_factory=dict)

    @property
    def step(self) -> int:
        return self.model.num_timesteps


def save_checkpoint(learner: Learner, folder: Path, episodes: State | None) -> Path:
    """Writes folder/step-<n>, complete or not at all, and removes all but the latest two.

    Args:
        episodes: where the environments are, in the middle of what they do; None where they cannot say.
    """
    target = folder / f"step-{learner.step:012d}"
    draft = folder / f".{target.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    learner.model.save(draft / POLICY)
    save_file(_tensors(learner), draft / TENSORS)
    if learner.reward is not None:
        save_arrays(_packed(learner.reward.pool), draft / POOL)
    if episodes is not None:
        save_arrays({name: np.asarray(array, order="C") for name, array in episodes.items()}, draft / EPISODES)
    manifest = {
        "step": learner.step,
        "rounds": learner.rounds,
        "round_step": learner.round_step,
        "asked": learner.asked,
        "known_queries": learner.known_queries,
        "heldout_by": learner.heldout_by,
        "games": asdict(learner.games),
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


def load_checkpoint(path: Path, learner: Learner, env: VecEnv, device: str) -> State | None:
    """Brings a fresh learner to where the checkpoint was.

    Returns:
        Where the environments were; None where they could not say, as in runs of version 0.1.

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
        learner.asked = _asked(manifest, learner.step)
        learner.round_step, learner.known_queries = manifest.get("round_step"), manifest.get("known_queries", 0)
        learner.heldout_by = manifest.get("heldout_by", "query")
        learner.games = Games(**manifest.get("games", {}))
        learner.wall_seconds, learner.fit_seconds = manifest["wall_seconds"], manifest["fit_seconds"]
        learner.cpu_seconds = manifest.get("cpu_seconds", 0.0)  # older checkpoints do not say
        return load_arrays(path / EPISODES) if (path / EPISODES).exists() else None
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise ValueError(
            f"the checkpoint {path} is damaged ({error}); remove that folder to go on from the one before it"
        ) from error


def _asked(manifest: dict[str, Any], step: int) -> tuple[int, int] | None:
    """Older checkpoints do not say: all that was asked up to their step, however often, had been asked then."""
    if "asked" not in manifest:
        return (step, LATER_THAN_ALL) if manifest["rounds"] else None
    return None if manifest["asked"] is None else tuple(manifest["asked"])


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
