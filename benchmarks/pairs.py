"""Trains the same runs in two trees in turn, and compares the processor time that they take.

    git worktree add ../base a970a9f
    python benchmarks/pairs.py ../base . --pairs 8 --out benchmarks/results/pairs.json

A pair is a run in either tree, one right after the other; in every second pair the new tree comes first, so that a
machine that grows slower favors neither. What is reported is the ratio of each pair, new over base: the median, and an
interval for it by order statistics. Commands that must start at once are compared the same way, by the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from math import comb
from pathlib import Path

import numpy as np
from golden import PINNED, Settings, name_of, options, start
from machine import write

RUNS: dict[str, Settings] = {
    "Hopper": {"labels": 700, "steps": 100_000, "checkpoint-steps": 100_000},
    "Pong": {"labels": 700, "steps": 20_000, "checkpoint-steps": 20_000},
}
COMMANDS = {"prefrl --help": ["--help"], "prefrl label": ["label", "nowhere"]}
STARTS = 3  # of a command in one measurement, of which the fastest counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--only", nargs="+", default=[*RUNS, *COMMANDS], choices=[*RUNS, *COMMANDS])
    parser.add_argument("--runs", type=Path, default=Path("runs/pairs"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    figures = {}
    for what in args.only:
        measure = partial(train if what in RUNS else start_up, what=what, runs=args.runs)
        found = [pair(measure, args, number) for number in range(args.pairs)]
        figures[what] = summary(np.array(found))
        print(what, json.dumps(figures[what]), flush=True)
        if args.out:
            trees = {"base": name_of(args.base), "new": name_of(args.new)}
            write({"trees": trees, "runs": RUNS, "figures": figures}, args.out)


def pair(measure: Callable[[Path], float], args: argparse.Namespace, number: int) -> tuple[float, float]:
    """Seconds in the base and in the new tree; which comes first alternates."""
    if number % 2:
        new = measure(args.new)
        return measure(args.base), new
    return measure(args.base), measure(args.new)


def train(tree: Path, what: str, runs: Path) -> float:
    """Processor seconds of a run from comparisons, with all processes that it starts."""
    folder = (runs / "run").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    runs.mkdir(parents=True, exist_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start(
        tree, ["train", what, *options(tree, PINNED | RUNS[what]), "--out", str(folder)], subprocess.DEVNULL
    )
    if process.wait():
        raise SystemExit(f"{what} could not be trained in {tree}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start_up(tree: Path, what: str, runs: Path) -> float:
    """Seconds by the clock until a command has said what it says, the fastest of a few."""
    return min(times(tree, COMMANDS[what]))


def times(tree: Path, arguments: list[str]) -> Iterator[float]:
    for _ in range(STARTS):
        began = time.perf_counter()
        start(tree, arguments, subprocess.DEVNULL).wait()
        yield time.perf_counter() - began


def summary(seconds: np.ndarray) -> dict[str, object]:
    """Median seconds of both trees and of the ratio, from [P, 2] seconds of P pairs."""
    ratios = np.sort(seconds[:, 1] / seconds[:, 0])
    below, confidence = interval_of_median(len(ratios))
    return {
        "base_seconds": round(float(np.median(seconds[:, 0])), 2),
        "new_seconds": round(float(np.median(seconds[:, 1])), 2),
        "new_over_base": round(float(np.median(ratios)), 3),
        "interval": [round(float(ratios[below]), 3), round(float(ratios[-1 - below]), 3)],
        "confidence": round(confidence, 3),
        "ratios": [round(float(ratio), 3) for ratio in ratios],
    }


def interval_of_median(number: int) -> tuple[int, float]:
    """How many ordered values lie below an interval that holds the median with 95 %, if possible, and with how much.

    That a median of N independent values lies between the (k+1)-th smallest and the (k+1)-th largest has the
    probability 1 - 2 P(Binomial(N, 1/2) <= k), whatever the distribution.
    """
    confidences = [1 - 2 * sum(comb(number, i) for i in range(k + 1)) / 2**number for k in range(number // 2)]
    enough = [k for k, confidence in enumerate(confidences) if confidence >= 0.95]
    below = max(enough, default=0)
    return below, confidences[below] if confidences else 0.0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
