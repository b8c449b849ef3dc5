"""The suites' tables together, and the lookups by id."""

from __future__ import annotations

import difflib
import functools
import importlib
import os
import sys

import gymnasium as gym

from prefrl_envs import control, games
from prefrl_envs.errors import PrefrlError
from prefrl_envs.games import bare, roms, unknown_game
from prefrl_envs.task import Suite, TaskSpec

_NAMESPACE = "prefrl/"


def suites() -> tuple[Suite, ...]:
    """The suites that there are."""
    return control.SUITE, games.SUITE


def tasks() -> tuple[TaskSpec, ...]:
    """The rows that suites list."""
    return tuple(row for suite in suites() for row in suite.tasks)


@functools.cache
def _rows() -> dict[str, TaskSpec]:
    """Every row by its id, those listed first."""
    others = [row for suite in suites() for row in suite.others]
    return {row.id: row for row in (*tasks(), *others)}


def find(env_id: str) -> TaskSpec | None:
    """The row of this full id, of a task that is listed or of another, or None."""
    return _rows().get(env_id)


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
    row = next((row for row in _rows().values() if _short(row.id) == _short(env_id)), None)
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
        task = next((row.id for row in tasks() if _short(row.id) == _short(name)), None)
        if task is not None:
            raise PrefrlError(f"{name!r} is no game but a task of the suite: name {task} without --game")
        raise PrefrlError(unknown_game(name))
    return f"{_NAMESPACE}{names[_short(name)]}-v0"


def register_suite() -> None:
    """Registers every row with Gymnasium; once is enough, more does no harm."""
    for row in _rows().values():
        if row.id not in gym.registry:
            kwargs = dict(row.kwargs)
            gym.register(row.id, entry_point=row.entry_point, max_episode_steps=row.horizon, kwargs=kwargs)


def render_without_display() -> None:
    """Lets MuJoCo draw on a Linux machine that has no display: it does not fall back to EGL by itself.

    Works only before mujoco is imported. Elsewhere EGL does not exist, and asking for it raises.
    """
    chosen = any(name in os.environ for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not chosen:
        os.environ["MUJOCO_GL"] = "egl"


def _short(env_id: str) -> str:
    """What names are compared by: "prefrl/SpaceInvaders-v0" and "space_invaders" are "spaceinvaders"."""
    return env_id.lower().removeprefix(_NAMESPACE).removesuffix("-v0").replace("_", "")


def _import(module: str, name: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise PrefrlError(f"cannot import {module!r} for environment {name!r}: {error}") from error


def _unknown(name: str) -> str:
    """One line: what was given, what was near, what there is."""
    rows = {_short(row.id): row.id for row in _rows().values()}
    near = [rows[short] for said in (_short(name), bare(name)) for short in difflib.get_close_matches(said, rows, n=1)]
    near = near or difflib.get_close_matches(name, list(gym.registry), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown environment {name!r}.{hint} Known: {', '.join(row.id for row in tasks())}, and ALE's other games"
