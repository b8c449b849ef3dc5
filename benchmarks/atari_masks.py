"""Whether anything of the score is seen: other scores and lives written into the console's memory, the same frames.

    python benchmarks/atari_masks.py --steps 3000 --out benchmarks/results/atari_masks.json

Two consoles of a game take the same actions from the same seed. Before every step random digits and lives are written
into the memory of one of them. After it are compared what the agents see and what people see, painted over, and what
the console drew: this must differ, or nothing was tested. Then the memory of the first is copied into the second, so
that what was written has no consequences.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import machine
from prefrl_envs.atari import AtariGame, paint_over


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--boxes", default="default")
    parser.add_argument("--games", nargs="+", default=list(COUNTERS))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    games = {game: steps_that_differ(game, args.boxes, args.steps) for game in args.games}
    result = {"boxes": args.boxes, "steps": args.steps, "steps_that_differ": games} | machine(threads=1)
    print(json.dumps(result, indent=2))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


@dataclass(frozen=True)
class Counters:
    """Addresses in the console's memory of 128 bytes, found by writing to each and looking.

    Attributes:
        digits: two decimal digits each: score, distance, cars to pass.
        lives: a number of ships, sectors or days each, and the values that mean several of them.
    """

    digits: tuple[int, ...]
    lives: dict[int, range]


COUNTERS = {
    "BeamRider": Counters((9, 10, 11), {5: range(1, 6)}),
    "Breakout": Counters((76, 77), {57: range(2, 6)}),
    "Enduro": Counters((40, 41, 42, 43, 44), {45: range(1, 5)}),
    "Pong": Counters((13, 14), {}),
    "Qbert": Counters((89, 90, 91), {8: range(1, 4)}),
    "Seaquest": Counters((56, 57, 58), {59: range(1, 6)}),
    "SpaceInvaders": Counters((102, 104), {73: range(2, 4)}),
}


def steps_that_differ(game: str, boxes: str, steps: int, seed: int = 0) -> dict[str, int]:
    """Steps after which something differed: what the agents see, what people see, what the console drew."""
    consoles = [AtariGame(game, boxes=boxes, show_score=True) for _ in range(2)]
    actions, numbers = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    differing = {"agent": 0, "person": 0, "console": 0}
    for console in consoles:
        console.reset(seed=seed)
    for _ in range(steps):
        write(consoles[1], COUNTERS[game], numbers)
        action = int(actions.integers(consoles[0].action_space.n))
        seen = [console.step(action)[0][-1] for console in consoles]
        drawn = [console.render() for console in consoles]
        shown = [screen.copy() for screen in drawn]
        for screen in shown:
            paint_over(screen, consoles[0].boxes)
        for who, (one, two) in {"agent": seen, "person": shown, "console": drawn}.items():
            differing[who] += not np.array_equal(one, two)
        for address, value in enumerate(consoles[0].ale.getRAM()):
            consoles[1].ale.setRAM(address, int(value))
    return differing


def write(console: AtariGame, counters: Counters, rng: np.random.Generator) -> None:
    """Random numbers into a console's memory: digits as two decimals a byte, lives among their values."""
    for address in counters.digits:
        tens, ones = rng.integers(10, size=2)
        console.ale.setRAM(address, int(16 * tens + ones))
    for address, values in counters.lives.items():
        console.ale.setRAM(address, int(rng.choice(values)))


if __name__ == "__main__":
    main()
