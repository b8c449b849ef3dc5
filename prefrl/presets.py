"""Values per environment. A preset is a function from an environment and its labels to a whole configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from prefrl_envs.suite import find

from prefrl.agents.config import AgentConfig, PpoConfig
from prefrl.agents.registry import agent_settings
from prefrl.config import RlhfConfig
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up
from prefrl.preferences.config import QueryConfig
from prefrl.rewards.config import RewardConfig


def preset_config(
    preset: str, env_id: str, *, labels: int, steps: int | None = None, seed: int = 0, agent: str = "ppo"
) -> RlhfConfig:
    """The configuration of `preset` for an environment.

    Args:
        preset: a name in PRESETS.
        env_id: of the suite, or any other Gymnasium id.
        labels: comparisons to learn from; 0 for the true reward.
        steps: environment steps; None for those of the suite's row.
        agent: a name in AGENTS; all but ppo have settings in the default preset alone.

    Raises:
        PrefrlError: unknown preset or agent, or no steps given for an environment outside the suite.
    """
    entry = find(env_id)
    if steps is None and entry is not None:
        steps = entry.training_steps
    if steps is None:
        raise PrefrlError(f"{env_id} is not in the suite, so say for how long to train with `steps`, such as 1000000")
    settings, reward, query = _groups(preset, env_id, labels, agent)
    clip_steps = entry.clip_steps if entry else RlhfConfig.clip_steps
    two_clips_each = 2 * clip_steps * settings.num_envs
    initial_steps = min(max(steps // 32, two_clips_each), steps // 2, query.pool_steps)
    if not is_game(env_id):
        query = replace(query, round_steps=max(steps // 64, 1))
    return RlhfConfig(
        env_id=env_id, labels=labels, steps=steps, seed=seed, preset=preset,
        clip_steps=clip_steps, initial_steps=max(initial_steps, 1),
        agent=settings, reward=reward, query=query,
    )  # fmt: skip


def _groups(preset: str, env_id: str, labels: int, agent: str) -> tuple[AgentConfig, RewardConfig, QueryConfig]:
    """The settings of a preset, with those of the agent asked for."""
    make = agent_settings(agent)
    ppo, reward, query = look_up("preset", preset, PRESETS)(env_id, labels)
    if agent == "ppo":
        return ppo, reward, query
    if preset != "default":
        raise PrefrlError(f"preset {preset} has settings for ppo alone; use the default preset with {agent}")
    return make(gamma=_GAMMA.get(env_id, make.gamma)), reward, query


def usual_labels(env_id: str) -> int:
    """What Christiano et al. 2017 asked of a behaviour without a reward; else 700 for control, 5,500 for a game."""
    return _BEHAVIOURS.get(env_id, 5500 if is_game(env_id) else 700)


def is_game(env_id: str) -> bool:
    """Whether the suite says that this is an Atari game."""
    entry = find(env_id)
    return entry is not None and "atari" in entry.tags


Groups = tuple[PpoConfig, RewardConfig, QueryConfig]


def default(env_id: str, _: int) -> Groups:
    """One preset for the paper's MuJoCo tasks: only clip, horizon, steps and gamma differ. One for every game.

    A backflip has its own agent, and a reward model that is held back less.
    """
    if is_game(env_id):
        return _GAME_AGENT, _GAME_REWARD, _GAME_QUERY
    agent = replace(_AGENT, gamma=_GAMMA.get(env_id, 0.99))
    return _AGENTS.get(env_id, agent), _REWARDS.get(env_id, RewardConfig()), QueryConfig()


def wide(env_id: str, labels: int) -> Groups:
    """The default with 64 games side by side, for a GPU: a step of 64 takes it hardly longer than one of 16.

    Raises:
        PrefrlError: the environment is no game; a GPU does nothing for small networks.
    """
    if not is_game(env_id):
        raise PrefrlError(f"preset wide is for the suite's Atari games, not for {env_id}; use default")
    return _WIDE_GAME_AGENT, _GAME_REWARD, _GAME_QUERY


def paper2017(env_id: str, labels: int) -> Groups:
    """Christiano et al. 2017, appendix A, to the letter, with PPO for TRPO and A2C.

    The paper says nothing of the epochs of a later fit, of Adam, or of TRPO's batch; those are ours, and so is what
    PPO has and A2C has not.
    """
    if is_game(env_id):
        first = min(1.0, _PAPER_FIRST_LABELS / max(labels, 1))
        query = replace(_GAME_QUERY, initial_fraction=first, random_share=0.0)
        return _PAPER_GAME_AGENT, _PAPER_GAME_REWARD, query
    agent = PpoConfig(gamma=0.995, gae_lambda=0.97, ent_coef=0.001 if "Swimmer" in env_id else 0.01)
    return agent, RewardConfig(learning_rate=1e-3, batch_size=32, epochs=1, l2_low=1.1), QueryConfig(random_share=0.0)


def zoo(env_id: str, _: int) -> Groups:
    """rl-baselines3-zoo's tuned PPO; the reference for what RL on the true reward can reach."""
    if is_game(env_id):
        return _ZOO_GAME_AGENT, _GAME_REWARD, _GAME_QUERY
    return _ZOO.get(env_id.removeprefix("prefrl/"), _SB3), RewardConfig(), QueryConfig()


