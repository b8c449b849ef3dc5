"""Evaluation of policies: fresh episodes, judged by the true reward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from prefrl_envs.suite import find
from prefrl_envs.task import TaskConfig

from prefrl.rollouts import Recorder, Rollout
from prefrl.segments import EnvObservations
from prefrl.vecenv import make_vec_env

Actor = Callable[[EnvObservations], np.ndarray]
"""Observations [N, ...] -> actions [N, ...]."""


class Policy(Protocol):
    """Chooses actions."""

    def act(self, obs: EnvObservations, *, deterministic: bool) -> np.ndarray:
        """Observations [N, ...] -> actions [N, ...] as the environment takes them: the likeliest, or drawn ones."""


def as_judged(policy: Policy, env_id: str) -> Actor:
    """The policy as it is judged and shown: its likeliest actions, or drawn ones where the suite says so.

    Games hardly differ from one another, and the likeliest action may be to wait for a ball that nobody serves.
    """
    row = find(env_id)
    return partial(policy.act, deterministic=row is None or row.judged_by == "mode")


def act_randomly(action_space: spaces.Space, num_envs: int, seed: int, held: float = 1.0) -> Actor:
    """Actions drawn uniformly from the action space.

    Args:
        held: steps that an action lasts on average, in each environment for itself; 1 draws anew at every step.
    """
    own, rng = deepcopy(action_space), np.random.default_rng(seed)
    own.seed(seed)
    actions = np.stack([own.sample() for _ in range(num_envs)])

    def act(_: EnvObservations) -> np.ndarray:
        for env in np.flatnonzero(rng.random(num_envs) < 1 / held):
            actions[env] = own.sample()
        return actions.copy()

    return act


def play_episodes(task: TaskConfig, policy: Actor, episodes: int, seed: int, *, threads: int = 1) -> Rollout:
    """One episode in each of `episodes` fresh environments, side by side.

    Args:
        seed: of the environments, each drawn by it; a policy that draws from torch's generator is seeded too.

    Returns:
        T steps of N = episodes environments; T is the horizon, which all episodes share.
    """
    venv = make_vec_env(task, episodes, seed, threads=threads)
    with closing(Recorder(venv)) as recorder, _seeded(seed):
        obs: Any = recorder.reset()
        done = False
        while not done:
            obs, _, dones, _ = recorder.step(policy(obs))
            done = bool(dones.all())
        return recorder.take()


def play_games(task: TaskConfig, policy: Actor, games: int, seed: int, *, threads: int = 1) -> np.ndarray:
    """[games] score of the first complete game in each of `games` fresh environments, side by side.

    One game of each: to take the games that end first would favor the short ones. No game is longer than half an
    hour, 27,000 steps, when ALE ends it: its score until then counts.

    Args:
        seed: as for `play_episodes`.
    """
    venv = make_vec_env(task, games, seed, threads=threads)
    scores = np.full(games, np.nan)
    with closing(venv), _seeded(seed):
        obs: Any = venv.reset()
        while np.isnan(scores).any():
            obs, _, _, infos = venv.step(policy(obs))
            for i, info in enumerate(infos):
                if np.isnan(scores[i]):
                    scores[i] = info.get("game_score", np.nan)
    return scores


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """torch's generators from a seed, and afterwards as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def true_returns(rollout: Rollout) -> np.ndarray:
    """[N] true return of each environment over the rollout."""
    return rollout.true_rewards.sum(axis=0, dtype=np.float64)
