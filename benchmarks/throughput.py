"""Steps per second of prefrl beside stock Stable-Baselines3 and imitation, and where prefrl's time goes.

    python benchmarks/throughput.py --out benchmarks/results/throughput.json
    python benchmarks/throughput.py --imitation .venv-imitation/bin/python   # see imitation_peer.py

Every figure is the median of interleaved repeats, each in a process of its own. What is compared:

stock-dummy, stock-subproc   SB3's PPO on the true reward with its default settings, 8 environments
prefrl-equal                 the same settings, 700 comparisons, 3 reward networks
per-step                     the same settings, the learned reward through a wrapper; no comparisons, no fits
stock-large-batches          SB3's PPO on the true reward with the default preset's settings
prefrl-default               the default preset, 700 comparisons
imitation                    imitation 1.0.1 with SB3's default settings, 700 comparisons, 3 reward networks

Rounds of comparisons come as often as in a run of 1e6 steps, and are fitted to 665 comparisons at first and 700 in
the end, which is more than such a run has on average. The clock starts after the first rollout or, with comparisons,
after the first fit, which comes once a run. Memory is the trainer's own process at its peak, without those of
stock-subproc's environments.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from machine import write
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from prefrl.agents.config import PpoConfig
from prefrl.algorithms import rlhf
from prefrl.config import RlhfConfig
from prefrl.labelers.oracle import Oracle
from prefrl.presets import preset_config
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.vec_env import LearnedRewardVecEnv
from prefrl.runs import RunFolder
from prefrl.runs.progress import ProgressRow

STOCK = PpoConfig(num_envs=8, n_steps=256, batch_size=64)
LABELS, ROUND_STEPS, INITIAL_STEPS = 700, 15_625, 8_192
Result = dict[str, float]


def stock(task: str, steps: int, make: Callable[..., VecEnv], agent: PpoConfig) -> Result:
    """SB3's PPO, on whatever reward the environments pay."""
    venv = make([lambda: gym.make(f"prefrl/{task}-v0")] * agent.num_envs)
    return learn_stock(venv, steps, agent)


def learn_stock(venv: VecEnv, steps: int, agent: PpoConfig) -> Result:
    settings = {"batch_size": agent.batch_size, "n_epochs": agent.n_epochs, "gamma": agent.gamma}
    clock = RolloutClock()
    PPO("MlpPolicy", venv, n_steps=agent.n_steps, seed=0, device="cpu", **settings).learn(steps, callback=clock)
    venv.close()
    return {"steps_per_second": clock.rate()}


class RolloutClock(BaseCallback):
    """When each rollout began, and after how many steps."""

    def _init_callback(self) -> None:
        self.began: list[tuple[float, int]] = []

    def _on_rollout_start(self) -> None:
        self.began.append((time.perf_counter(), self.num_timesteps))

    def _on_step(self) -> bool:
        return True

    def rate(self) -> float:
        """Steps per second from the second rollout's beginning to the last one's: whole iterations."""
        (start, first), (end, last) = self.began[1], self.began[-1]
        return (last - first) / (end - start)


def per_step(task: str, steps: int) -> Result:
    venv = DummyVecEnv([lambda: gym.make(f"prefrl/{task}-v0")] * STOCK.num_envs)
    config = preset_config("default", f"prefrl/{task}-v0", labels=LABELS)
    ensemble = RewardEnsemble(venv.observation_space, venv.action_space, config.reward, seed=0)
    return learn_stock(LearnedRewardVecEnv(venv, ensemble), steps, STOCK)


def prefrl(task: str, steps: int, agent: PpoConfig | None) -> Result:
    """A run of prefrl's own loop, timed by its parts."""
    config = preset_config("default", f"prefrl/{task}-v0", labels=LABELS, steps=INITIAL_STEPS + steps)
    query = replace(config.query, round_steps=ROUND_STEPS, initial_fraction=0.95)
    config = replace(config, initial_steps=INITIAL_STEPS, query=query, agent=agent or config.agent)
    config = replace(config, threads=torch.get_num_threads(), eval_episodes=1)  # nobody reads these episodes
    with tempfile.TemporaryDirectory() as folder:
        times = timed_run(config, RunFolder(Path(folder)))
    return {"steps_per_second": times.rate()} | times.shares()


def timed_run(config: RlhfConfig, run: RunFolder, device: str = "cpu", rows: int | None = None) -> Times:
    """A run of prefrl's own loop, and where its time went.

    Args:
        rows: rollouts after which the run is left; None for its end.
    """
    times, oracle = Times(), Oracle(config.oracle, config.seed)
    run.create(config)
    rlhf.train(config, run, oracle, device=device, on_row=times.on_row, stopped=lambda: len(times.rows) == rows)
    return times


