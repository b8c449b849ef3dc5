"""A run's settings: those of its own, and those of its parts. Presets give per-environment values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prefrl_envs.games import AtariOptions
from prefrl_envs.task import OnEnd, TaskConfig
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from prefrl.agents.config import AgentConfig, PpoConfig
from prefrl.agents.registry import agent_settings
from prefrl.core.errors import PrefrlError
from prefrl.core.settings import Precision, build, check_seed, require, require_at_least, to_plain
from prefrl.labelers.config import OracleConfig
from prefrl.preferences.config import QueryConfig
from prefrl.rewards.config import RewardConfig, with_new_names


@dataclass(frozen=True, kw_only=True)
class RlhfConfig:
    """One run: an agent trained from comparisons, or on the true reward where labels is 0."""

    env_id: str
    labels: int  # comparisons to learn from; 0 trains on the true reward
    steps: int  # environment steps, over all parallel environments
    seed: int  # of everything that is drawn
    preset: str = "default"  # default, wide, paper2017 or zoo: where the other settings come from
    study: str = "runs"  # what the run belongs to; results/<study>/... holds committed ones
    variant: str | None = None  # its name within the study; None for the preset's
    horizon: int | None = None  # steps per episode; needed outside the suite
    on_end: OnEnd = "absorb"  # how an episode that ends early goes on until the horizon
    clip_steps: int = 50  # steps per segment
    initial_steps: int = 16_384  # steps before learning, that the first labels are about; they count as steps
    checkpoint_steps: int = 100_000  # steps between two checkpoints
    eval_episodes: int = 20  # fresh episodes of the final policy behind the summary's return
    labeler: str = "oracle"  # who compares: oracle, human (prefrl label, prefrl serve), or module:function
    pace: Literal["wait", "go"] = "wait"  # whether the agent waits for people's labels that are due, or goes on
    question: str | None = None  # that people are asked about two clips; None for "Which is better?"
    overlap: float = 0.0  # share of the pairs that two people are asked about, to see whether they agree
    store: str | None = None  # a database's URL, without a password; None for a file in the run's folder
    device: str = "auto"  # auto, cpu, cuda or mps
    precision: Literal["auto"] | Precision = "auto"  # of networks for images; auto: bf16 where the processor has it
    threads: int = 2  # CPU threads that step MuJoCo tasks, of networks that read images, and processes that play games
    agent: AgentConfig = field(default_factory=PpoConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    query: QueryConfig = field(default_factory=QueryConfig)
    oracle: OracleConfig = field(default_factory=OracleConfig)
    atari: AtariOptions = field(default_factory=AtariOptions)

    def __post_init__(self) -> None:
        self._check_labeling()
        check_seed(self.seed)
        require_at_least(
            1, self, "steps", "threads", "eval_episodes", "checkpoint_steps", "clip_steps", "initial_steps"
        )
        self._check_lengths()

    @property
    def task(self) -> TaskConfig:
        """The environment, as this run makes it."""
        options = None if self.atari == AtariOptions() else self.atari
        return TaskConfig(self.env_id, self.horizon, self.on_end, options)

    @property
    def initial_labels(self) -> int:
        """Labels asked about what is done before learning, at least 2 where there are any."""
        return min(self.labels, max(2, round(self.query.initial_fraction * self.labels))) if self.labels else 0

    @property
    def steps_before_learning(self) -> int:
        """Steps before learning; a run on the true reward has none."""
        return self.initial_steps if self.labels else 0

    def _check_labeling(self) -> None:
        """Checks who is asked how much, and where the answers go."""
        require(
            self.labels == 0 or self.labels >= 2,
            f"labels must be 0 (train on the true reward) or at least 2, got {self.labels}",
        )
        who = "people have" if self.labeler == "human" else f"{self.labeler} has"
        require(self.labeler == "oracle" or self.labels > 0, f"{who} nothing to label with `labels` 0; give a number")
        require(0 <= self.overlap <= 1, f"overlap is a share, got {self.overlap}")
        require(
            not _has_password(self.store),
            "the store's URL holds a password, and config.json would keep it; leave it out: PGPASSWORD or ~/.pgpass "
            "gives it to PostgreSQL",
        )

    def _check_lengths(self) -> None:
        """Checks that clips fit into episodes, and what comes before learning into the run."""
        require(
            self.horizon is None or self.horizon >= (self.clip_steps if self.labels else 1),
            f"an episode of {self.horizon} steps is shorter than a clip of {self.clip_steps}; "
            "raise `horizon` or lower `clip_steps`",
        )
        first = self.steps_before_learning
        require(
            self.steps > first,
            f"{self.steps} steps are too few: {first} already go to what comes before learning; "
            "raise `steps` or lower `initial_steps`",
        )
        reset_step = self.agent.reset_step
        require(
            reset_step is None or first <= reset_step < self.steps,
            f"reset_step must lie after the {first} steps before learning and before the end at {self.steps}, "
            f"got {reset_step}",
        )


def _has_password(location: str | None) -> bool:
    """Whether a database's URL has a password; a path has none."""
    if location is None or "://" not in location:
        return False
    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:  # a port that is no number is a ValueError
        raise PrefrlError("cannot read the store's URL; postgresql+psycopg://USER@HOST/NAME is one") from error
    return bool(url.password or {"password", "sslpassword"} & set(url.query))


