"""The settings of `prefrl train`: what the user typed, over the defaults of the environment and the preset."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import tyro
from prefrl_envs.suite import canonical_id, game_id

from prefrl.agents.config import PpoConfig
from prefrl.agents.registry import AGENTS, agent_settings
from prefrl.cli.parsing import parse
from prefrl.config import RlhfConfig, with_settings
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up
from prefrl.presets import preset_config, usual_labels

HELP = ("-h", "--help")
HELP_ALL = "--help-all"
BASICS = {
    "env_id", "labels", "steps", "seed", "preset", "labeler", "horizon", "threads", "device", "game", "out",
}  # fmt: skip
"""The options that --help shows: those that a beginner sets."""

PARTS = ("agent", "reward", "query", "oracle", "atari")
OLD_NAMES = {
    "reward_lr": "reward.learning_rate",
    "fit_batch": "reward.batch_size",
    "reward_std": "reward.std",
    "mistake": "oracle.mistakes",
}
"""Options of version 0.1 that have another name, not only a part's name before theirs."""

_NOT_GIVEN = -1  # labels or steps, whose number the environment decides


@dataclass(frozen=True, kw_only=True)
class TrainCommand(RlhfConfig):
    """Trains an agent from comparisons, or on the true reward with --labels 0.

    The agent is PPO; --agent sac trains SAC. Defaults depend on the environment and the preset: `prefrl train Pong
    --help` shows those of Pong, and `prefrl train Pong --help-all` all other options.
    """

    env_id: tyro.conf.Positional[str]  # in the suite (`prefrl envs`), or any Gymnasium id with --horizon
    # comparisons to learn from; 0 trains on the true reward
    labels: Annotated[int, tyro.conf.arg(help_behavior_hint="(default: 700; of a game 5500)")]
    # environment steps, over all parallel environments
    steps: Annotated[int, tyro.conf.arg(help_behavior_hint="(default: those of `prefrl envs`)")]
    seed: int = 0  # of everything that is drawn
    game: str | None = None  # in its place any Atari game of ALE, such as Asterix
    out: Path | None = None  # the run's folder; runs/<env>-<variant>-<labels>-seed-<seed> where not given

    def __post_init__(self) -> None:
        """Checks nothing: `config` does, once the defaults are known."""

    def config(self) -> RlhfConfig:
        """The settings without those of the command line alone.

        Raises:
            PrefrlError: they cannot work.
        """
        return RlhfConfig(**{field.name: getattr(self, field.name) for field in dataclasses.fields(RlhfConfig)})

    def environment(self) -> str:
        """The full id of what to train in.

        Raises:
            PrefrlError: neither an environment nor a game was given, or both, or an unknown one.
        """
        if self.env_id and self.game:
            raise PrefrlError(f"{self.env_id} and --game {self.game} are two environments; give one of them")
        if not self.env_id and not self.game:
            raise PrefrlError("an environment is required, one that `prefrl envs` lists, or else --game NAME")
        return game_id(self.game) if self.game else canonical_id(self.env_id)

    def folder(self) -> Path:
        """The run's folder."""
        name = self.env_id.removeprefix("prefrl/").removesuffix("-v0").replace("/", "-").replace(":", "-")
        agent = self.agent.name
        variant = self.variant or (self.preset if agent == PpoConfig.name else f"{self.preset}-{agent}")
        return self.out or Path("runs") / f"{name}-{variant}-{self.labels}-seed-{self.seed}"


def settings(args: Sequence[str]) -> TrainCommand:
    """The settings that the user typed, over the defaults of the environment, the preset and the labeler.

    Raises:
        PrefrlError: an option or an environment that does not exist, or settings that cannot work.
    """
    agent, args = _take_agent(args)
    _refuse_old_names(args, agent)
    typed = _parse(_command(agent), args, _nothing_typed(agent))
    env_id = typed.environment()
    config = preset_config(
        typed.preset,
        env_id,
        labels=usual_labels(env_id) if typed.labels == _NOT_GIVEN else typed.labels,
        steps=None if typed.steps == _NOT_GIVEN else typed.steps,
        seed=typed.seed,
        agent=agent,
    )
    if typed.labeler == "human":
        config = sooner(config)
    names = set(_options(args)) - {"labels", "steps", "game", "out"}
    config = with_settings(config, {name: attrgetter(name)(typed) for name in names})
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return TrainCommand(**values, out=typed.out)


