"""Trains the same runs in two trees, whole and stopped and resumed, and compares bit for bit what they learned.

    git worktree add ../base a970a9f
    python benchmarks/golden.py ../base . --short       # two to five minutes
    python benchmarks/golden.py ../base . --out results/golden.json

A tree is a checkout; both run in this environment. Compared are the agent's weights and optimizer, the policy's mean,
the scale of its rewards, the reward model with its optimizer, the segment pool, and the queries and answers.
What a tree has trained at a commit is kept below --runs, and a tree without changes is not trained again.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from machine import write
from safetensors.numpy import load_file

Settings = dict[str, int | str]
Learned = dict[str, Any]

PINNED: Settings = {"seed": 0, "precision": "fp32", "device": "cpu", "threads": 1, "eval-episodes": 2}
FULL: dict[str, Settings] = {
    "PointGoal": {},
    "TwoDials": {},
    "ChainWalk": {},
    "PixelGoal": {},
    "Hopper": {"labels": 700, "steps": 100_000, "checkpoint-steps": 20_000},
    "Pong": {"labels": 700, "steps": 50_000, "checkpoint-steps": 20_000},
}
FEW: Settings = {"labels": 60, "steps": 12_288, "initial-steps": 2048, "round-steps": 2048, "checkpoint-steps": 4096}
SHORT: dict[str, Settings] = dict.fromkeys(FULL, FEW) | {
    "PixelGoal": FEW | {"steps": 8192},
    "Pong": FEW | {"steps": 8192, "initial-steps": 4096, "checkpoint-steps": 2048},
}
PART = {"round-steps": "query"}
"""Options whose names begin with that of their part, where the command line nests them."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--tasks", nargs="+", default=list(FULL), choices=list(FULL))
    parser.add_argument("--runs", type=Path, default=Path("runs/golden"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cases = SHORT if args.short else FULL
    length = "short" if args.short else "full"
    verdicts: dict[str, list[str]] = {}
    for task in args.tasks:
        base, new = (args.runs / name_of(tree) / length / task for tree in (args.base, args.new))
        resumed = new.with_name(f"{task}-resumed")
        train(args.base, task, cases[task], base)
        train(args.new, task, cases[task], new)
        train(args.new, task, cases[task], resumed, stop=True)
        for what, folder in ((task, new), (f"{task}, stopped and resumed", resumed)):
            verdicts[what] = differences(learned(base), learned(folder))
            print(f"{what}: {', '.join(verdicts[what][:5]) or 'equal'}", flush=True)
    figures = {what: "equal" if not found else found[:20] for what, found in verdicts.items()}
    if args.out:
        trees = {"base": name_of(args.base), "new": name_of(args.new), "cases": cases}
        write({"trees": trees, "verdicts": figures}, args.out)
    return int(any(verdicts.values()))


def name_of(tree: Path) -> str:
    """Commit of a checkout, and "-changed" where it has changes that are not committed."""
    return git(tree, "describe", "--always", "--dirty=-changed", "--exclude=*", "--abbrev=12")


def git(tree: Path, *command: str) -> str:
    return subprocess.run(["git", "-C", str(tree), *command], check=True, capture_output=True, text=True).stdout.strip()


def train(tree: Path, task: str, settings: Settings, folder: Path, *, stop: bool = False) -> None:
    """Trains a run to its end, unless it is there; with `stop` it is told to stop halfway, and resumed."""
    if is_complete(folder) and "-changed" not in str(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".log").open("w", encoding="utf-8") as log:
        process = start(tree, ["train", task, *options(tree, PINNED | settings), "--out", str(folder.resolve())], log)
        if stop:
            stop_halfway(process, folder, rows=number_of_rows(folder.with_name(task)) // 2)
            process = start(tree, ["resume", str(folder.resolve())], log)
        if process.wait():
            raise SystemExit(f"{task} could not be trained in {tree}: see {log.name}")


def start(tree: Path, arguments: list[str], log: TextIO | int) -> subprocess.Popen:
    paths = os.pathsep.join(str((tree / part).resolve()) for part in (".", "envs"))
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "prefrl.cli", *arguments]
    return subprocess.Popen(command, env=environment, cwd=tree, stdout=log, stderr=subprocess.STDOUT)


def options(tree: Path, settings: Settings) -> Iterator[str]:
    """Yields the settings as the tree's command line spells them."""
    nests = nests_settings(tree.resolve())
    for name, value in settings.items():
        part = f"{PART[name]}." if nests and name in PART else ""
        yield from (f"--{part}{name}", str(value))


@cache
def nests_settings(tree: Path) -> bool:
    """Returns whether a part's settings are named after it; such a command line has --help-all as well."""
    return start(tree, ["train", "--help-all"], subprocess.DEVNULL).wait() == 0


def stop_halfway(process: subprocess.Popen, folder: Path, rows: int) -> None:
    while process.poll() is None and number_of_rows(folder) < rows:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait()
    if is_complete(folder):
        raise SystemExit(f"{folder} came to its end before it could be stopped; give it more steps")


def number_of_rows(folder: Path) -> int:
    """Rows of progress.csv; 0 where there is none yet."""
    progress = folder / "progress.csv"
    return max(0, len(progress.read_text().splitlines()) - 1) if progress.exists() else 0


def is_complete(folder: Path) -> bool:
    return (folder / "summary.json").exists()


def learned(folder: Path) -> Learned:
    """Everything that a run has learned, by name: tensors, arrays, and the rows of its store."""
    latest = max((folder / "checkpoints").glob("step-*"))
    found: Learned = {"step": latest.name}
    found |= zipped("policy.zip", folder / "policy.zip")
    for path in sorted(latest.rglob("*.zip")):
        found |= zipped(f"checkpoint.{path.name}", path)
    for name in ("tensors", "agent", "reward", "pool"):  # tensors: of agent and reward model, in older checkpoints
        for path in latest.glob(f"{name}.safetensors"):
            found |= load_file(path)
    return found | {"queries and answers": answers(folder / "preferences.sqlite3")}


def zipped(name: str, path: Path) -> Learned:
    """The tensors of SB3's zip: weights and optimizers."""
    found: Learned = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".pth"):
                content = torch.load(io.BytesIO(archive.read(member)), map_location="cpu", weights_only=True)
                found |= flat(f"{name}.{member}", content)
    return found


def flat(name: str, value: object) -> Learned:
    if not isinstance(value, dict):
        return {name: value.detach().numpy() if isinstance(value, torch.Tensor) else value}
    return {key: leaf for part, inner in value.items() for key, leaf in flat(f"{name}.{part}", inner).items()}


def answers(store: Path) -> list[tuple]:
    with sqlite3.connect(store) as connection:
        query = "SELECT query_id, labeler, ranks, swapped FROM answers ORDER BY id"
        return connection.execute(query).fetchall()


def differences(base: Learned, new: Learned) -> list[str]:
    """Names of what is not the same in both, or in one alone."""
    return sorted(name for name in base.keys() | new.keys() if not same(base.get(name), new.get(name)))


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


if __name__ == "__main__":
    sys.exit(main())