def with_settings(config: RlhfConfig, settings: Mapping[str, Any]) -> RlhfConfig:
    """The same with other values of some settings, by their path: {"threads": 1, "agent.n_steps": 64}.

    Raises:
        PrefrlError: a setting that does not exist, or values that cannot work.
    """
    changes: dict[str, Any] = {}
    of_parts: dict[str, dict[str, Any]] = {}
    for path, value in settings.items():
        part, _, name = path.rpartition(".")
        owner = getattr(config, part, None) if part else config
        known = [field.name for field in dataclasses.fields(owner)] if dataclasses.is_dataclass(owner) else []
        require(name in known, f"unknown setting {path!r}; known there: {', '.join(known) or 'nothing'}")
        (of_parts.setdefault(part, {}) if part else changes)[name] = value
    for part, values in of_parts.items():
        changes[part] = dataclasses.replace(getattr(config, part), **values)
    return dataclasses.replace(config, **changes)


def to_json(config: RlhfConfig) -> dict[str, Any]:
    """Plain values, nested as the settings are; infinities as strings, which JSON has no number for."""
    values = dataclasses.asdict(config)
    values["agent"] = {"name": config.agent.name} | values["agent"]
    plain: dict[str, Any] = to_plain(values)
    return plain


def from_json(values: Mapping[str, Any]) -> RlhfConfig:
    """The inverse of `to_json`; reads what older versions wrote, too.

    Raises:
        PrefrlError: a setting that is not known, or a value that does not fit.
    """
    values = _with_new_names(values)
    groups = {"reward": RewardConfig, "query": QueryConfig, "oracle": OracleConfig, "atari": AtariOptions}
    parts = {name: build(group, values.get(name, {})) for name, group in groups.items()}
    parts["agent"] = _agent_from_json(values.get("agent", {}))
    return build(RlhfConfig, {**values, **parts})


def _with_new_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that version 0.1 had elsewhere, or by another name, where and how they are named here."""
    renamed = dict(values)
    query, oracle = dict(values.get("query", {})), dict(values.get("oracle", {}))
    for name in ("clip_steps", "initial_steps"):
        if name in query:
            renamed[name] = query.pop(name)
    if "mistake" in oracle:
        oracle["mistakes"] = oracle.pop("mistake")
    return renamed | {"query": query, "oracle": oracle, "reward": with_new_names(values.get("reward", {}))}


def _agent_from_json(values: Mapping[str, Any]) -> AgentConfig:
    """The settings of an agent, by its `name`; version 0.1 knows PPO alone, and does not name it."""
    settings = {key: value for key, value in values.items() if key != "name"}
    agent: AgentConfig = build(agent_settings(values.get("name", PpoConfig.name)), settings)
    if "name" in values:
        return agent
    # It was a share per rollout, however long.
    return dataclasses.replace(agent, averaging=agent.averaging ** (2048 / (agent.num_envs * agent.n_steps)))
