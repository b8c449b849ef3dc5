"""How well stock Stable-Baselines3 plays an Atari game after so many steps: what prefrl's scores stand beside.

    python benchmarks/atari_stock.py --steps 500000 --seeds 0 1 --out benchmarks/results/atari_stock.json

SB3's make_atari_env and CnnPolicy, PPO with the zoo's settings for Atari as in atari_throughput.py, on the clipped
score. The zoo lowers learning rate and clip range to 0 over 1e7 steps: over the first twentieth of these they are
as good as constant. What is told is the mean unclipped score of the latest 50 complete games played while training.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from atari_throughput import stock_model
from machine import write
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from prefrl.agents.config import PpoConfig
from prefrl.presets import preset_config

GAMES = 50  # whose mean is told


class Scores(BaseCallback):
    """The mean score of the latest games, taken every so many steps.

    Attributes:
        curve: steps -> mean score; only where a game has ended.
    """

    def __init__(self, every: int) -> None:
        super().__init__()
        self.curve: dict[int, float] = {}
        self._every, self._games = every, list[float]()

    def _on_step(self) -> bool:
        self._games += [info["episode"]["r"] for info in self.locals["infos"] if "episode" in info]
        if self.num_timesteps % self._every < self.training_env.num_envs and self._games:
            latest = self._games[-GAMES:]
            self.curve[self.num_timesteps] = round(sum(latest) / len(latest), 2)
        return True


def scores(game: str, steps: int, every: int, agent: PpoConfig, seed: int) -> dict[str, object]:
    """One run: its curve, and how long it took."""
    model, callback = stock_model(game, DummyVecEnv, agent, seed), Scores(every)
    began, cpu_began = time.perf_counter(), time.process_time()
    model.learn(steps, callback=callback)
    minutes, cpu_minutes = (time.perf_counter() - began) / 60, (time.process_time() - cpu_began) / 60
    return {"score": callback.curve, "minutes": round(minutes, 1), "core_minutes": round(cpu_minutes, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="Pong")
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--every", type=int, default=50_000, help="steps between two figures")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    agent = preset_config("zoo", f"prefrl/{args.game}-v0", labels=0).agent
    runs = {f"seed {seed}": scores(args.game, args.steps, args.every, agent, seed) for seed in args.seeds}
    write({"game": args.game, "runs": runs}, args.out, threads=args.threads)


if __name__ == "__main__":
    main()
