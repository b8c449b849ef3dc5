"""The agents by name: a row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm

from prefrl.agents.base import Agent
from prefrl.agents.ppo import PpoAgent
from prefrl.agents.sac import SacAgent
from prefrl.agents.sb3 import Sb3Policy
from prefrl.config import PpoConfig, Precision, RlhfConfig, SacConfig, agent_name
from prefrl.rollouts import Recorder


@dataclass(frozen=True)
class AgentEntry:
    """How to make an agent for a recorder's environments, and what reads its policy.zip."""

    make: Callable[[Recorder, RlhfConfig, str, Precision], Agent]
    algorithm: type[BaseAlgorithm]


def _ppo(recorder: Recorder, config: RlhfConfig, device: str, precision: Precision) -> Agent:
    assert isinstance(config.agent, PpoConfig)
    return PpoAgent(
        recorder, config.agent, seed=config.seed, total_steps=config.steps, device=device, precision=precision
    )


def _sac(recorder: Recorder, config: RlhfConfig, device: str, _: Precision) -> Agent:
    assert isinstance(config.agent, SacConfig)
    return SacAgent(recorder, config.agent, seed=config.seed, total_steps=config.steps, device=device)


AGENTS = {"ppo": AgentEntry(_ppo, PPO), "sac": AgentEntry(_sac, SAC)}


def make_agent(recorder: Recorder, config: RlhfConfig, device: str, precision: Precision) -> Agent:
    """Makes the agent that the settings are for, with fresh weights.

    Raises:
        ValueError: the agent cannot learn with these observations or actions.
    """
    return AGENTS[agent_name(config.agent)].make(recorder, config, device, precision)


def load_policy(path: Path, name: str) -> Sb3Policy[BaseAlgorithm]:
    """Loads the policy of a zip that the agent called `name` wrote, to act on the CPU."""
    return Sb3Policy(AGENTS[name].algorithm.load(path, device="cpu"))
