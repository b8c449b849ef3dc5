"""One seed a run, and from it a seed for each purpose: no two purposes draw the same numbers, nor do two runs.

What is drawn at a step of the run depends on the seed, the purpose and the step alone. So a run that was stopped and
resumed draws what it would have drawn, and no generator has to be saved.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """Purposes of random numbers. Their values never change: runs depend on them."""

    POLICY = 0  # first weights of the agent
    REWARD_MODEL = 1  # first weights of the ensemble
    ENVIRONMENTS = 2  # where an agent learns
    EXPLORATION = 3  # what is done before learning
    ITERATION = 4  # actions and minibatches of one rollout
    SEGMENTS = 5  # where a rollout is cut into segments
    QUERIES = 6  # pairs to ask about
    FIT = 7  # order of the comparisons
    FRESH_AGENT = 8
    EVALUATION = 9  # episodes by which the final policy is judged
    RANDOM_POLICY = 10  # and those of a random one
    DIAGNOSTICS = 11  # fresh segments to try the reward model on
    EPISODE = 12  # one that a report shows
    PLAY = 13  # one that `prefrl play` shows


def seed_of(seed: int, purpose: Purpose, *at: int) -> int:
    """A seed in [0, 2**31), the largest range that everything which is seeded takes.

    Args:
        seed: of the run, from 0 up.
        at: what tells apart several seeds of one purpose, such as the step.
    """
    return int(np.random.SeedSequence([seed, purpose, *at]).generate_state(1)[0]) >> 1


def generator_of(seed: int, purpose: Purpose, *at: int) -> np.random.Generator:
    """A generator of the same."""
    return np.random.default_rng([seed, purpose, *at])