PRESETS: dict[str, Callable[[str, int], Groups]] = {
    "default": default,
    "wide": wide,
    "paper2017": paper2017,
    "zoo": zoo,
}

_BEHAVIOURS = {"prefrl/HopperBackflip-v0": 900, "prefrl/HalfCheetahOneLeg-v0": 800, "prefrl/EnduroLevel-v0": 1300}

# Short-horizon tasks need no long memory; Swimmer pays only for strokes that take hundreds of steps.
# docs/experiments.md has the figures.
_GAMMA = {
    "prefrl/Hopper-v0": 0.995,
    "prefrl/HalfCheetah-v0": 0.98,
    "prefrl/Swimmer-v0": 0.9999,
    "prefrl/Reacher-v0": 0.9,
}

_AGENT = PpoConfig(log_std_init=-1.0, ent_coef=0.01, averaging=0.9)

# A flip is far from anything that a hopper does at first, so that wide actions must come upon it; to land it takes
# narrow ones. docs/experiments.md has what each of these is worth.
_AGENTS = {
    "prefrl/HopperBackflip-v0": replace(
        _AGENT, num_envs=32, n_steps=128, batch_size=512, gamma=0.995, log_std_init=0.0,
        learning_rate_decay=1.0, ent_coef_decay=1.0,
        averaging=0.9**0.5,  # per 2,048 steps: 0.9 a rollout
    ),
}  # fmt: skip
# Weaker than elsewhere, as in all runs that flipped with clips of 30 steps; what it is worth alone was not tried.
_REWARDS = {"prefrl/HopperBackflip-v0": RewardConfig(l2_low=3.0, l2_high=4.0)}

_GAME_AGENT = PpoConfig(
    num_envs=16, n_steps=128, batch_size=256, n_epochs=4, learning_rate=5e-4, gamma=0.99, clip_range=0.1,
    ent_coef=0.01, net=(), averaging=0.9,
)  # fmt: skip
# Rollouts are as short as clips allow, so that they are no longer in all than those of the default.
_WIDE_GAME_AGENT = replace(_GAME_AGENT, num_envs=64, n_steps=32, batch_size=512)
# A comparison is 50 images to learn from for each member, as many as PPO learns from in 12 steps: so few passes, over
# a sample of the comparisons.
_GAME_REWARD = RewardConfig(
    hidden=(64,),
    learning_rate=1e-3,
    batch_size=16,
    l2=1e-3,
    initial_epochs=6,
    epochs=1,
    fit_sample=768,
    label_window=3000,
)
# The paper's rate, which halves after 5e6 frames: of 2e6 steps the first 5e5 have 40 % of the labels. A reward model
# that gets none while the agent still changes is soon wrong about it. The pool is the latest round.
_GAME_QUERY = QueryConfig(initial_fraction=0.1, schedule_constant=1.25e6, round_steps=16_384, pool_steps=16_384)

