"""Steps per second on an Atari game of prefrl beside stock Stable-Baselines3, and where prefrl's time goes.

    python benchmarks/atari_throughput.py --out benchmarks/results/atari_throughput.json
    python benchmarks/atari_throughput.py --device cuda --preset wide --threads 16 \
        --out benchmarks/results/atari_throughput_cuda.json

Every figure is the median of interleaved repeats, each in a process of its own. What is compared:

stock-dummy, stock-subproc   SB3's make_atari_env and CnnPolicy, with the zoo's settings for Atari, on the score
prefrl-score                 the preset, default where none is given, on the score
prefrl-labels                the same preset, 3 reward networks, labels on the schedule of 5,500 in 2e6 steps

The clock of prefrl-labels starts after the first fit, to half of all labels: as many as the window of the latest 3,000
has on average in such a run. It stops after whole rounds of comparisons, so a fit and its steps are counted together.
A step is the agent's: four frames. Memory is the trainer's own process at its peak, without those of stock-subproc's
environments.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ale_py
import gymnasium as gym
import torch
from machine import write
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack
from throughput import Result, RolloutClock, median, timed_run

from prefrl.agents.config import PpoConfig
from prefrl.config import RlhfConfig
from prefrl.devices import choose_device
from prefrl.presets import preset_config
from prefrl.runs import RunFolder

LABELS = 5500
NAMES = ("stock-dummy", "stock-subproc", "prefrl-score", "prefrl-labels")


def stock(game: str, steps: int, kind: type[DummyVecEnv | SubprocVecEnv], agent: PpoConfig, device: str) -> Result:
    """SB3's PPO on the score, clipped and with lives as episodes, as its Atari wrapper has it."""
    model, clock = stock_model(game, kind, agent, seed=0, device=device), RolloutClock()
    model.learn(steps, callback=clock)
    model.env.close()
    return {"steps_per_second": clock.rate()}


def stock_model(
    game: str, kind: type[DummyVecEnv | SubprocVecEnv], agent: PpoConfig, seed: int, device: str = "cpu"
) -> PPO:
    """SB3's PPO in SB3's own Atari environments, with these settings of it."""
    gym.register_envs(ale_py)
    venv = VecFrameStack(make_atari_env(f"{game}NoFrameskip-v4", agent.num_envs, seed=seed, vec_env_cls=kind), 4)
    return PPO(
        "CnnPolicy", venv, seed=seed, device=device, n_steps=agent.n_steps, batch_size=agent.batch_size,
        n_epochs=agent.n_epochs, learning_rate=agent.learning_rate, clip_range=agent.clip_range,
        ent_coef=agent.ent_coef,
    )  # fmt: skip


def prefrl(game: str, preset: str, labels: int, rounds: int, device: str) -> Result:
    """The beginning of a run of prefrl's own loop, timed by its parts."""
    config = settings(game, preset, labels)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        times = timed_run(config, run, device, rows=rows_of(config, rounds))
        precision = run.config().precision
    return {"steps_per_second": times.rate(), "bf16": float(precision == "bf16")} | times.shares()


def settings(game: str, preset: str, labels: int) -> RlhfConfig:
    """Half of the labels at once, one pass over them before the clock starts."""
    config = preset_config(preset, f"prefrl/{game}-v0", labels=labels, steps=2_000_000)
    return replace(
        config,
        threads=torch.get_num_threads(),
        query=replace(config.query, initial_fraction=0.5),
        reward=replace(config.reward, initial_epochs=1),
    )


def rows_of(config: RlhfConfig, rounds: int) -> int:
    """Rollouts until so many rounds of comparisons have followed the first rollout."""
    return 1 + rounds * config.query.round_steps // (config.agent.num_envs * config.agent.n_steps)


def contenders(game: str, preset: str, rounds: int, device: str) -> dict[str, Callable[[], Result]]:
    steps = settings(game, preset, LABELS).query.round_steps
    zoo = preset_config("zoo", f"prefrl/{game}-v0", labels=0).agent
    made: tuple[Callable[[], Result], ...] = (
        lambda: stock(game, steps, DummyVecEnv, zoo, device),
        lambda: stock(game, steps, SubprocVecEnv, zoo, device),
        lambda: prefrl(game, preset, 0, rounds, device),
        lambda: prefrl(game, preset, LABELS, rounds, device),
    )
    return dict(zip(NAMES, made, strict=True))


def measure(args: argparse.Namespace) -> dict[str, Result]:
    """Contender -> medians over interleaved repeats, each in a fresh process."""
    results: dict[str, list[Result]] = {name: [] for name in NAMES}
    chosen = {name: getattr(args, name) for name in ("game", "preset", "rounds", "threads", "device")}
    options = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    for _ in range(args.repeats):
        for name in NAMES:
            command = [sys.executable, __file__, "--only", name, *map(str, options)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            results[name].append(json.loads(output.splitlines()[-1]))
            print(name, f"{results[name][-1]['steps_per_second']:,.0f} steps/s", file=sys.stderr, flush=True)
    return {name: {key: median(runs, key) for key in runs[0]} for name, runs in results.items()}


def ratios(rates: dict[str, Result]) -> Result:
    """prefrl against stock SB3 with the faster of its two VecEnvs."""
    rate = {name: result["steps_per_second"] for name, result in rates.items()}
    faster = max(rate["stock-dummy"], rate["stock-subproc"])
    return {f"{name} over stock": round(rate[name] / faster, 2) for name in ("prefrl-score", "prefrl-labels")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="Pong")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of comparisons, each of 16,384 steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    parser.add_argument("--only", choices=NAMES, help="measure one contender, once, in this process")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    args.device = choose_device(args.device)
    torch.set_num_threads(args.threads)
    if args.only:
        result = contenders(args.game, args.preset, args.rounds, args.device)[args.only]()
        print(json.dumps(result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    rates = measure(args)
    figures = {
        "ratios": ratios(rates),
        "game": args.game,
        "preset": args.preset,
        "contenders": rates,
        "rounds": args.rounds,
        "repeats": args.repeats,
        "device": torch.cuda.get_device_name() if args.device == "cuda" else args.device,
    }
    write(figures, args.out, threads=args.threads)


if __name__ == "__main__":
    main()
