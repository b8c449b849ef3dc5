"""Stable-Baselines3's PPO, with rewards that are filled in once a rollout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from prefrl_envs.snapshots import State, add_prefix, under
from stable_baselines3 import PPO
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecEnv

from prefrl.agents.buffers import (
    Filled,
    FilledDictRolloutBuffer,
    FilledRolloutBuffer,
    FillRewards,
    ReturnScale,
    SeenRolloutBuffer,
)
from prefrl.agents.cnn import DIVERGED, CentredCnn, CnnPolicy
from prefrl.agents.features import StandardisedFeatures
from prefrl.agents.graphed_ppo import GraphedPpo
from prefrl.config import PpoConfig, Precision
from prefrl.names import look_up


def choose_device(name: str) -> str:
    """What `name` stands for: auto is cuda where there is one, else cpu (which is faster than mps for small networks).

    Raises:
        ValueError: not a device, or not one of this machine's.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not look_up("device", name, available):
        raise ValueError(f"this machine has no {name} device; use --device auto or cpu")
    return name


def check_spaces(observation_space: spaces.Space, action_space: spaces.Space) -> None:
    """Refuses by name what SB3's PPO cannot read.

    Raises:
        ValueError: one of the spaces, or a part of it, is not supported.
    """
    parts = (
        observation_space.spaces if isinstance(observation_space, spaces.Dict) else {"observation": observation_space}
    )
    for name, space in parts.items():
        if not isinstance(space, spaces.Box | spaces.Discrete):
            raise ValueError(f"{name!r} is a {type(space).__name__} space; supported: Box, Discrete, and Dict of these")
        if is_image_space(space) and min(sorted(space.shape or ())[1:]) < 36:
            raise ValueError(f"{name!r} is an image of {space.shape}; the agent's network needs at least 36x36 pixels")
    if not isinstance(action_space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise ValueError(
            f"actions are a {type(action_space).__name__} space; supported: Box, Discrete, MultiDiscrete, MultiBinary"
        )
    if np.any(getattr(action_space, "start", 0)):
        raise ValueError("discrete actions must be counted from 0: SB3 ignores where they start")


def make_ppo(env: VecEnv, config: PpoConfig, seed: int, device: str, precision: Precision = "fp32") -> PPO:
    """A fresh agent for `env`. Its rewards are all 0 until `set_rewards` says where they come from.

    Args:
        precision: fp32 or bf16, of the network that reads images; policy.zip keeps it.
    """
    space = env.observation_space
    policy: str | type[CnnPolicy] = "MlpPolicy"
    kind = _kind(env, device)
    buffer: type[Filled] = SeenRolloutBuffer if kind is GraphedPpo else FilledRolloutBuffer
    policy_kwargs: dict[str, Any] = {
        "net_arch": list(config.net),
        "activation_fn": {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[config.activation],
        "log_std_init": config.log_std_init,
        "ortho_init": config.ortho_init,
        "optimizer_kwargs": {"eps": 1e-5, "fused": True},  # SB3's own eps; one kernel for all parameters
    }
    if isinstance(space, spaces.Dict):
        policy, buffer = "MultiInputPolicy", FilledDictRolloutBuffer
    elif is_image_space(space):
        policy = CnnPolicy
        policy_kwargs["features_extractor_class"] = CentredCnn
        policy_kwargs["features_extractor_kwargs"] = {"cnn": config.cnn, "precision": precision}
        policy_kwargs["normalize_images"] = False  # CentredCnn does
    elif isinstance(space, spaces.Box):
        policy_kwargs["features_extractor_class"] = StandardisedFeatures
    return kind(
        policy,
        env,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        learning_rate=config.learning_rate,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        ent_coef=config.ent_coef,
        vf_coef=config.vf_coef,
        max_grad_norm=config.max_grad_norm,
        policy_kwargs=policy_kwargs,
        rollout_buffer_class=buffer,
        seed=seed,
        device=device,
    )


def load_ppo(path: Path, env: VecEnv, device: str) -> PPO:
    """An agent as it was saved, to go on training in `env`."""
    return _kind(env, device).load(path, env=env, device=device)


def _kind(env: VecEnv, device: str) -> type[PPO]:
    """On a GPU a network that reads images of a game is told what to do in graphs."""
    is_game = is_image_space(env.observation_space) and isinstance(env.action_space, spaces.Discrete)
    return GraphedPpo if device == "cuda" and is_game else PPO


def set_rewards(model: PPO, fill: FillRewards, scale: ReturnScale | None) -> None:
    """Says where the agent's rewards come from. They are never part of its zip."""
    buffer = model.rollout_buffer
    assert isinstance(buffer, Filled)
    buffer.fill, buffer.scale = fill, scale
    policy, network = model.policy, model.policy.features_extractor
    if isinstance(network, CentredCnn) and isinstance(buffer, FilledRolloutBuffer):
        buffer.prepare = network.centred  # its background is the same until the agent has learned from the rollout
    if isinstance(policy, CnnPolicy) and isinstance(buffer, SeenRolloutBuffer):
        buffer.seen = policy.seen


def position(model: PPO) -> State:
    """Where an agent is in its environments, between two rollouts: what it has seen last. Empty before the first."""
    seen: Any = model._last_obs
    starts: Any = model._last_episode_starts
    if seen is None:
        return {}
    named = add_prefix(f"{_SEEN}.", seen) if isinstance(seen, dict) else {_SEEN: seen}
    return {name: array.copy() for name, array in named.items()} | {"episode_starts": starts.copy()}


def set_position(model: PPO, state: State) -> None:
    """The inverse of `position`."""
    if not state:
        return
    parts = under(f"{_SEEN}.", state)
    model._last_obs = parts or state[_SEEN]
    model._last_episode_starts = state["episode_starts"]


_SEEN = "seen"


def reset_agent(model: PPO, seed: int) -> None:
    """Fresh weights, drawn with `seed`, and a fresh optimizer; what is known of observations and rewards stays.

    An agent that has learned from an early reward model's mistakes may never find what a later one pays for, and one
    that starts again does (Nikishin et al. 2022, "The primacy bias in deep reinforcement learning").
    """
    with torch.random.fork_rng(devices=[]):  # layers draw their weights from the CPU's global generator
        torch.default_generator.manual_seed(seed)
        fresh = model.policy_class(
            model.observation_space, model.action_space, model.lr_schedule, **model.policy_kwargs
        )
    with torch.no_grad():
        for weights, new in zip(model.policy.parameters(), fresh.parameters(), strict=True):
            weights.copy_(new)
    model.policy.optimizer.state.clear()


def decay_rates(model: PPO, config: PpoConfig, steps: int) -> None:
    """What the next rollout is learned with in a run of so many steps; a fresh agent begins anew.

    SB3's own schedules would see one rollout as all, and it has none for the entropy bonus.
    """
    step, start, end = model.num_timesteps, 0, steps
    if config.reset_step is not None:
        start, end = (0, config.reset_step) if step < config.reset_step else (config.reset_step, steps)
    progress = (step - start) / (end - start)
    model.lr_schedule = FloatSchedule(config.learning_rate * (1 - config.learning_rate_decay * progress))
    model.clip_range = FloatSchedule(config.clip_range * (1 - config.clip_range_decay * progress))
    model.ent_coef = config.ent_coef * (1 - config.ent_coef_decay * progress)


def learn_one_rollout(model: PPO) -> None:
    """Collects one rollout and learns from it.

    Raises:
        ValueError: its weights are no numbers any more.
    """
    try:
        model.learn(model.n_steps * model.n_envs, reset_num_timesteps=False)
    except ValueError as error:
        if "found invalid values" not in str(error):  # torch.distributions' own words
            raise
        raise ValueError(DIVERGED) from error
