"""Trains the agent of `make demo` as it was at an earlier commit and as it is now, one after the other, in turn.

    python benchmarks/demo.py 8295b75 --seeds 0 1 2 --out benchmarks/results/demo.json

What is trained is what the Makefile says at either commit, with other seeds and the threads that it takes of itself:
for their times to mean anything nothing else may run beside them. A seed that the file has already is passed over:
start the same line again. In the end it prints a table of all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import read, write

from prefrl.runs import RunFolder

ROOT = Path(__file__).parents[1]
KEPT = ("true_return_mean", "steps", "wall_seconds", "steps_per_second", "threads", "git_commit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a commit")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    figures = read(args.out) if args.out.exists() else {}
    seeds: dict[str, Any] = figures.get("seeds", {})
    with tempfile.TemporaryDirectory() as folder:
        trees = {"before": args.before, "now": "HEAD"}
        for name, commit in trees.items():
            clone = ["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(Path(folder, name))]
            subprocess.run(clone, check=True)
            subprocess.run(["git", "checkout", "--quiet", commit], cwd=Path(folder, name), check=True)
        for seed in args.seeds:
            if str(seed) not in seeds:
                seeds[str(seed)] = {name: trained(Path(folder, name), seed) for name in trees}
                write({"seeds": seeds}, args.out, threads=seeds[str(seed)]["now"]["threads"])
    print(table({"seeds": seeds}))


def trained(tree: Path, seed: int) -> dict[str, Any]:
    """What came of the demo of a tree."""
    options = [*demo_options(tree), "--seed", str(seed), "--out", str(tree / f"seed-{seed}")]
    environment = os.environ | {"PYTHONPATH": f"{tree}{os.pathsep}{tree / 'envs'}"}
    subprocess.run([sys.executable, "-m", "prefrl.cli", *options], cwd=tree, env=environment, check=True)
    summary = RunFolder(tree / f"seed-{seed}").summary().to_json()
    return {key: summary[key] for key in KEPT}


def demo_options(tree: Path) -> list[str]:
    """What `make demo` gives to prefrl there, without the seed and the folder."""
    lines = (tree / "Makefile").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("\t$(BIN)/prefrl train"))
    words = shlex.split(line.partition("prefrl ")[2])
    kept = words[: words.index("--out")]
    at = kept.index("--seed")
    return kept[:at] + kept[at + 2 :]


def table(measured: dict[str, Any]) -> str:
    """A row a seed, and one of their means."""
    rows = [(seed, found["before"], found["now"]) for seed, found in sorted(measured["seeds"].items())]
    mean = {
        name: {key: sum(found[name][key] for found in measured["seeds"].values()) / len(rows) for key in KEPT[:3]}
        for name in ("before", "now")
    }
    head = "| demo's seed | return before | now | minutes before | now | time, now of before |\n"
    return f"{head}|---|---|---|---|---|---|\n" + "".join(
        _row(*row) for row in (*rows, ("**mean**", mean["before"], mean["now"]))
    )


def _row(name: str, before: dict[str, float], now: dict[str, float]) -> str:
    returns = [f"{side['true_return_mean']:,.0f}" for side in (before, now)]
    minutes = [f"{side['wall_seconds'] / 60:.1f}" for side in (before, now)]
    return f"| {name} | {' | '.join(returns + minutes)} | {now['wall_seconds'] / before['wall_seconds']:.2f} |\n"


if __name__ == "__main__":
    main()
