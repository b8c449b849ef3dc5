"""Fixtures for tests against synthetic preferences: `pytest_plugins = ["prefrl.testing"]` in a conftest.py.

The fixtures are of random steps whose true reward is the first number of the observation, so that a reward
model has something to find. The functions behind them make more of the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.labelers.worker import work
from prefrl.queries import Comparison, Query
from prefrl.segments import LONE, Observations, Segment, stack_observations, stacked
from prefrl.store import PreferenceStore


def random_segments(
    number: int, rng: np.random.Generator, *, length: int = 10, env_id: str = "test/Random-v0"
) -> list[Segment]:
    """Segments of `length` steps, observations [T, 4] and actions [T, 2] normal, true reward = observation[0]."""
    segments = []
    for _ in range(number):
        obs = rng.normal(size=(length, 4)).astype(np.float32)
        actions = rng.normal(size=(length, 2)).astype(np.float32)
        segments.append(Segment(env_id, {LONE: obs}, actions, obs[:, 0].copy(), obs[:, :2].copy()))
    return segments


def image_segments(number: int, rng: np.random.Generator, *, length: int = 10, size: int = 16) -> list[Segment]:
    """Segments of stacks of 4 frames [T, 4, size, size] uint8 in which a dot jumps about on a grey ground.

    The true reward is 1 where it is in the right half of the newest frame, else 0; actions [T] are 0 or 1.
    """
    segments = []
    for _ in range(number):
        frames = np.full((length + 3, size, size), 90, np.uint8)
        rows, columns = rng.integers(size - 1, size=(2, length + 3))
        for frame, row, column in zip(frames, rows, columns, strict=True):
            frame[row : row + 2, column : column + 2] = 236
        rewards = (columns[3:] >= size // 2).astype(np.float32)
        obs = {LONE: stacked(frames, 4)}
        segments.append(Segment("test/Dot-v0", obs, rng.integers(2, size=length), rewards))
    return segments


def steps_of(segments: list[Segment]) -> tuple[Observations, np.ndarray]:
    """Observations by name and actions, each [S, T, ...], of S segments of T steps each."""
    obs = stack_observations([segment.obs for segment in segments])
    return obs, np.stack([segment.actions for segment in segments])


def random_queries(number: int, rng: np.random.Generator, *, length: int = 10) -> list[Query]:
    """Pairs of random segments, query i asked at step i."""
    segments = random_segments(2 * number, rng, length=length)
    return [
        Query((left, right), step) for step, (left, right) in enumerate(zip(segments[::2], segments[1::2], strict=True))
    ]


def answered_by(oracle: Oracle, queries: list[Query]) -> list[Comparison]:
    """The oracle's answers to queries, without a store."""
    answers = oracle.label(queries)
    return [Comparison(query, answer, oracle.name) for query, answer in zip(queries, answers, strict=True)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def segments(rng: np.random.Generator) -> list[Segment]:
    """20 random segments of 10 steps."""
    return random_segments(20, rng)


@pytest.fixture
def oracle() -> Oracle:
    """A labeler that never errs."""
    return Oracle(OracleConfig(), seed=0)


@pytest.fixture
def comparisons(rng: np.random.Generator, oracle: Oracle) -> list[Comparison]:
    """100 comparisons of random segments."""
    return answered_by(oracle, random_queries(100, rng))


@pytest.fixture
def tiny_store(tmp_path: Path, rng: np.random.Generator, oracle: Oracle) -> Iterator[PreferenceStore]:
    """A store in which 10 queries were asked and answered."""
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        store.ask(random_queries(10, rng))
        work(store, oracle)
        yield store
