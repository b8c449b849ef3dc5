"""The agent: Stable-Baselines3's PPO behind `Agent`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from prefrl.agents.base import Metrics, RewardFunction
from prefrl.agents.buffers import (
    Filled,
    FilledDictRolloutBuffer,
    FilledRolloutBuffer,
    ReturnScale,
    SeenRolloutBuffer,
)
from prefrl.agents.cnn import CentredCnn, CnnPolicy
from prefrl.agents.config import PpoConfig
from prefrl.agents.features import StandardisedFeatures
from prefrl.agents.ppo_update import GraphedPpo, Ppo
from prefrl.agents.sb3 import Sb3Agent, Sb3Policy
from prefrl.core.errors import PrefrlError
from prefrl.core.settings import Precision
from prefrl.rollouts import Recorder, Rollout
from prefrl.seeds import Purpose, seed_of
from prefrl.tensors import add_tensor_prefix, tensors_under


class PpoAgent(Sb3Agent[Ppo]):
    """Learns from each rollout once, and forgets it.

    Args:
        seed: of the run.
        total_steps: of the run, over which rates decay.
    """

    def __init__(
        self,
        recorder: Recorder,
        config: PpoConfig,
        *,
        seed: int,
        total_steps: int,
        device: str = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        model = make_ppo(recorder, config, seed_of(seed, Purpose.POLICY), device, precision)
        super().__init__(recorder, model, seed, config.averaging, config.n_steps * config.num_envs)
        self._config, self._total_steps = config, total_steps
        self._scale = ReturnScale(config.num_envs, config.gamma)

    def collect(self) -> Rollout:
        """Takes one rollout's steps; see `Agent`."""
        decay_rates(self._model, self._config, self._total_steps)
        self._seed_draws(Purpose.ITERATION, self.step)
        self._model.learn(0, reset_num_timesteps=False)  # no steps: SB3 begins the first episodes here
        env, buffer = self._model.env, self._model.rollout_buffer
        assert env is not None
        self._model.collect_rollouts(env, self._callback, buffer, self._config.n_steps)
        return self._recorder.take()

    def update(self, rollout: Rollout, rewards: np.ndarray) -> Metrics:
        """Learns from the rollout just collected; see `Agent`."""
        buffer = self._model.rollout_buffer
        assert isinstance(buffer, Filled)
        buffer.pay(self._scale(rewards, buffer.episode_starts) if self._config.scale_rewards else rewards)
        metrics = self._model.update()
        self._learned_from(rollout)
        return metrics

    def relabel(self, reward: RewardFunction) -> None:
        """Does nothing: no step is learned from twice."""

    def _fresh_policy(self) -> BasePolicy:
        model = self._model
        return model.policy_class(model.observation_space, model.action_space, model.lr_schedule, **model.policy_kwargs)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        return [self._model.policy.optimizer]

    def _tensors(self) -> dict[str, Tensor]:
        scale = self._scale
        return add_tensor_prefix("scale.", scale.moments.state_dict() | {"returns": torch.as_tensor(scale.returns)})

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        scale = tensors_under("scale.", tensors)
        self._scale.returns = scale.pop("returns").numpy().copy()
        self._scale.moments.load_state_dict(scale)


def load_ppo(path: Path) -> Sb3Policy[PPO]:
    """Loads the policy of a zip that PPO wrote, to act on the CPU."""
    return Sb3Policy(PPO.load(path, device="cpu"))


def check_spaces(observation_space: spaces.Space, action_space: spaces.Space) -> None:
    """Refuses by name what SB3's PPO cannot read.

    Raises:
        PrefrlError: one of the spaces, or a part of it, is not supported.
    """
    parts = (
        observation_space.spaces if isinstance(observation_space, spaces.Dict) else {"observation": observation_space}
    )
    for name, space in parts.items():
        if not isinstance(space, spaces.Box | spaces.Discrete):
            raise PrefrlError(
                f"{name!r} is a {type(space).__name__} space; supported: Box, Discrete, and Dict of these"
            )
        if is_image_space(space) and min(sorted(space.shape or ())[1:]) < 36:
            raise PrefrlError(f"{name!r} is an image of {space.shape}; the agent's network needs at least 36x36 pixels")
    if not isinstance(action_space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise PrefrlError(
            f"actions are a {type(action_space).__name__} space; supported: Box, Discrete, MultiDiscrete, MultiBinary"
        )
    if np.any(getattr(action_space, "start", 0)):
        raise PrefrlError("discrete actions must be counted from 0: SB3 ignores where they start")


def make_ppo(env: VecEnv, config: PpoConfig, seed: int, device: str, precision: Precision = "fp32") -> Ppo:
    """A fresh algorithm for `env`.

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


def _kind(env: VecEnv, device: str) -> type[Ppo]:
    """Use CUDA graphs for image policies with discrete actions."""
    images = is_image_space(env.observation_space) and isinstance(env.action_space, spaces.Discrete)
    return GraphedPpo if device == "cuda" and images else Ppo


def decay_rates(model: PPO, config: PpoConfig, steps: int) -> None:
    """Sets what the next rollout is learned with in a run of so many steps; a fresh agent begins anew.

    SB3's own schedules would see one rollout as all, and it has none for the entropy bonus.
    """
    step, start, end = model.num_timesteps, 0, steps
    if config.reset_step is not None:
        start, end = (0, config.reset_step) if step < config.reset_step else (config.reset_step, steps)
    progress = (step - start) / (end - start)
    model.lr_schedule = FloatSchedule(config.learning_rate * (1 - config.learning_rate_decay * progress))
    model.clip_range = FloatSchedule(config.clip_range * (1 - config.clip_range_decay * progress))
    model.ent_coef = config.ent_coef * (1 - config.ent_coef_decay * progress)
