"""Enduro without winning: keep level with the other cars, the behavior of sec. 3.2 in Christiano et al. 2017."""

from __future__ import annotations

from typing import Any

import numpy as np

from prefrl_envs.atari import AtariGame
from prefrl_envs.errors import PrefrlError

# In the console's memory, found by writing to it and looking at what moves.
SPEED = 50  # of my car less that of the others, two's complement; they drive at 24, mine reaches 63
ALONGSIDE = 27  # where the other car is that is drawn in rows 136 to 154, mine being in 144 to 154; 0: there is none
OTHERS_SPEED = 24


def levelness(memory: np.ndarray) -> float:
    """How level the car is with the others, from 0 to 1; the oracle compares by it.

    One, less the difference of the speeds as a share of the others', and half of that while no car is beside mine. So
    driving beside a car beats driving alone at the same speed, and that beats both falling behind and racing: at twice
    their speed nothing is gained, however many cars are beside mine for a moment. To count the steps with a car
    alongside would pay for racing through dense traffic, to look at the speed alone for an empty road.

    Args:
        memory: [128] bytes of the console's.
    """
    difference = abs(int(memory[SPEED].astype(np.int8)))
    return max(0.0, 1 - difference / OTHERS_SPEED) * (1.0 if memory[ALONGSIDE] else 0.5)


class EnduroLevel(AtariGame):
    """Enduro in which the reward is returned as 0; info["true_reward"] is `levelness`, for the oracle.

    Whoever keeps level passes too few cars, and the game ends with the day, after 3,300 steps: that is no failure here,
    and costs nothing.
    """

    def __init__(self, game: str = "Enduro", end_penalty: float | None = None, **options: Any) -> None:
        if end_penalty:
            raise PrefrlError(f"a game's end is no failure in EnduroLevel: it takes no end_penalty, got {end_penalty}")
        super().__init__(game, end_penalty=0.0, **options)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        obs, _, terminated, truncated, info = super().step(action)
        info.pop("game_score", None)  # cars passed are not what counts here
        return obs, 0.0, terminated, truncated, info | {"true_reward": levelness(self.ale.getRAM())}
