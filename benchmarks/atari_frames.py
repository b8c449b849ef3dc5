"""What a batch of consoles costs with whole color screens, made small after painting, and with ALE's own small frames.

    python benchmarks/atari_frames.py --out benchmarks/results/atari_frames.json

In turns, steps per second of processor time and by the clock, of random actions:

consoles       ALE's vector environment, whole color screens, which nobody looks at
batch          prefrl_envs.atari_vector.AtariBatch: the same, painted over, made grey and small, and stacked
small-frames   ALE's vector environment with grey frames of 84x84 that it makes and stacks; nothing is painted over
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ale_py import AtariVectorEnv
from machine import write
from prefrl_envs.atari import FRAME_SKIP, MAX_NOOPS, SIZE, STACK, load
from prefrl_envs.atari_vector import AtariBatch
from prefrl_envs.games import roms

Step = Callable[[np.ndarray], object]


def contenders(game: str, num_envs: int, threads: int) -> dict[str, Step]:
    height, width = load(game).getScreenDims()

    def ale(rows: int, columns: int, grey: bool, stack: int) -> Step:
        env = AtariVectorEnv(
            roms()[game], num_envs, num_threads=threads, frameskip=FRAME_SKIP, maxpool=True, img_height=rows,
            img_width=columns, grayscale=grey, stack_num=stack, noop_max=MAX_NOOPS, use_fire_reset=False,
        )  # fmt: skip
        env.reset(seed=0)
        return env.step

    batch = AtariBatch(f"prefrl/{game}-v0", num_envs, threads)
    batch.reset(list(range(num_envs)))
    return {
        "consoles": ale(height, width, grey=False, stack=1),
        "batch": batch.step,
        "small-frames": ale(SIZE, SIZE, grey=True, stack=STACK),
    }


def measure(game: str, num_envs: int, threads: int, steps: int, repeats: int) -> dict[str, dict[str, float]]:
    """Contender -> medians of interleaved repeats."""
    stepped, rng = contenders(game, num_envs, threads), np.random.default_rng(0)
    actions = rng.integers(3, size=(steps, num_envs))
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in stepped}
    for _ in range(repeats):
        for name, step in stepped.items():
            began, cpu_began = time.perf_counter(), time.process_time()
            for chosen in actions:
                step(chosen)
            taken[name].append((time.process_time() - cpu_began, time.perf_counter() - began))
    return {
        name: {
            key: round(steps * num_envs / float(np.median(seconds)))
            for key, seconds in zip(("per_processor_second", "per_second"), zip(*times, strict=True), strict=True)
        }
        for name, times in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="Pong")
    parser.add_argument("--consoles", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rates = measure(args.game, args.consoles, args.threads, args.steps, args.repeats)
    rate = {name: each["per_processor_second"] for name, each in rates.items()}
    figures = {
        "small-frames over batch": round(rate["small-frames"] / rate["batch"], 2),
        "game": args.game,
        "consoles": args.consoles,
        "steps_of_agent": rates,
    }
    write(figures, args.out, threads=args.threads)


if __name__ == "__main__":
    main()
