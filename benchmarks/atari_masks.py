"""Whether anything of the score is seen: other scores and lives written into the console's memory, the same frames.

    python benchmarks/atari_masks.py --steps 3000 --out benchmarks/results/atari_masks.json

Two consoles of a game take the same actions from the same seed. Before every step random digits and lives are written
into the memory of one of them. After it are compared what the agents see, which is also all that the reward model gets;
what people see: the screen that is kept, packed as by the recorder and unpacked as by the viewers; and what the console
drew: this must differ, or nothing was tested. Then the memory of the first is copied into the second, so that what was
written has no consequences. Where the game ends on one of them, both start anew.

The paper's boxes hide the score and not the lives: with them digits of the score alone are written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import write
from prefrl_envs.atari import AtariGame
from prefrl_envs.drawing import ScreenDrawing
from prefrl_envs.screens import pack, unpack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--boxes", nargs="+", default=["default", "paper"])
    parser.add_argument("--games", nargs="+", default=list(SCORES), choices=list(SCORES))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    differing = {
        boxes: {game: steps_that_differ(game, boxes, args.steps) for game in args.games} for boxes in args.boxes
    }
    write({"steps": args.steps, "steps_that_differ": differing}, args.out)


DECIMALS = tuple(16 * tens + ones for tens in range(10) for ones in range(10))  # two digits in a byte

# Addresses in the console's memory of 128 bytes, found by writing to each and looking, and what to write.
SCORES: dict[str, dict[int, Sequence[int]]] = {  # digits; of Enduro the distance and the cars to pass
    "BeamRider": dict.fromkeys((9, 10, 11), DECIMALS),
    "Breakout": dict.fromkeys((76, 77), DECIMALS),
    "Enduro": dict.fromkeys((40, 41, 42, 43, 44), DECIMALS),
    "Pong": dict.fromkeys((13, 14), range(20)),
    "Qbert": dict.fromkeys((89, 90, 91), DECIMALS),
    "Seaquest": dict.fromkeys((56, 57, 58), DECIMALS),
    "SpaceInvaders": dict.fromkeys((102, 104), DECIMALS),
}
LIVES: dict[str, dict[int, Sequence[int]]] = {  # ships, men, lives and days, never the last
    "BeamRider": {5: range(1, 6)},
    "Breakout": {57: range(2, 6)},
    "Enduro": {45: range(1, 5)},
    "Pong": {},
    "Qbert": {8: range(1, 4)},
    "Seaquest": {59: range(1, 6)},
    "SpaceInvaders": {73: range(2, 4)},
}


def steps_that_differ(game: str, boxes: str, steps: int, seed: int = 0) -> dict[str, int]:
    """Steps after which something differed: what the agents see, what people see, what the console drew."""
    consoles = [AtariGame(game, boxes=boxes) for _ in range(2)]
    counters = SCORES[game] | (LIVES[game] if boxes == "default" else {})
    actions, numbers = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    differing = {"agent": 0, "person": 0, "console": 0}
    for console in consoles:
        console.reset(seed=seed)
    for step in range(1, steps + 1):
        for address, values in counters.items():
            consoles[1].ale.setRAM(address, int(numbers.choice(values)))
        action = int(actions.integers(consoles[0].action_space.n))
        seen, _, _, _, infos = zip(*(console.step(action) for console in consoles), strict=True)
        if any("game_score" in info for info in infos):
            for console in consoles:
                console.reset(seed=seed + step)
            continue
        shown = [unpack(pack(ScreenDrawing.capture(console)[None])[0]) for console in consoles]
        drawn = [console.ale.getScreenRGB() for console in consoles]
        for who, (one, two) in {"agent": seen, "person": shown, "console": drawn}.items():
            differing[who] += not np.array_equal(one, two)
        for address, value in enumerate(consoles[0].ale.getRAM()):
            consoles[1].ale.setRAM(address, int(value))
    return differing


if __name__ == "__main__":
    main()
