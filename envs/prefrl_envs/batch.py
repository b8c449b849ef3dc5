"""Vector environments of a suite: N copies of a task, stepped together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np

from prefrl_envs.snapshots import State
from prefrl_envs.task import TaskConfig


class BatchStep(NamedTuple):
    """One step of N copies.

    Attributes:
        obs: [N, ...], after the horizon those of the new episodes.
        true_rewards: [N], of behaviours as well.
        truncated: [N] whether the horizon was reached, for all at once.
        terminal_obs: [N, ...] what the step ended in, where it ended the episodes; else None.
        oracle_rewards: [N] what an oracle compares by; None where that is the true reward.
        game_scores: [N] score of the game that ended in this step, NaN where none did; None where there are no games.
    """

    obs: np.ndarray
    true_rewards: np.ndarray
    truncated: np.ndarray
    terminal_obs: np.ndarray | None = None
    oracle_rewards: np.ndarray | None = None
    game_scores: np.ndarray | None = None


class Batch(Protocol):
    """N copies whose episodes have the same length, so that all end together.

    Attributes:
        num_envs: N.
        frame_stack: frames in an observation, of which consecutive observations share all but one; 1: no stack.
        is_stream: whether what follows an episode's last step goes on from it.
        other_cpu_seconds: processor time that processes of its own have taken.
    """

    num_envs: int
    observation_space: gym.Space
    action_space: Any
    frame_stack: int
    is_stream: bool

    @property
    def other_cpu_seconds(self) -> float: ...

    def reset(self, seeds: Sequence[int | None] | None = None) -> np.ndarray:
        """Starts every episode anew: [N, ...] observations; a copy without a seed goes on with its random numbers."""

    def step(self, actions: np.ndarray) -> BatchStep:
        """One step of every copy by actions [N, ...]."""

    def render_states(self) -> np.ndarray:
        """[N, ...] what it takes to draw the current observations."""

    def get_state(self) -> State:
        """State on which the next steps depend; see `prefrl_envs.snapshots`."""

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""

    def env(self, index: int) -> Any:
        """The object whose attributes a copy shows; changes to it have no effect."""

    def close(self) -> None: ...


MakeBatch = Callable[[TaskConfig, int, int, bool], Batch]
"""The type of `TaskSpec.batched`: task, N, threads, and whether an agent learns in the copies -> the copies."""
