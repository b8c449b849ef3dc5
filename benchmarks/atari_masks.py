"""Whether anything of the score is seen: other scores and lives written into the console's memory, the same frames.

    python benchmarks/atari_masks.py --steps 3000 --out benchmarks/results/atari_masks.json

Two consoles of a game take the same actions from the same seed. Before every step random digits and lives are written
into the memory of one of them. After it are compared what the agents see and what people see, painted over, and what
the console drew: this must differ, or nothing was tested. Then the memory of the first is copied into the second, so
that what was written has no consequences. Where the game ends on one of them, both start anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import write
from prefrl_envs.atari import AtariGame, paint_over


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--boxes", default="default")
    parser.add_argument("--games", nargs="+", default=list(COUNTERS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    games = {game: steps_that_differ(game, args.boxes, args.steps) for game in args.games}
    write({"boxes": args.boxes, "steps": args.steps, "steps_that_differ": games}, args.out)


DECIMALS = tuple(16 * tens + ones for tens in range(10) for ones in range(10))  # two digits in a byte

# Addresses in the console's memory of 128 bytes, found by writing to each and looking, and what to write: digits of
# scores, of Enduro's distance and of its cars to pass; points in Pong; ships, men, lives and days, never the last.
COUNTERS: dict[str, dict[int, Sequence[int]]] = {
    "BeamRider": dict.fromkeys((9, 10, 11), DECIMALS) | {5: range(1, 6)},
    "Breakout": dict.fromkeys((76, 77), DECIMALS) | {57: range(2, 6)},
    "Enduro": dict.fromkeys((40, 41, 42, 43, 44), DECIMALS) | {45: range(1, 5)},
    "Pong": dict.fromkeys((13, 14), range(20)),
    "Qbert": dict.fromkeys((89, 90, 91), DECIMALS) | {8: range(1, 4)},
    "Seaquest": dict.fromkeys((56, 57, 58), DECIMALS) | {59: range(1, 6)},
    "SpaceInvaders": dict.fromkeys((102, 104), DECIMALS) | {73: range(2, 4)},
}


def steps_that_differ(game: str, boxes: str, steps: int, seed: int = 0) -> dict[str, int]:
    """Steps after which something differed: what the agents see, what people see, what the console drew."""
    consoles = [AtariGame(game, boxes=boxes, show_score=True) for _ in range(2)]
    actions, numbers = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    differing = {"agent": 0, "person": 0, "console": 0}
    for console in consoles:
        console.reset(seed=seed)
    for step in range(1, steps + 1):
        for address, values in COUNTERS[game].items():
            consoles[1].ale.setRAM(address, int(numbers.choice(values)))
        action = int(actions.integers(consoles[0].action_space.n))
        seen, _, _, _, infos = zip(*(console.step(action) for console in consoles), strict=True)
        if any("game_score" in info for info in infos):
            for console in consoles:
                console.reset(seed=seed + step)
            continue
        drawn = [console.render() for console in consoles]
        shown = [screen.copy() for screen in drawn]
        for screen in shown:
            paint_over(screen, consoles[0].boxes)
        for who, (one, two) in {"agent": seen, "person": shown, "console": drawn}.items():
            differing[who] += not np.array_equal(one, two)
        for address, value in enumerate(consoles[0].ale.getRAM()):
            consoles[1].ale.setRAM(address, int(value))
    return differing


if __name__ == "__main__":
    main()