class Times:
    """Seconds spent in the parts of prefrl's own loop between its first row of progress.csv and its last.

    Attributes:
        rows: time and steps at each row.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[float, int]] = []
        self._seconds: Counter[str] = Counter()

    def on_row(self, row: ProgressRow, metrics: Mapping[str, float]) -> None:
        """To be told every row."""
        if self.rows:
            self._seconds.update({name: value for name, value in metrics.items() if name.startswith("time/")})
        self.rows.append((time.perf_counter(), row.step))

    def rate(self) -> float:
        """Steps per second."""
        (start, first), (end, last) = self.rows[0], self.rows[-1]
        return (last - first) / (end - start)

    def shares(self) -> Result:
        """Of the time, by part."""
        return shares(self._seconds, self.rows[-1][0] - self.rows[0][0])


NAMES = {
    "time/environments": "environments",
    "time/update": "PPO's update",
    "time/reward": "reward model",
    "time/fit": "fits",
    "time/queries": "queries and store",
    "time/pool": "segment pool",
}
"""Timer of the loop -> name in the table."""


def shares(seconds: Mapping[str, float], total: float) -> Result:
    """Shares of the time. The collection of a rollout contains the environments' steps."""
    found = {name: seconds.get(timer, 0.0) for timer, name in NAMES.items()}
    found["policy, buffer, recorder"] = seconds["time/collect"] - found["environments"]
    found["everything else"] = total - sum(found.values())
    return {f"share: {name}": value / total for name, value in found.items()}


def contenders(task: str, steps: int) -> dict[str, Callable[[], Result]]:
    default = preset_config("default", f"prefrl/{task}-v0", labels=0).agent
    return {
        "stock-dummy": lambda: stock(task, steps // 2, DummyVecEnv, STOCK),
        "stock-subproc": lambda: stock(task, steps // 2, SubprocVecEnv, STOCK),
        "prefrl-equal": lambda: prefrl(task, steps, STOCK),
        "per-step": lambda: per_step(task, steps // 2),
        "stock-large-batches": lambda: stock(task, steps // 2, DummyVecEnv, default),
        "prefrl-default": lambda: prefrl(task, steps, None),
    }


def measure(task: str, steps: int, threads: int, repeats: int, imitation: str | None) -> dict[str, Result]:
    """Contender -> medians over interleaved repeats, each in a fresh process."""
    commands = {
        name: [sys.executable, __file__, "--only", name, "--tasks", task, "--steps", str(steps)]
        for name in contenders(task, steps)
    }
    if imitation:
        commands["imitation"] = [imitation, str(Path(__file__).with_name("imitation_peer.py")), task]
    results: dict[str, list[Result]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            output = subprocess.run(
                [*command, "--threads", str(threads)], check=True, capture_output=True, text=True
            ).stdout
            results[name].append(json.loads(output.splitlines()[-1]))
            print(task, name, f"{results[name][-1]['steps_per_second']:,.0f} steps/s", flush=True)
    return {name: {key: median(runs, key) for key in runs[0]} for name, runs in results.items()}


def median(runs: list[Result], key: str) -> float:
    return float(f"{np.median([run[key] for run in runs]):.4g}")


def ratios(rates: dict[str, Result]) -> Result:
    """prefrl against stock SB3, its faster VecEnv where there are two; imitation likewise."""
    rate = {name: result["steps_per_second"] for name, result in rates.items()}
    faster = max(rate["stock-dummy"], rate["stock-subproc"])
    compared = {
        "prefrl-equal over stock": rate["prefrl-equal"] / faster,
        "prefrl-default over stock": rate["prefrl-default"] / faster,
        "prefrl-default over stock-large-batches": rate["prefrl-default"] / rate["stock-large-batches"],
        "per-step over stock": rate["per-step"] / faster,
    }
    if "imitation" in rate:
        compared["prefrl-equal over imitation"] = rate["prefrl-equal"] / rate["imitation"]
    return {name: round(value, 2) for name, value in compared.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["Hopper", "HalfCheetah"])
    parser.add_argument("--steps", type=int, default=65_536)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--imitation", help="the Python that has imitation 1.0.1")
    parser.add_argument("--only", help="measure one contender, once, in this process")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.only:
        result = contenders(args.tasks[0], args.steps)[args.only]()
        print(json.dumps(result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    rates = {task: measure(task, args.steps, args.threads, args.repeats, args.imitation) for task in args.tasks}
    figures = {
        "ratios": {task: ratios(found) for task, found in rates.items()},
        "tasks": rates,
        "steps": args.steps,
        "repeats": args.repeats,
    }
    write(figures, args.out, threads=args.threads)


if __name__ == "__main__":
    main()
