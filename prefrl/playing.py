"""Showing the agent of a run: a window or a video."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from prefrl_envs.rendering import Renderer
from prefrl_envs.suite import find
from prefrl_envs.wrappers import make_env
from stable_baselines3 import PPO

from prefrl.clips import write_video
from prefrl.evaluation import act_by, play_episodes
from prefrl.runs import RunFolder


def load_agent(run: RunFolder) -> PPO:
    """The last policy of a run.

    Raises:
        ValueError: the run has not ended.
    """
    if not run.policy.exists():
        raise ValueError(f"no policy at {run.policy}; `prefrl resume {run.path}` brings the run to its end")
    return PPO.load(run.policy, device="cpu")


def film(run: RunFolder, video: Path, seed: int, steps: int | None) -> None:
    """Writes one deterministic episode to `video`, at the speed a person should see it at."""
    config, entry = run.config(), find(run.config().env_id)
    policy = act_by(load_agent(run), deterministic=True)
    rollout = play_episodes(config.env_id, policy, 1, seed, horizon=config.horizon, on_end=config.on_end)
    if rollout.render_states is None:
        raise ValueError(f"nothing is known that draws {config.env_id}")
    with Renderer(config.env_id, 480, 360, horizon=config.horizon, on_end=config.on_end) as renderer:
        frames = renderer.draw(rollout.render_states[:steps, 0])
    write_video(video, frames, entry.fps if entry else 30)


def show(run: RunFolder, seed: int, steps: int | None) -> None:
    """Plays one deterministic episode in a window.

    Raises:
        ValueError: there is no display.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("there is no display to open a window on; write a video with --video FILE.webm")
    config, policy = run.config(), act_by(load_agent(run), deterministic=True)
    env = make_env(config.env_id, config.horizon, config.on_end, render_mode="human")
    obs, _ = env.reset(seed=seed)
    step, over = 0, False
    while not over and (steps is None or step < steps):
        obs, _, terminated, truncated, _ = env.step(policy(np.asarray(obs)))
        step, over = step + 1, terminated or truncated
    env.close()
