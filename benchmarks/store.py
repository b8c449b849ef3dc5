"""How fast the preference store is, and how large, at 100,000 comparisons of Hopper segments.

    python benchmarks/store.py --comparisons 100000 --out benchmarks/results/store.json

The segments are real physics: 60 steps of Gymnasium's Hopper-v5 under random actions, every number as the
simulator gave it, in float32: observations 11, actions 3, the reward, and 6 render states. To have 200,000
of them without simulating 12 million steps, each starts 6 steps after the one before it, so a segment
shares most of its steps with its neighbors. The store neither knows nor uses that: it compresses each by
itself. What a trained agent does may compress less; `noisy_segment_bytes` (noise of 1e-4 on every number)
and `random_segment_bytes` (nothing but noise) say how much there is to lose. Every query is asked, claimed,
labeled by the oracle and answered through the public methods, by one process, one answer at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import sqlalchemy

from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.processor import cpu_name
from prefrl.queries import Query
from prefrl.segments import Segment
from prefrl.store import PreferenceStore
from prefrl.store.codec import encode

CLIP_STEPS = 60
STRIDE = 6  # steps from the start of one segment to that of the next
ROUND = 200  # queries asked in one transaction
EPISODE_STEPS = 1000


class Stopwatch:
    """Seconds that each named operation took."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - began)

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "operation": name,
                "times": len(taken),
                "median_ms": round(1e3 * float(np.median(taken)), 3),
                "p99_ms": round(1e3 * float(np.quantile(taken, 0.99)), 3),
            }
            for name, taken in self.seconds.items()
        ]


def hopper_steps() -> Iterator[np.ndarray]:
    """[CLIP_STEPS, 21] observations 11, actions 3, reward 1, render states 6; without end, each distinct."""
    env = gym.make("Hopper-v5", terminate_when_unhealthy=False, max_episode_steps=EPISODE_STEPS)
    inner: Any = env.unwrapped
    rng = np.random.default_rng(0)
    while True:
        obs, _ = env.reset(seed=int(rng.integers(2**31)))
        steps = []
        for _ in range(EPISODE_STEPS):
            action = rng.uniform(-1, 1, 3)
            position = inner.data.qpos.copy()
            next_obs, reward, *_ = env.step(action)
            steps.append(np.concatenate([obs, action, [reward], position]))
            obs = next_obs
        episode = np.array(steps, np.float32)
        for start in range(0, EPISODE_STEPS - CLIP_STEPS + 1, STRIDE):
            yield episode[start : start + CLIP_STEPS]


def as_segment(steps: np.ndarray) -> Segment:
    """Copies, so that a segment does not keep its episode alive."""
    obs, actions, rewards, states = (part.copy() for part in np.split(steps, [11, 14, 15], axis=1))
    return Segment("Hopper-v5", {"obs": obs}, actions, rewards[:, 0], states)


def write(store: PreferenceStore, num_comparisons: int, stopwatch: Stopwatch) -> None:
    """Asks and answers in rounds, as a run does."""
    oracle, segments = Oracle(OracleConfig(), seed=0), map(as_segment, hopper_steps())
    for start in range(0, num_comparisons, ROUND):
        num = min(ROUND, num_comparisons - start)
        queries = [Query(tuple(islice(segments, 2)), step=start) for _ in range(num)]
        with stopwatch(f"ask {ROUND} queries"):
            store.ask(queries)
        for _ in queries:
            with stopwatch("claim"):
                query = store.claim(oracle.name)
            assert query is not None
            with stopwatch("(oracle thinks)"):
                (answer,) = oracle.label([query])
            with stopwatch("answer"):
                store.answer(query.id, oracle.name, answer)


def read(store: PreferenceStore, num_comparisons: int, stopwatch: Stopwatch) -> None:
    """Everything at once, then only what the last round added."""
    for _ in range(5):
        with stopwatch("labels"):
            store.labels()
        with stopwatch("counts"):
            store.counts()
    with stopwatch(f"read all {num_comparisons}"):
        comparisons = store.answered()
    assert len(comparisons) == num_comparisons
    known = {comparison.query.id for comparison in comparisons[:-ROUND]}
    for _ in range(5):
        with stopwatch(f"read the last {ROUND}"):
            new = store.answered(known)
        assert len(new) == min(ROUND, num_comparisons)


def peak_memory_bytes() -> int:
    """The most that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def segment_bytes() -> dict[str, int]:
    """Of a segment: as arrays, stored, stored with noise, and of noise alone; medians of 200."""
    hopper = np.stack(list(islice(hopper_steps(), 0, 2000, 10)))
    noise = np.random.default_rng(0).normal(size=hopper.shape).astype(np.float32)
    kinds = {"stored": hopper, "noisy": hopper + np.float32(1e-4) * noise, "random": noise}
    medians = {
        f"{kind}_segment_bytes": int(np.median([len(encode(as_segment(steps))) for steps in segments]))
        for kind, segments in kinds.items()
    }
    return {"raw_segment_bytes": hopper[0].nbytes} | medians


def time_fsync(folder: Path, stopwatch: Stopwatch) -> None:
    """What the disk takes to make 4 KB safe: every claim and every answer pays it once."""
    with (folder / "fsync").open("wb") as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            with stopwatch("(fsync of 4 KB)"):
                os.fsync(file.fileno())
    (folder / "fsync").unlink()


def measure(folder: Path, num_comparisons: int) -> dict[str, Any]:
    """Every figure, for a store made in `folder`."""
    path, stopwatch = folder / "preferences.sqlite3", Stopwatch()
    time_fsync(folder, stopwatch)
    began = time.perf_counter()
    with PreferenceStore(path) as store:
        write(store, num_comparisons, stopwatch)
    wall_seconds = time.perf_counter() - began
    written_bytes = peak_memory_bytes()
    with PreferenceStore.existing(path) as store:
        read(store, num_comparisons, stopwatch)
    return {
        "comparisons": num_comparisons,
        "operations": stopwatch.rows(),
        "disk_bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "peak_memory_bytes_writing": written_bytes,
        "peak_memory_bytes_holding_all": peak_memory_bytes(),
        "seconds_writing_with_simulation": round(wall_seconds, 1),
        **segment_bytes(),
        "cpu": cpu_name(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "sqlalchemy": sqlalchemy.__version__,
    }


def show(figures: dict[str, Any]) -> None:
    print(f"{'operation':24} {'times':>8} {'median ms':>10} {'p99 ms':>10}")
    for row in figures["operations"]:
        print(f"{row['operation']:24} {row['times']:8,} {row['median_ms']:10,.3f} {row['p99_ms']:10,.3f}")
    for name, value in figures.items():
        if name != "operations":
            print(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), arguments.comparisons)
    show(figures)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