_PAPER_GAME_AGENT = replace(
    _GAME_AGENT, num_envs=16, learning_rate=7e-4, learning_rate_decay=1.0, clip_range=0.2, cnn="nature",
    averaging=0.0, scale_rewards=False,
)  # fmt: skip
_PAPER_GAME_REWARD = RewardConfig(
    network="paper_cnn", hidden=(64,), learning_rate=1e-3, batch_size=32, initial_epochs=200, epochs=1, l2_low=1.1,
    std=0.05, label_window=3000,
)  # fmt: skip
_PAPER_FIRST_LABELS = 500  # of a game, asked before training, whatever the budget

_SB3 = PpoConfig(num_envs=1, n_steps=2048, batch_size=64)

_ZOO_GAME_AGENT = PpoConfig(
    num_envs=8, n_steps=128, batch_size=256, n_epochs=4, learning_rate=2.5e-4, learning_rate_decay=1.0,
    clip_range=0.1, clip_range_decay=1.0, ent_coef=0.01, net=(), cnn="nature",
)  # fmt: skip


# The zoo's large network, and what goes with it.
_LARGE = PpoConfig(
    num_envs=1, n_steps=512, net=(256, 256), activation="relu", log_std_init=-2.0, ortho_init=False
)  # fmt: skip

# The zoo's batches of 64 and 512 for the pendulums are more than their rollouts hold: the whole rollout.
_ZOO = {
    "Hopper-v0": replace(
        _LARGE, batch_size=32, gamma=0.999, learning_rate=9.80828e-5, ent_coef=0.00229519, clip_range=0.2,
        n_epochs=5, gae_lambda=0.99, max_grad_norm=0.7, vf_coef=0.835671,
    ),
    "Walker2d-v0": replace(
        _LARGE, batch_size=32, gamma=0.99, learning_rate=5.05041e-5, ent_coef=0.000585045, clip_range=0.1,
        n_epochs=20, gae_lambda=0.95, max_grad_norm=1, vf_coef=0.871923,
    ),
    "HalfCheetah-v0": replace(
        _LARGE, batch_size=64, gamma=0.98, learning_rate=2.0633e-5, ent_coef=0.000401762, clip_range=0.1,
        n_epochs=20, gae_lambda=0.92, max_grad_norm=0.8, vf_coef=0.58096,
    ),
    "Reacher-v0": PpoConfig(
        num_envs=1, n_steps=512, batch_size=32, gamma=0.9, learning_rate=1.04019e-4, ent_coef=7.5e-8,
        clip_range=0.3, n_epochs=5, gae_lambda=1.0, max_grad_norm=0.9, vf_coef=0.950368,
    ),
    "InvertedPendulum-v0": PpoConfig(
        num_envs=1, n_steps=32, batch_size=32, gamma=0.999, learning_rate=2.22425e-4, ent_coef=1.4e-7,
        clip_range=0.4, n_epochs=5, gae_lambda=0.9, max_grad_norm=0.3, vf_coef=0.19816,
    ),
    "InvertedDoublePendulum-v0": PpoConfig(
        num_envs=1, n_steps=128, batch_size=128, gamma=0.98, learning_rate=1.55454e-4, ent_coef=1e-6,
        clip_range=0.4, n_epochs=10, gae_lambda=0.8, max_grad_norm=0.5, vf_coef=0.695929,
    ),
    "Swimmer-v0": PpoConfig(num_envs=1, n_steps=2048, batch_size=64, gamma=0.9999),
    "Ant-v0": _SB3,
}  # fmt: skip
