"""Values per environment. A preset has settings for every environment, and suites add their own for a task."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from prefrl_envs.suite import find
from prefrl_envs.task import TaskSpec

from prefrl.agents.config import AgentConfig, PpoConfig
from prefrl.agents.registry import agent_settings
from prefrl.config import RlhfConfig
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up
from prefrl.preferences.config import QueryConfig
from prefrl.rewards.config import RewardConfig

Groups = tuple[AgentConfig, RewardConfig, QueryConfig]
Settings = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings for every environment, before those of a task's own.

    Attributes:
        everywhere: whether it is also for tasks without settings of their own.
    """

    ppo: PpoConfig
    reward: RewardConfig = field(default_factory=RewardConfig)
    query: QueryConfig = field(default_factory=QueryConfig)
    everywhere: bool = True


_AGENT = PpoConfig(log_std_init=-1.0, ent_coef=0.01, averaging=0.9)

PRESETS: dict[str, Preset] = {
    # One for the paper's MuJoCo tasks: only clip, horizon, steps and gamma differ. One for every game. A backflip has
    # its own agent, and a reward model that is held back less.
    "default": Preset(ppo=_AGENT),
    # The default with 64 games side by side, for a GPU: a step of 64 takes it hardly longer than one of 16.
    "wide": Preset(ppo=_AGENT, everywhere=False),
    # Christiano et al. 2017, appendix A, to the letter, with PPO for TRPO and A2C. The paper says nothing of the epochs
    # of a later fit, of Adam, or of TRPO's batch; those are ours, and so is what PPO has and A2C has not.
    "paper2017": Preset(
        ppo=PpoConfig(gamma=0.995, gae_lambda=0.97, ent_coef=0.01),
        reward=RewardConfig(learning_rate=1e-3, batch_size=32, epochs=1, l2_low=1.1),
        query=QueryConfig(random_share=0.0),
    ),
    # rl-baselines3-zoo's tuned PPO, SB3's own where it has tuned none; the reference for what RL on the true reward can
    # reach.
    "zoo": Preset(ppo=PpoConfig(num_envs=1, n_steps=2048, batch_size=64)),
}


def preset_config(
    preset: str, env_id: str, *, labels: int, steps: int | None = None, seed: int = 0, agent: str = "ppo"
) -> RlhfConfig:
    """The configuration of `preset` for an environment.

    Args:
        preset: a name in PRESETS.
        env_id: of a suite, or any other Gymnasium id.
        labels: comparisons to learn from; 0 for the true reward.
        steps: environment steps; None for those of the suite's row.
        agent: a name in AGENTS; all but ppo have settings in the default preset alone.

    Raises:
        PrefrlError: unknown preset or agent, or no steps given for an environment outside the suites.
    """
    row = find(env_id)
    if steps is None and row is not None:
        steps = row.training_steps
    if steps is None:
        raise PrefrlError(f"{env_id} is not in the suite, so say for how long to train with `steps`, such as 1000000")
    settings, reward, query = preset_groups(preset, env_id, labels, agent)
    clip_steps = row.clip_steps if row else RlhfConfig.clip_steps
    two_clips_each = 2 * clip_steps * settings.num_envs
    initial_steps = min(max(steps // 32, two_clips_each), steps // 2, query.pool_steps)
    if "round_steps" not in own_settings(preset, env_id, "query"):
        query = replace(query, round_steps=max(steps // 64, 1))
    return RlhfConfig(
        env_id=env_id, labels=labels, steps=steps, seed=seed, preset=preset,
        clip_steps=clip_steps, initial_steps=max(initial_steps, 1),
        agent=settings, reward=reward, query=query,
    )  # fmt: skip


def preset_groups(preset: str, env_id: str, labels: int, agent: str = "ppo") -> Groups:
    """The settings of a preset for an environment, before the run's length is known.

    Raises:
        PrefrlError: unknown preset or agent, a preset that is not for this environment, or not for this agent.
    """
    fresh_agent = agent_settings(agent)
    general = look_up("preset", preset, PRESETS)
    if not general.everywhere and not has_own_settings(preset, env_id):
        raise PrefrlError(f"preset {preset} is for the suite's Atari games, not for {env_id}; use default")
    if agent != "ppo" and preset != "default":
        raise PrefrlError(f"preset {preset} has settings for ppo alone; use the default preset with {agent}")
    own_agent = own_settings(preset, env_id, "agent") | own_settings(preset, env_id, agent)
    own_query = own_settings(preset, env_id, "query")
    first = own_query.pop("initial_labels", None)
    if first is not None:
        own_query["initial_fraction"] = min(1.0, first / max(labels, 1))
    return (
        replace(general.ppo if agent == "ppo" else fresh_agent(), **own_agent),
        replace(general.reward, **own_settings(preset, env_id, "reward")),
        replace(general.query, **own_query),
    )


def usual_labels(env_id: str) -> int:
    """Comparisons that a run learns from by default: the suite's, or 700."""
    row = find(env_id)
    return TaskSpec.labels if row is None else row.labels


def has_own_settings(preset: str, env_id: str) -> bool:
    """Whether the environment's suite has settings for the preset."""
    row = find(env_id)
    return row is not None and preset in row.defaults


def own_settings(preset: str, env_id: str, part: str) -> Settings:
    """The settings that the environment's suite has for a part of the preset."""
    row = find(env_id)
    if row is None:
        return {}
    return dict(row.defaults.get(preset, {}).get(part, {}))
