"""Everything that a run has learned, and its way into a checkpoint and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from prefrl.agents.base import Agent
from prefrl.core.errors import PrefrlError
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.fitting import FitStats
from prefrl.rollouts import EpisodeReturns, Games, SegmentPool
from prefrl.runs.checkpoints import Manifest, read_manifest, write_checkpoint
from prefrl.store import codec
from prefrl.tensors import tensors_under

REWARD, POOL = "reward.safetensors", "pool.safetensors"
TENSORS_0_2, EPISODES_0_2 = "tensors.safetensors", "episodes.safetensors"
"""Files in which version 0.2 kept the reward model and the running returns."""

HeldoutBy = Literal["pair", "query"]

LATER_THAN_ALL = 1_000_000  # than every nonce of version 0.1


@dataclass
class RewardLearner:
    """The reward model with what it takes to go on training it."""

    ensemble: RewardEnsemble
    optimizer: torch.optim.Adam
    pool: SegmentPool


@dataclass
class Learner:
    """The state of learning, complete at the end of every iteration.

    No generator is in it: what is drawn in an iteration depends on the run's seed and the step alone (`prefrl.seeds`).

    Attributes:
        agent: acts and learns; its step counts the run's steps.
        returns: of the episodes that go on.
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
        fit: how the reward model did after its latest fit; None before the first.
    """

    agent: Agent
    returns: EpisodeReturns
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
    fit: FitStats | None = None

    @property
    def step(self) -> int:
        return self.agent.step


def save_checkpoint(learner: Learner, folder: Path) -> Path:
    """Writes a checkpoint into the run's folder of checkpoints."""
    return write_checkpoint(folder, learner.step, partial(_write, learner))


def _write(learner: Learner, checkpoint: Path) -> Manifest:
    """Writes the files of agent and reward model, and returns the rest."""
    learner.agent.save(checkpoint)
    if learner.reward is not None:
        save_file(_tensors(learner.reward), checkpoint / REWARD)
        save_arrays(_packed(learner.reward.pool), checkpoint / POOL)
    return {
        "step": learner.step,
        "rounds": learner.rounds,
        "round_step": learner.round_step,
        "asked": learner.asked,
        "known_queries": learner.known_queries,
        "heldout_by": learner.heldout_by,
        "games": asdict(learner.games),
        "returns": learner.returns.running.tolist(),
        "wall_seconds": learner.wall_seconds,
        "cpu_seconds": learner.cpu_seconds,
        "fit_seconds": learner.fit_seconds,
        "fit": asdict(learner.fit) if learner.fit else {},
    }


def load_checkpoint(path: Path, learner: Learner) -> bool:
    """Brings a fresh learner to where the checkpoint was.

    Returns:
        Whether its episodes go on, too; where they were is not known of environments that have no `get_state`, nor in
        checkpoints of version 0.1.

    Raises:
        PrefrlError: the checkpoint is damaged; says how to go on from an earlier one.
    """
    try:
        manifest = read_manifest(path)
        goes_on = learner.agent.load(path)
        if learner.reward is not None:
            _load_tensors(learner.reward, load_file(path / (REWARD if (path / REWARD).exists() else TENSORS_0_2)))
            _unpack(load_arrays(path / POOL), learner.reward.pool)
        if goes_on:
            running = manifest["returns"] if "returns" in manifest else load_arrays(path / EPISODES_0_2)["returns"]
            learner.returns.running = np.array(running)
        learner.rounds = manifest["rounds"]
        learner.fit = FitStats(**manifest["fit"]) if manifest["fit"] else None
        learner.asked = _asked(manifest, learner.step)
        learner.round_step, learner.known_queries = manifest.get("round_step"), manifest.get("known_queries", 0)
        learner.heldout_by = manifest.get("heldout_by", "query")
        learner.games = Games(**manifest.get("games", {}))
        learner.wall_seconds, learner.fit_seconds = manifest["wall_seconds"], manifest["fit_seconds"]
        learner.cpu_seconds = manifest.get("cpu_seconds", 0.0)  # older checkpoints do not say
        return goes_on
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise PrefrlError(
            f"the checkpoint {path} is damaged ({error}); remove that folder to go on from the one before it"
        ) from error


def _asked(manifest: Manifest, step: int) -> tuple[int, int] | None:
    """Older checkpoints do not say: all that was asked up to their step, however often, had been asked then."""
    if "asked" not in manifest:
        return (step, LATER_THAN_ALL) if manifest["rounds"] else None
    return None if manifest["asked"] is None else tuple(manifest["asked"])


def _tensors(reward: RewardLearner) -> dict[str, Tensor]:
    tensors = {f"ensemble.{name}": value for name, value in reward.ensemble.state().items()}
    adam = reward.optimizer.state_dict()["state"]
    tensors |= {f"adam.{i}.{name}": value for i, values in adam.items() for name, value in values.items()}
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _load_tensors(reward: RewardLearner, tensors: dict[str, Tensor]) -> None:
    reward.ensemble.load_state(tensors_under("ensemble.", tensors))
    adam: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors_under("adam.", tensors).items():
        index, key = name.split(".")
        adam.setdefault(int(index), {})[key] = value
    optimizer = reward.optimizer
    optimizer.load_state_dict({"state": adam, "param_groups": optimizer.state_dict()["param_groups"]})


def _packed(pool: SegmentPool) -> dict[str, np.ndarray]:
    """Place and id of each segment -> the bytes that a store would keep of it: of a game a thirtieth of the pool."""
    blobs = {f"{place:08d} {segment.id}": codec.encode(segment) for place, segment in enumerate(pool.segments)}
    blobs |= {f"tail {env:04d} {segment.id}": codec.encode(segment) for env, segment in pool.tails.items()}
    return {name: np.frombuffer(blob, np.uint8) for name, blob in blobs.items()}


def _unpack(blobs: dict[str, np.ndarray], pool: SegmentPool) -> None:
    """The inverse of `_packed`."""
    for name in sorted(blobs):
        *place, segment_id = name.split()
        segment = codec.decode(segment_id, pool.env_id, blobs[name].tobytes())
        if place[0] == "tail":
            pool.tails[int(place[1])] = segment
        else:
            pool.segments.append(segment)
