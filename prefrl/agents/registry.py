"""The agents by name: a row each. Imports neither torch nor SB3 until an agent is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefrl.agents.config import AgentConfig
from prefrl.core.registry import load_plugin, look_up
from prefrl.core.settings import Precision

if TYPE_CHECKING:
    from prefrl.agents.base import Agent, TrainablePolicy
    from prefrl.rollouts import Recorder


@dataclass(frozen=True)
class AgentEntry:
    """The places of an agent's parts, each as "module:name".

    Attributes:
        settings: a subclass of `AgentConfig`.
        make: a function like `make_agent`, of the same arguments, with the agent's own settings.
        load_policy: a function that loads the policy which the agent's `save_policy` wrote, to act on the CPU.
    """

    settings: str
    make: str
    load_policy: str


AGENTS = {
    "ppo": AgentEntry("prefrl.agents.config:PpoConfig", "prefrl.agents.ppo:PpoAgent", "prefrl.agents.ppo:load_ppo"),
    "sac": AgentEntry("prefrl.agents.config:SacConfig", "prefrl.agents.sac:make_agent", "prefrl.agents.sac:load_sac"),
}


def agent_settings(name: str) -> type[AgentConfig]:
    """The class of an agent's settings.

    Raises:
        PrefrlError: unknown agent.
    """
    settings: type[AgentConfig] = load_plugin(look_up("agent", name, AGENTS).settings)
    return settings


def make_agent(
    recorder: Recorder, config: AgentConfig, *, seed: int, total_steps: int, device: str, precision: Precision
) -> Agent:
    """Makes the agent that the settings are for, with fresh weights.

    Args:
        recorder: the environments; it hides their rewards.
        seed: of the run.
        total_steps: of the run, over which rates decay.
        device: where its networks compute.
        precision: of networks that read images.

    Raises:
        PrefrlError: the agent cannot learn with these observations or actions.
    """
    make: Any = load_plugin(AGENTS[config.name].make)
    agent: Agent = make(recorder, config, seed=seed, total_steps=total_steps, device=device, precision=precision)
    return agent


def load_policy(path: Path, name: str) -> TrainablePolicy:
    """Loads the policy that the agent called `name` wrote, to act on the CPU."""
    policy: TrainablePolicy = load_plugin(AGENTS[name].load_policy)(path)
    return policy
