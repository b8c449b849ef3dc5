"""The same runs at two commits, before and after a change of the method: whether returns stay within the seeds' range.

    python benchmarks/base.py train after --runs runs/base       # in a checkout of either commit, under its own name
    python benchmarks/base.py keep before after --runs runs/base
    python benchmarks/base.py table

`train` goes on with what was interrupted and passes over what is there. Kept is
results/base/<commit's name>/<task>/seed-<n>/summary.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

RESULTS = Path("results/base")
STUDY: dict[str, tuple[tuple[int, ...], list[str]]] = {
    "PointGoal": ((0, 1, 2), []),
    "ChainWalk": ((0, 1, 2), []),
    "Hopper": ((0, 1, 2), ["--labels", "700"]),
    "HalfCheetah": ((0, 1, 2), ["--labels", "700"]),
    "Reacher": ((0, 1, 2), ["--labels", "700"]),
    "Pong": ((0, 1), ["--labels", "1400", "--steps", "1000000"]),
    "Enduro": ((0,), ["--steps", "1000000"]),
}
"""Task -> seeds and options."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "keep", "table"])
    parser.add_argument("names", nargs="*", default=["before", "after"])
    parser.add_argument("--runs", type=Path, default=Path("runs/base"))
    parser.add_argument("--tasks", nargs="+", default=list(STUDY), choices=list(STUDY))
    args = parser.parse_args()
    for name in args.names if args.what != "table" else ():
        for task in args.tasks:
            for seed in STUDY[task][0]:
                place = Path(name, task, f"seed-{seed}")
                if args.what == "train":
                    train(task, seed, args.runs / place)
                elif (args.runs / place / "summary.json").exists():
                    (RESULTS / place).mkdir(parents=True, exist_ok=True)
                    shutil.copy(args.runs / place / "summary.json", RESULTS / place)
    if args.what == "table":
        print(table("before", "after"))


def train(task: str, seed: int, folder: Path) -> None:
    if (folder / "summary.json").exists():
        return
    command = ["train", task, "--seed", str(seed), "--threads", "1", "--out", str(folder), *STUDY[task][1]]
    if (folder / "config.json").exists():
        command = ["resume", str(folder)]
    subprocess.run([sys.executable, "-m", "prefrl.cli", *command], check=True)


def table(before: str, after: str) -> str:
    head = "| task | what | before | after |\n|---|---|---|---|\n"
    return head + "".join(rows(before, after))


def rows(before: str, after: str) -> Iterator[str]:
    """A row a task and figure: the mean, and each seed's."""
    for task in STUDY:
        old, new = (summaries(name, task) for name in (before, after))
        for figure in ("true_return_mean", "score_mean", "games_ended", "game_steps_mean"):
            if any(figure in summary for summary in old + new):
                yield f"| {task} | {figure} | {cell(old, figure)} | {cell(new, figure)} |\n"


def summaries(name: str, task: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"{name}/{task}/seed-*/summary.json"))]


def cell(found: list[dict], figure: str) -> str:
    values = [summary[figure] for summary in found if summary.get(figure) is not None]
    if not values:
        return "not kept"
    each = [shorten(value) for value in values]
    return each[0] if len(each) == 1 else f"**{shorten(float(np.mean(values)))}** ({', '.join(each)})"


def shorten(value: float) -> str:
    """Four digits, and thousands whole."""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
