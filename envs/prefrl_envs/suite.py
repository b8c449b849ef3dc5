"""The suites' tables together, and the lookups by id."""

from __future__ import annotations

import difflib
import functools
import importlib
import os
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import gymnasium as gym

from prefrl_envs.errors import PrefrlError
from prefrl_envs.games import bare, roms, unknown_game
from prefrl_envs.task import Suite, TaskSpec

_NAMESPACE = "prefrl/"


GROUP = "prefrl.suites"
OURS = ("prefrl_envs.control:SUITE", "prefrl_envs.games:SUITE")  # loaded first: no other suite takes their names


class Suites:
    """The suites that installed packages offer at the entry points of `GROUP`, each loaded once.

    Args:
        points: of the group.

    Attributes:
        rows: every row by its id.
        names: the same by what `_short` makes of its id, with and without the id's namespace.
        problems: one line for each suite that cannot be used.

    Raises:
        ImportError: our own are not among them.
    """

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._waiting = sorted(points, key=_place)
        if [point.value for point in self._waiting[: len(OURS)]] != list(OURS):
            raise ImportError(
                f"the entry points {GROUP} of prefrl are not installed; install it again, "
                "a checkout by `make install` or `pip install -e .`"
            )
        self._loaded: list[Suite] = []
        self.rows: dict[str, TaskSpec] = {}
        self.names: dict[str, TaskSpec] = {}
        self.problems: list[str] = []

    def load(self) -> tuple[Suite, ...]:
        """Loads suites that are not loaded yet, registers their rows with Gymnasium, and returns all.

        A module that is being imported itself, and has imported this package, has no suite yet: the next call loads it.
        """
        while ready := [point for point in self._waiting if not _is_being_imported(point.module)]:
            self._waiting.remove(ready[0])
            self._load(ready[0])
        return tuple(self._loaded)

    def _load(self, point: EntryPoint) -> None:
        try:
            self._add(point.load())
        except Exception as error:
            if point.value in OURS:
                raise
            package = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
            reason = str(error).partition("\n")[0]
            self.problems.append(f"the suite {point.name!r}{package} cannot be used: {type(error).__name__}: {reason}")

    def _add(self, suite: Any) -> None:
        if not isinstance(suite, Suite):
            raise TypeError(f"it is of type {type(suite).__name__}, and not a prefrl_envs.Suite")
        rows = {row.id: row for row in (*suite.tasks, *suite.others)}
        if taken := sorted(set(rows) & set(self.rows)):
            raise PrefrlError(f"another suite has {taken[0]}")
        for row in rows.values():
            if row.id not in gym.registry:
                kwargs = dict(row.kwargs)
                gym.register(row.id, entry_point=row.entry_point, max_episode_steps=row.horizon, kwargs=kwargs)
        self._loaded.append(suite)
        self.rows |= rows
        for row in rows.values():
            for name in (row.id, row.id.rpartition("/")[2]):
                self.names.setdefault(_short(name), row)


def _place(point: EntryPoint) -> tuple[int, str]:
    """Sort key of a suite: ours first, others by their names."""
    return (OURS.index(point.value), "") if point.value in OURS else (len(OURS), point.name)


def _is_being_imported(module: str) -> bool:
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return getattr(spec, "_initializing", False)  # as Python's own import asks it


@functools.cache
def _installed() -> Suites:
    return Suites(entry_points(group=GROUP))


def _table() -> Suites:
    """All suites, loaded as far as they can be."""
    installed = _installed()
    installed.load()
    return installed


def tasks() -> tuple[TaskSpec, ...]:
    """The rows that suites list."""
    return tuple(row for suite in _installed().load() for row in suite.tasks)


def problems() -> tuple[str, ...]:
    """A line for each suite of an installed package that cannot be used."""
    return tuple(_table().problems)


def find(env_id: str) -> TaskSpec | None:
    """The row of this full id, of a task that is listed or of another, or None."""
    return _table().rows.get(env_id)


def entry(env_id: str) -> TaskSpec:
    """The suite's row of this full id.

    Raises:
        PrefrlError: the suite has none; says which id is near and which there are.
    """
    row = find(env_id)
    if row is None:
        raise PrefrlError(_unknown(env_id))
    return row


def canonical_id(name: str) -> str:
    """The full id that a name stands for.

    A short name is one of the suite's: "hopper" and "Hopper-v0" are "prefrl/Hopper-v0", and so is
    "prefrl_envs:prefrl/Hopper-v0"; "Pong-v0" is not ALE's game of that id, which shows its score. Any other registered
    id is returned as it is, and so is "module:id", after importing the module: another process, which has not imported
    it, can do the same.

    Raises:
        PrefrlError: nothing of that name is registered.
    """
    module, _, env_id = name.rpartition(":")
    if module:
        _import(module, name)
    row = _table().names.get(_short(env_id))
    if row is not None and (env_id == row.id or not module):
        return row.id
    if env_id in gym.registry:
        return name if module else env_id
    if row is None:
        raise PrefrlError(_unknown(name))
    return row.id


def game_id(name: str) -> str:
    """The full id of an Atari game: "Pong", "pong", "space_invaders" and "prefrl/Pong-v0" all have one.

    Raises:
        PrefrlError: ALE has no such game; says which are near.
    """
    names = {_short(game): game for game in roms()}
    if _short(name) not in names:
        task = _table().names.get(_short(name))
        if task is not None:
            raise PrefrlError(f"{name!r} is no game but a task of the suite: name {task.id} without `game`")
        raise PrefrlError(unknown_game(name))
    return f"{_NAMESPACE}{names[_short(name)]}-v0"


def register_suites() -> None:
    """Registers every row with Gymnasium; once is enough, more does no harm."""
    _table()


def render_without_display() -> None:
    """Lets MuJoCo draw on a Linux machine that has no display: it does not fall back to EGL by itself.

    Works only before mujoco is imported. Elsewhere EGL does not exist, and asking for it raises.
    """
    chosen = any(name in os.environ for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not chosen:
        os.environ["MUJOCO_GL"] = "egl"


def _short(env_id: str) -> str:
    """Normalizes a name for comparison: "prefrl/SpaceInvaders-v0" and "space_invaders" are "spaceinvaders"."""
    return env_id.lower().removeprefix(_NAMESPACE).removesuffix("-v0").replace("_", "")


def _import(module: str, name: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise PrefrlError(f"cannot import {module!r} for environment {name!r}: {error}") from error


def _unknown(name: str) -> str:
    """One line: what was given, what was near, what there is, and which suites are missing."""
    names = {short: row.id for short, row in _table().names.items()}
    near = [
        names[short] for said in (_short(name), bare(name)) for short in difflib.get_close_matches(said, names, n=1)
    ]
    near = near or difflib.get_close_matches(name, list(gym.registry), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    known = f"Known: {', '.join(row.id for row in tasks())}, and ALE's other games"
    return "; ".join([f"unknown environment {name!r}.{hint} {known}", *problems()])
