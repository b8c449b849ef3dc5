"""Trains the runs of a study, one after the other, and keeps of each what a figure needs.

    python benchmarks/study.py mujoco Hopper HalfCheetah --variants default-700 default-0 zoo-0 --seeds 0 1 2
    python benchmarks/study.py sac Hopper HalfCheetah --variants default-sac-700 default-sac-0 --steps 100000

A variant is <preset>-<labels> or <preset>-<agent>-<labels>; 0 labels train on the true reward. Every run has the
suite's steps unless --steps says otherwise. What is kept is results/<study>/<task>/<variant>/seed-<n>/summary.json
and curve.csv, at most 200 rows of progress.csv. A run that is there already is passed over, one that was interrupted
goes on: start the same line again.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from prefrl.runs import RunFolder

MAX_ROWS = 200
Settings = dict[str, int | str | Path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--variants", nargs="+", default=["default-700"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, help="of every run; the suite's where not given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the whole runs lie")
    parser.add_argument("--results", type=Path, default=Path("results"))
    args = parser.parse_args()
    for seed in args.seeds:
        for task in args.tasks:
            for variant in args.variants:
                place = Path(args.study, task, variant, f"seed-{seed}")
                if not (args.results / place / "summary.json").exists():
                    folder = args.runs / place
                    settings = {"seed": seed, "study": args.study, "threads": args.threads, "out": folder}
                    if args.steps is not None:
                        settings["steps"] = args.steps
                    finish(task, settings | of_variant(variant), folder)
                    keep(RunFolder(args.runs / place), args.results / place)


def of_variant(variant: str) -> Settings:
    """The options that a variant's name stands for."""
    *method, labels = variant.split("-")
    return dict(zip(("preset", "agent"), method, strict=False)) | {"labels": labels}


def finish(task: str, settings: Settings, folder: Path) -> None:
    """Trains a run to its end, from wherever it is."""
    if RunFolder(folder).summary_file.exists():
        return
    if RunFolder(folder).config_file.exists():
        arguments = ["resume", str(folder)]
    else:
        arguments = ["train", task]
        for name, value in settings.items():
            arguments += [f"--{name}", str(value)]
    if failed := subprocess.run([sys.executable, "-m", "prefrl.cli", *arguments]).returncode:
        raise SystemExit(failed)  # it has said why


def keep(run: RunFolder, place: Path) -> None:
    """Copies the summary and a thinned curve: under 20 KB."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(run.summary_file, place / "summary.json")
    header, *rows = run.progress.read_text().splitlines()
    every = -(-len(rows) // MAX_ROWS)
    thinned = rows[every - 1 :: every]
    (place / "curve.csv").write_text("\n".join([header, *map(shorten, thinned)]) + "\n")
    print(place)


def shorten(row: str) -> str:
    """Four digits are enough to draw."""
    return ",".join(f"{float(cell):.4g}" if "." in cell else cell for cell in row.split(","))


if __name__ == "__main__":
    main()
