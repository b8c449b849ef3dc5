"""Segments: k consecutive steps of one episode, named by the hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Observations = dict[str, np.ndarray]
"""Arrays by name: the parts of a Dict space, or the one array of any other space, named LONE."""

EnvObservations = np.ndarray | Observations
"""As environments and SB3 have them: the array alone where the space is not a Dict."""

LONE = "obs"


@dataclass(frozen=True, eq=False)
class Segment:
    """T consecutive steps of one episode.

    Attributes:
        env_id: Gymnasium id, e.g. "prefrl/Hopper-v0".
        obs: name -> [T, *obs_shape] the observation before each action. Stacks of a game's frames are a read-only view
            on the frames.
        actions: [T, *action_shape] as the environment got them.
        true_rewards: [T] the environment's own reward; for oracles and metrics, never for learning.
        render_states: [T, S] what it takes to draw each observation, or None where nothing draws it. uint8: the
            screens themselves, recorded and packed (prefrl_envs.screens).
        oracle_rewards: [T] what an oracle compares by, where that is not the true reward; else None.
    """

    env_id: str
    obs: Observations
    actions: np.ndarray
    true_rewards: np.ndarray
    render_states: np.ndarray | None = None
    oracle_rewards: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.true_rewards)

    @property
    def true_return(self) -> float:
        """Sum of the true rewards, undiscounted."""
        return float(self.true_rewards.sum(dtype=np.float64))

    @property
    def recorded(self) -> bool:
        """Whether it is drawn from recorded screens, not from states."""
        return self.render_states is not None and self.render_states.dtype == np.uint8

    @cached_property
    def id(self) -> str:
        """Hash of the content: the same steps have the same id on every machine.

        Python's own hash() of bytes differs between processes, so it cannot name a file. Recorded screens are left
        out: how well they were packed is no part of what happened.
        """
        digest = hashlib.blake2b(self.env_id.encode(), digest_size=16)
        for name, array in self.arrays().items():
            if name == "render_states" and self.recorded:
                continue
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by name, in a fixed order: `obs` or `obs.<key>`, then the others as above; None is left out."""
        named = flattened("obs", self.obs) | {"actions": self.actions, "true_rewards": self.true_rewards}
        optional = {"render_states": self.render_states, "oracle_rewards": self.oracle_rewards}
        return named | {name: array for name, array in optional.items() if array is not None}

    def part(self, start: int, stop: int) -> Segment:
        """Returns a copy of some of its steps."""
        return Segment.from_arrays(
            self.env_id, {name: _copied(rows[start:stop]) for name, rows in self.arrays().items()}
        )

    @classmethod
    def from_arrays(cls, env_id: str, arrays: dict[str, np.ndarray]) -> Segment:
        """The inverse of `arrays`."""
        return cls(
            env_id=env_id,
            obs=unflattened("obs", arrays),
            actions=arrays["actions"],
            true_rewards=arrays["true_rewards"],
            render_states=arrays.get("render_states"),
            oracle_rewards=arrays.get("oracle_rewards"),
        )


def join(segments: Sequence[Segment]) -> Segment:
    """Returns the steps of segments that follow one another as one segment."""
    true_rewards = np.concatenate([segment.true_rewards for segment in segments])
    arrays = [segment.arrays() for segment in segments]
    if any("oracle_rewards" in each for each in arrays):
        arrays = [{"oracle_rewards": each["true_rewards"]} | each for each in arrays]
    joined = {name: _joined([each[name] for each in arrays]) for name in arrays[0]}
    return Segment.from_arrays(segments[0].env_id, joined | {"true_rewards": true_rewards})


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays [T, ...] one after the other; recorded screens, [T, S] bytes, are padded to the longest."""
    width = max(part.shape[1:] for part in parts)
    padded = [
        part if part.shape[1:] == width else np.pad(part, ((0, 0), (0, width[0] - part.shape[1]))) for part in parts
    ]
    return _copied(np.concatenate(padded))


def _copied(rows: np.ndarray) -> np.ndarray:
    """A copy; of stacks of frames every frame is kept once."""
    frames = unstacked(rows) if rows.ndim == 4 and len(rows) else None
    return rows.copy() if frames is None else stacked(frames, rows.shape[1])


def as_dict(obs: EnvObservations) -> Observations:
    """Names a lone array; a dict is returned as it is.

    A Dict space whose only key is LONE thereby equals its part.
    """
    return obs if isinstance(obs, dict) else {LONE: obs}


def flattened(prefix: str, obs: Observations) -> dict[str, np.ndarray]:
    """Names a lone array `prefix`, and those of a Dict space `prefix.<key>`, in the order of the keys.

    Ids of segments depend on these names, and everything stored has them.
    """
    if obs.keys() == {LONE}:
        return {prefix: obs[LONE]}
    return {f"{prefix}.{key}": obs[key] for key in sorted(obs)}


def unflattened(prefix: str, arrays: dict[str, np.ndarray]) -> Observations:
    """Inverts `flattened`; other arrays are ignored.

    Raises:
        KeyError: there are no observations.
    """
    start = f"{prefix}."
    keyed = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    return keyed or {LONE: arrays[prefix]}


def map_arrays(obs: Observations, change: Callable[[np.ndarray], np.ndarray]) -> Observations:
    """Returns `change` of every array."""
    return {key: change(array) for key, array in obs.items()}


def part_of(obs: Observations, rows: slice) -> Observations:
    """Returns a view on some rows of every array."""
    return map_arrays(obs, lambda array: array[rows])


def stack_observations(observations: Sequence[Observations]) -> Observations:
    """Stacks T observations, or N blocks of them, along a new first axis."""
    return {key: np.stack([obs[key] for obs in observations]) for key in observations[0]}


def stacked(frames: np.ndarray, depth: int) -> np.ndarray:
    """Frames [T + depth - 1, ...], one a step, as observations [T, depth, ...] of the latest `depth`, oldest first.

    A read-only view: every frame is kept once.
    """
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(frames, depth, axis=0), -1, 1)


def unstacked(obs: np.ndarray) -> np.ndarray | None:
    """The inverse of `stacked`, a copy; None where consecutive observations [T, depth, ...] are no such stacks."""
    if obs.ndim < 3 or not np.array_equal(obs[1:, :-1], obs[:-1, 1:]):
        return None
    return np.concatenate([obs[0], obs[1:, -1]])
