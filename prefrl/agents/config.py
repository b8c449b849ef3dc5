"""The settings of the agents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from prefrl.core.settings import (
    require,
    require_at_least,
    require_not_negative,
    require_positive,
    require_units,
)


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """The settings that every agent has.

    Attributes:
        name: of the agent in the registry.
    """

    name: ClassVar[str]

    num_envs: int = 8  # environments stepped side by side
    n_steps: int = 256  # steps of each environment between two updates
    batch_size: int = 256  # steps per gradient step
    learning_rate: float = 3e-4
    gamma: float = 0.99  # discount per step
    net: tuple[int, ...] = (64, 64)  # hidden units of each network
    reset_step: int | None = None  # step of the run at which it starts again with fresh weights; None: never
    averaging: float = 0.0  # share that the mean policy, which is judged and saved, keeps per 2,048 steps; 0: the last

    def __post_init__(self) -> None:
        require_at_least(1, self, "num_envs", "n_steps")
        require_at_least(2, self, "batch_size")
        require_positive(self, "gamma")
        require(self.gamma <= 1, f"gamma must be at most 1, got {self.gamma}")
        require_not_negative(self, "learning_rate")
        require_units("net", self.net)
        require(0 <= self.averaging < 1, f"averaging is a share below 1, got {self.averaging}; 0 takes the last policy")


@dataclass(frozen=True, kw_only=True)
class PpoConfig(AgentConfig):
    """The agent: Stable-Baselines3's PPO."""

    name: ClassVar[str] = "ppo"

    n_epochs: int = 10  # passes over each rollout
    learning_rate_decay: float = 0.0  # share of it that is gone by the end of the run, linearly
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_decay: float = 0.0  # share of it that is gone by the end of the run, linearly
    ent_coef: float = 0.0  # weight of the entropy bonus
    ent_coef_decay: float = 0.0  # share of it that is gone by the end of the run, linearly
    vf_coef: float = 0.5  # weight of the value loss
    max_grad_norm: float = 0.5
    cnn: Literal["dqn2013", "nature"] = "dqn2013"  # reads image observations; nature takes three times the work
    activation: Literal["tanh", "relu"] = "tanh"
    log_std_init: float = 0.0  # log of the initial standard deviation of the actions
    ortho_init: bool = True
    scale_rewards: bool = True  # divide them by the running standard deviation of the discounted return

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, self, "n_epochs")
        require_positive(self, "clip_range", "max_grad_norm")
        for name in ("learning_rate_decay", "clip_range_decay", "ent_coef_decay"):
            decay = getattr(self, name)
            require(0 <= decay <= 1, f"{name} is a share, from 0 to 1, got {decay}")
        require_not_negative(self, "ent_coef", "vf_coef")
        require(math.isfinite(self.log_std_init), f"log_std_init must be a number, got {self.log_std_init}")
        require(0 <= self.gae_lambda <= 1, f"gae_lambda must be in [0, 1], got {self.gae_lambda}")
        rollout = self.num_envs * self.n_steps
        require(
            rollout % self.batch_size == 0,
            f"batch_size {self.batch_size} must divide a rollout of {rollout} steps "
            f"({self.num_envs} envs x {self.n_steps} steps)",
        )


@dataclass(frozen=True, kw_only=True)
class SacConfig(AgentConfig):
    """The agent: Stable-Baselines3's SAC, whose replay is paid anew after each fit of the reward model."""

    name: ClassVar[str] = "sac"

    n_steps: int = 32
    updates_per_step: float = 1.0  # gradient steps per environment step; each takes about 13 ms on one core
    buffer_steps: int = 1_000_000  # latest steps that the replay holds
    learning_starts: int = 1000  # steps before the first update, with random actions in a run on the true reward
    tau: float = 0.005  # share of the critic that its target takes over at an update
    target_update_interval: int = 1  # gradient steps between two updates of the target
    initial_temperature: float = 1.0  # first weight of the entropy, which is adapted; PEBBLE's is 0.1
    net: tuple[int, ...] = (256, 256)  # hidden units of actor and critics, each; PEBBLE's are 1024 1024
    relabel: bool = True  # pay for the whole replay anew after each fit

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "updates_per_step", "initial_temperature", "tau")
        require(self.tau <= 1, f"tau must be at most 1, got {self.tau}")
        require_at_least(1, self, "target_update_interval")
        require_at_least(0, self, "learning_starts")
        require_at_least(self.num_envs, self, "buffer_steps")
