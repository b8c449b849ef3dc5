"""A real trainer beside which a tool labels: starts it, and says how fast it is meanwhile.

What window.py and web.py share: their settings, the order of a measurement, and its figures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

LABELER = "benchmark"
PATIENCE_S = 180
WARM_UP = 12  # pairs that the agent wants before it starts, and the first fit
SETTINGS = (  # no labeler comes to their end: neither schedule nor budget may hold up what is measured
    "--labeler", "human", "--pace", "go", "--threads", "1", "--labels", "4000", "--steps", "10000000", "--seed", "0",
)  # fmt: skip


@dataclass
class Sitting:
    """What one block of labeling took.

    Attributes:
        waits: seconds from each key to the next pair, where one was open.
        shown: when each pair appeared, by the clock of time.monotonic.
    """

    waits: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)

    @property
    def per_minute(self) -> float:
        return 60 * (len(self.shown) - 1) / (self.shown[-1] - self.shown[0])


Label = Callable[[int, float], Sitting]  # (pairs, seconds from a pair's appearance to its key)


class Trainer:
    """`prefrl train` in a process of its own, on one thread; a context manager."""

    def __init__(self, run: Path, env: str) -> None:
        self.run, self.began = RunFolder(run), time.monotonic()
        command = [sys.executable, "-m", "prefrl.cli", "train", env, *SETTINGS, "--out", str(run)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._steps: list[tuple[float, int]] = []  # when its status said something new, and which step
        self._left = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Trainer:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._watch.join()
        self._process.kill()  # nothing of it is kept
        self._process.communicate()

    def wait_for_a_pair(self) -> None:
        """Returns once somebody who looks finds a pair to compare."""
        self._until(lambda: open_queries(self.run.store) > 0, "asked nothing")

    def wait_for_learning(self) -> None:
        """Returns once it learns: the first labels are there, and fitted to."""
        self._until(lambda: len(self._steps) > 2, "did not start to learn")

    def speed(self, began: float, ended: float) -> float:
        """Steps per second in this time; waits for the rollout that goes on at its end."""
        self._until(lambda: self._steps[-1][0] >= ended, "did not go on")
        times, steps = np.array(self._steps).T
        before, after = np.interp([began, ended], times, steps)
        return float((after - before) / (ended - began))

    def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not holds():
            if self._process.poll() is not None or time.monotonic() > until:
                self._process.kill()
                raise SystemExit(f"the trainer {otherwise}: {self._process.communicate()[1]}")
            time.sleep(0.1)

    def _look(self) -> None:
        while not self._left.wait(0.05):
            step = self.run.status().step
            if step is not None and (not self._steps or step != self._steps[-1][1]):
                self._steps.append((time.monotonic(), step))


def parse(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, dict[str, Any]]:
    """All that was said, and what of it is `measure`'s."""
    parser.add_argument("--env", default="Hopper", help="what the trainer learns, and what clips are of")
    parser.add_argument("--pairs", type=int, default=200, help="at a person's pace, and again flat out")
    parser.add_argument("--pace-s", type=float, default=3.0, help="from a pair's appearance to its key")
    parser.add_argument("--blocks", type=int, default=4, help="that they come in, the trainer alone between them")
    parser.add_argument("--alone-s", type=float, default=60.0, help="of the trainer alone, each time")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    args = parser.parse_args()
    return args, {name: getattr(args, name) for name in ("pairs", "pace_s", "blocks", "alone_s")}


def measure(
    trainer: Trainer, label: Label, *, pairs: int, pace_s: float, blocks: int, alone_s: float
) -> dict[str, Any]:
    """Labels in blocks at a person's pace, the trainer alone before, between and after them; then flat out.

    Args:
        pairs: to label at this pace, and again flat out.
        blocks: that they are shared out over; what else the machine does then falls on both alike.
        alone_s: seconds of the trainer alone, each time.
    """
    trainer.wait_for_a_pair()
    first = label(WARM_UP, 0.0)
    trainer.wait_for_learning()
    alone, beside, sittings = [_alone(trainer, alone_s)], [], []
    for _ in range(blocks):
        sittings.append(label(pairs // blocks, pace_s))
        beside.append(trainer.speed(sittings[-1].shown[0], sittings[-1].shown[-1]))
        alone.append(_alone(trainer, alone_s))
        print(f"steps per second: beside {beside[-1]:,.0f}, then alone {alone[-1]:,.0f}", file=sys.stderr, flush=True)
    flat_out = label(pairs, 0.0)
    return {
        "pairs": pairs,
        "pace_s": pace_s,
        "from_train_to_first_pair_s": round(first.shown[0] - trainer.began, 1),
        "key_to_next_pair_ms": spread([wait for sitting in sittings for wait in sitting.waits]),
        "trainer_steps_per_second_alone": [round(speed) for speed in alone],
        "trainer_steps_per_second_beside": [round(speed) for speed in beside],
        "trainer_beside_over_alone": round(float(np.mean(beside) / np.mean(alone)), 3),
        "flat_out": {
            "labels_per_minute": round(flat_out.per_minute, 1),
            "key_to_next_pair_ms": spread(flat_out.waits),
        },
        "wrong_lost_or_double": WARM_UP + blocks * (pairs // blocks) + pairs - right_answers(trainer.run.store),
    }


def _alone(trainer: Trainer, seconds: float) -> float:
    began = time.monotonic()
    time.sleep(seconds)
    return trainer.speed(began, time.monotonic())


def right_answer(left: float, right: float) -> str:
    """What an oracle says of two returns: "left", "right" or "tie"."""
    return "tie" if left == right else "left" if left > right else "right"


def open_queries(store: Path) -> int:
    """How many a labeler finds; 0 where the store is still being made."""
    try:
        with PreferenceStore.existing(store) as opened:
            return opened.counts().open
    except ValueError:
        return 0


def right_answers(store: Path) -> int:
    """Queries answered exactly once, and as the oracle would, less all other answers."""
    oracle = Oracle(OracleConfig(), seed=0)
    with PreferenceStore.existing(store) as opened:
        comparisons = opened.answered()
    answers = oracle.label([comparison.query for comparison in comparisons])
    right = {c.query.id for c, answer in zip(comparisons, answers, strict=True) if c.answer == answer}
    return 2 * len(right) - len(comparisons)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """In milliseconds; of nothing, only that."""
    shares = {"median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0} if seconds else {}
    quantiles = {name: round(1e3 * float(np.quantile(seconds, share)), 1) for name, share in shares.items()}
    return {"keys": len(seconds)} | quantiles
