"""What the reward model of a game costs: seconds of fitting per comparison seen, frames evaluated per second.

    python benchmarks/reward_model_images.py --out benchmarks/results/reward_model_images.json

3 members on stacks of 4 frames of 84x84, clips of 25 steps, each network against a loop over three ensembles of one
member, interleaved; seconds of processor time, medians of the repeats. The frames are synthetic: what is in them
changes how small they are stored, not how long they take. A fit is one pass and the assessment after it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces
from machine import write
from reward_model import fitting

from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.queries import Query
from prefrl.rewards.config import RewardConfig
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.testing import answered_by, image_segments, steps_of

SPACES = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Discrete(6)
MEMBERS, COMPARISONS, FIT_BATCH = 3, 32, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    write({name: measure(name, args.repeats) for name in ("cnn", "paper_cnn")}, args.out, threads=args.threads)


def measure(network: str, repeats: int) -> dict[str, float]:
    """Seconds of processor time per 1,000 comparisons, frames per second, and ratios to the loop."""
    segments = image_segments(2 * COMPARISONS, np.random.default_rng(100), length=25, size=84)
    pairs = zip(segments[::2], segments[1::2], strict=True)
    queries = [Query(pair, step) for step, pair in enumerate(pairs)]
    comparisons = answered_by(Oracle(OracleConfig(), seed=100), queries)
    obs, actions = steps_of(segments)
    together, *alone = (
        RewardEnsemble(
            *SPACES, RewardConfig(network=network, hidden=(64,), members=members, batch_size=FIT_BATCH), seed
        )
        for seed, members in enumerate((MEMBERS, *[1] * MEMBERS))
    )
    timed = {
        "evaluation": lambda: together(obs, actions),
        "evaluation_by_loop": lambda: [member(obs, actions) for member in alone],
        "fit": fitting([together], comparisons, epochs=1),
        "fit_by_loop": fitting(alone, comparisons, epochs=1),
    }
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, work in timed.items():
            began = time.process_time()
            work()
            seconds[name].append(time.process_time() - began)
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    return {
        "fit_s_per_1000_comparisons": round(1000 * median["fit"] / COMPARISONS, 2),
        "frames_evaluated_per_s": round(len(actions) / median["evaluation"]),
        "fit_speedup_over_loop": round(median["fit_by_loop"] / median["fit"], 2),
        "evaluation_speedup_over_loop": round(median["evaluation_by_loop"] / median["evaluation"], 2),
    }


if __name__ == "__main__":
    main()
