"""Peak memory of a Pong run, evaluation included, with few comparisons and with 10,000 stored.

    python benchmarks/atari_memory.py --out benchmarks/results/atari_memory.json

All comparisons are asked about random play and answered before training, none is ever let go, and the agent trains on
with a fit every 16,384 steps. Each run is a process of its own. The paper's window of 3,000 comparisons is turned off:
with it a run holds no more than 3,000 of them in memory, however many are stored.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from atari import all_at_start
from machine import write

from prefrl.algorithms.rlhf import train
from prefrl.labelers.oracle import Oracle
from prefrl.presets import preset_config
from prefrl.runs import RunFolder

Figures = dict[str, float | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", nargs="+", type=int, default=[500, 10_000])
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--only", type=int, help="measure a run with so many comparisons, in this process")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(peak(args.only, args.steps)))
        return
    write({"steps": args.steps, "runs": [apart(labels, args.steps) for labels in args.labels]}, args.out)


def apart(labels: int, steps: int) -> Figures:
    """`peak` in a process that has held nothing before."""
    command = [sys.executable, __file__, "--only", str(labels), "--steps", str(steps)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def peak(labels: int, steps: int) -> Figures:
    """Megabytes that a run takes at its peak, and its store on disk."""
    config = all_at_start(preset_config("default", "prefrl/Pong-v0", labels=labels, steps=steps))
    config = replace(
        config,
        threads=1,
        initial_steps=min(config.query.pool_steps, steps // 2),
        reward=replace(config.reward, initial_epochs=1),
    )
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        run.create(config)
        train(config, run, Oracle(config.oracle, config.seed))
        summary, stored = run.summary(), run.store.stat().st_size
    return {
        "labels_answered": summary.labels_answered,
        "peak_memory_mb": summary.peak_memory_mb,
        "store_mb": round(stored / 2**20, 1),
    }


if __name__ == "__main__":
    main()
