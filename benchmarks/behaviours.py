"""Trains a behavior that has no reward as a person would: from labels given in another process, in stages.

    python benchmarks/behaviours.py HopperBackflip --seeds 0 1 2 --runs runs --results again

`prefrl train --labeler human` asks; a labeler in this process answers in a sitting like the window's and the page's,
through the same store, by the oracle's rule in a person's place. After two thirds of the labels `prefrl resume
--fresh-agent` has a new agent learn from what there is: the first has learned from the early reward models' mistakes
as well, and may be stuck where none of them pays. The last third is about what the new one does.

A run that is there already is passed over, one that was interrupted goes on: start the same line again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from beside import LABELER, right_answer
from study import keep

from prefrl.labelers.oracle import discounted_return
from prefrl.labelers.session import LabelingSession
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

PAUSE_S = 0.05  # where nothing is open


class Stage(NamedTuple):
    """A part of a run, up to so many steps and labels."""

    steps: int
    labels: int
    fresh_agent: bool = False


STAGES = {
    "HopperBackflip": (Stage(1_000_000, 600), Stage(4_000_000, 900, fresh_agent=True)),
    "HalfCheetahOneLeg": (Stage(1_000_000, 800),),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("behavior", choices=STAGES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the whole runs lie")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--scale", type=float, default=1.0, help="of steps, labels and evaluation, for a look")
    args = parser.parse_args()
    stages = [
        stage._replace(steps=int(args.scale * stage.steps), labels=int(args.scale * stage.labels))
        for stage in STAGES[args.behavior]
    ]
    for seed in args.seeds:
        place = Path("behaviours", args.behavior, f"human-{stages[-1].labels}", f"seed-{seed}")
        if not (args.results / place / "summary.json").exists():
            run = RunFolder(args.runs / place)
            for stage in stages:
                finish(run, args.behavior, seed, stage, eval_episodes=max(1, round(args.scale * 20)))
            keep(run, args.results / place)


def finish(run: RunFolder, behavior: str, seed: int, stage: Stage, eval_episodes: int) -> None:
    """Trains a run to the end of a stage, from wherever it is."""
    amounts = ["--steps", str(stage.steps), "--labels", str(stage.labels)]
    if not run.config_file.exists():
        about = ["--labeler", "human", "--study", "behaviours", "--variant", "human", "--threads", "1"]
        about += ["--eval-episodes", str(eval_episodes), "--seed", str(seed), "--out", str(run.path)]
        command = ["train", behavior, *amounts, *about]
    elif run.config().steps < stage.steps:
        command = ["resume", str(run.path), *amounts, *(["--fresh-agent"] if stage.fresh_agent else [])]
    elif run.summary_file.exists():
        return
    else:
        command = ["resume", str(run.path)]
    with labeler(run, np.random.default_rng(seed)):
        subprocess.run([sys.executable, "-m", "prefrl.cli", *command], check=True)


@contextmanager
def labeler(run: RunFolder, rng: np.random.Generator) -> Iterator[None]:
    """Somebody who answers whatever is open, for as long as the body runs."""
    gone = threading.Event()
    thread = threading.Thread(target=_label, args=(run, rng, gone))
    thread.start()
    try:
        yield
    finally:
        gone.set()
        thread.join()


def _label(run: RunFolder, rng: np.random.Generator, gone: threading.Event) -> None:
    while not run.store.exists():
        if gone.wait(PAUSE_S):
            return
    with PreferenceStore.existing(run.store) as store:
        session = LabelingSession(store, LABELER, rng, repeat=0.0)
        while not gone.is_set():
            session.refill()
            if (pair := session.current) is None:
                gone.wait(PAUSE_S)
            else:
                left, right = (discounted_return(segment, 1.0) for segment in (pair.left, pair.right))
                session.answer(right_answer(left, right))
        session.close()


if __name__ == "__main__":
    main()