def show_help(args: Sequence[str]) -> None:
    """Prints the basic options, or with --help-all all of them, with the defaults of what else was typed.

    Raises:
        PrefrlError: unknown agent.
    """
    agent, others = _take_agent(args)
    typed = [arg for arg in args if arg not in (*HELP, HELP_ALL)]
    try:
        defaults = settings(typed)
    except PrefrlError:  # help is there for what cannot be trained, too
        defaults = _nothing_typed(agent)
    command = _command(agent, hidden=() if HELP_ALL in others else _advanced())
    _parse(command, ["--help"], defaults)


def names_of_settings() -> set[str]:
    """The names of all settings of a run, such as "steps" and "agent.n_steps"."""
    names = {field.name for field in dataclasses.fields(TrainCommand)}
    for agent in AGENTS:
        nothing = _nothing_typed(agent)
        for part in PARTS:
            names |= {f"{part}.{field.name}" for field in dataclasses.fields(getattr(nothing, part))}
    return names


def sooner(config: RlhfConfig) -> RlhfConfig:
    """The same with few steps before learning: until they are done, a person has nothing to compare."""
    return dataclasses.replace(config, initial_steps=min(config.initial_steps, RlhfConfig.initial_steps))


def _take_agent(args: Sequence[str]) -> tuple[str, list[str]]:
    """The agent's name, which decides what options there are, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--agent", default=PpoConfig.name)
    try:
        found, others = parser.parse_known_args(list(args))
    except argparse.ArgumentError as error:
        raise PrefrlError(f"--agent needs a name: {' or '.join(AGENTS)}") from error
    look_up("agent", found.agent, AGENTS)
    return found.agent, others


def _parse(command: type[TrainCommand], args: Sequence[str], defaults: TrainCommand) -> TrainCommand:
    values = {field.name: getattr(defaults, field.name) for field in dataclasses.fields(defaults)}
    types = get_type_hints(command)
    for part in PARTS:
        values[part] = types[part](**vars(values[part]))  # tyro needs a default of the very type
    typed: TrainCommand = parse(command, "train", args, default=command(**values))
    return typed


def _command(agent: str, hidden: Iterable[str] = ()) -> type[TrainCommand]:
    """The command's type for an agent. Its parts are checked later, by their own types and with all defaults known."""
    types: dict[str, Any] = get_type_hints(TrainCommand, include_extras=True)
    types["agent"] = agent_settings(agent)
    for part in PARTS:
        types[part] = _unchecked(types[part])
    for name in hidden:
        types[name] = Annotated[types[name], tyro.conf.Suppress]
    return _subclass(TrainCommand, __annotations__=types)


def _unchecked(kind: type) -> type:
    return _subclass(kind, __post_init__=lambda self: None)


def _subclass(kind: type, **members: Any) -> type:
    """A dataclass with other members; tyro finds the comments on its fields where `kind` is."""
    made = type(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **members})
    return dataclass(frozen=True, kw_only=True)(made)


def _advanced() -> list[str]:
    return [field.name for field in dataclasses.fields(TrainCommand) if field.name not in BASICS]


def _nothing_typed(agent: str) -> TrainCommand:
    return TrainCommand(env_id="", labels=_NOT_GIVEN, steps=_NOT_GIVEN, agent=agent_settings(agent)())


def _options(args: Iterable[str]) -> Iterable[str]:
    """Names of the settings that were typed, such as "steps" and "agent.n_steps"."""
    for arg in args:
        if arg.startswith("--"):
            name = arg.removeprefix("--").partition("=")[0].replace("-", "_")
            yield name.replace(".no_", ".")


def _refuse_old_names(args: Iterable[str], agent: str) -> None:
    """Answers an option of version 0.1 with its name.

    Raises:
        PrefrlError: one was typed.
    """
    nothing = _nothing_typed(agent)
    new_names = {}
    for part in reversed(PARTS):
        for field in dataclasses.fields(getattr(nothing, part)):
            new_names[field.name] = f"{part}.{field.name}"
    new_names |= OLD_NAMES
    for name in _options(args):
        new = new_names.get(name.removeprefix("no_"))
        if new is not None and not hasattr(nothing, name):
            raise PrefrlError(f"unknown option {_flag(name)}. Did you mean {_flag(new)}?")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
