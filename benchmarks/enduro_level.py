"""What a run of EnduroLevel's final policy does, and a random one beside it, by what the console's memory says.

    python benchmarks/enduro_level.py runs/EnduroLevel-default-1300-seed-0 --out benchmarks/results/enduro_level.json

level: share of steps at which the car's speed is within a quarter of the others'. alongside: share at which another car
is beside it. both: at once. difference: mean of the speeds' difference, as a share of the others' speed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import write
from prefrl_envs.enduro import ALONGSIDE, OTHERS_SPEED, SPEED, EnduroLevel

from prefrl.playing import load_agent
from prefrl.runs import RunFolder

FIRST_SEED = 900  # of the episodes, which no run begins with


def measure(act: Callable[[np.ndarray], int], episodes: int) -> dict[str, float]:
    """Shares and means over all steps of some episodes."""
    env, seen = EnduroLevel(), []
    for seed in range(FIRST_SEED, FIRST_SEED + episodes):
        obs, _ = env.reset(seed=seed)
        for _ in range(1000):
            obs, *_ = env.step(act(obs))
            memory = env.ale.getRAM()
            seen.append((int(memory[SPEED].astype(np.int8)) / OTHERS_SPEED, bool(memory[ALONGSIDE])))
    difference, alongside = np.array(seen).T
    level = np.abs(difference) <= 0.25
    shares = {"level": level, "alongside": alongside > 0, "both": level & (alongside > 0), "difference": difference}
    return {name: round(float(values.mean()), 3) for name, values in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    agent, rng = load_agent(RunFolder(args.run)), np.random.default_rng(0)
    figures = {
        "final policy": measure(lambda obs: int(agent.predict(obs, deterministic=False)[0]), args.episodes),
        "random policy": measure(lambda _: int(rng.integers(9)), args.episodes),
    }
    config = RunFolder(args.run).config()
    write(figures | {"episodes": args.episodes, "labels": config.labels, "seed": config.seed}, args.out)


if __name__ == "__main__":
    main()
