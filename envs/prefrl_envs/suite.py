"""The suite as a table: one row per environment, and the lookups by id."""

from __future__ import annotations

import difflib
import functools
import importlib
import os
import sys
from dataclasses import dataclass

import gymnasium as gym

from prefrl_envs.errors import PrefrlError
from prefrl_envs.games import bare, roms, unknown_game

_NAMESPACE = "prefrl/"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One environment of the suite.

    Attributes:
        id: Gymnasium id.
        entry_point: "module:name" of what makes it; imported when an environment is made, not before.
        horizon: steps of every episode: none is shorter, because a length that varies leaks the task.
        clip_steps: steps of the clip that a person compares, 1 to 1.5 s at `fps`.
        fps: steps shown per second; where it follows the 2017 paper it is not the simulator's.
        training_steps: environment steps that a run takes by default, over all parallel environments.
        true_reward: one line saying what it is.
        tags: groups it belongs to.
        measure: "module:name" of what counts how well a behaviour is done; see `prefrl_envs.measures`.
        game: the Atari game that it is played in, as `prefrl_envs.games` calls it.
    """

    id: str
    entry_point: str
    horizon: int
    clip_steps: int
    fps: int
    training_steps: int
    true_reward: str
    tags: tuple[str, ...] = ()
    measure: str | None = None
    game: str | None = None

    @property
    def scored(self) -> bool:
        """Whether the true reward is the score of an Atari game."""
        return self.game is not None and "behaviour" not in self.tags


def _atari(game: str, tags: tuple[str, ...] = ("atari",), steps: int = 10_000_000) -> Entry:
    """A row for an Atari game.

    Horizon: games run on across it, so it only says how often returns are counted. 1,000 steps are 67 s of play, ten
    times the memory of a discount of 0.99. Clips and fps are the paper's.
    """
    return Entry(
        id=f"{_NAMESPACE}{game}-v0", entry_point="prefrl_envs.atari:AtariGame", game=game,
        tags=tags, horizon=1000, clip_steps=25, fps=15, training_steps=steps,
        true_reward="change of the score",
    )  # fmt: skip


# Rewards, horizons, clip steps and fps of the paper's tasks: Christiano et al. 2017, its authors' release.
SUITE: tuple[Entry, ...] = (
    Entry(
        id="prefrl/Hopper-v0", entry_point="prefrl_envs.mujoco:hopper",
        tags=("mujoco", "paper"), horizon=1000, clip_steps=60, fps=40, training_steps=1_000_000,
        true_reward="forward speed + 1 + (torso height - 1)",
    ),
    Entry(
        id="prefrl/Walker2d-v0", entry_point="prefrl_envs.mujoco:walker2d",
        tags=("mujoco", "paper"), horizon=1000, clip_steps=45, fps=30, training_steps=1_000_000,
        true_reward="forward speed + 1 + (torso height - 2)",
    ),
    Entry(
        id="prefrl/Swimmer-v0", entry_point="prefrl_envs.mujoco:swimmer",
        tags=("mujoco", "paper"), horizon=1000, clip_steps=60, fps=40, training_steps=1_000_000,
        true_reward="forward speed",
    ),
    Entry(
        id="prefrl/HalfCheetah-v0", entry_point="prefrl_envs.mujoco:half_cheetah",
        tags=("mujoco", "paper"), horizon=1000, clip_steps=30, fps=20, training_steps=1_000_000,
        true_reward="forward speed",
    ),
    Entry(
        id="prefrl/Ant-v0", entry_point="prefrl_envs.mujoco:ant",
        tags=("mujoco", "paper"), horizon=1000, clip_steps=30, fps=20, training_steps=1_000_000,
        true_reward="forward speed + (torso height - 1.2)",
    ),
    Entry(
        id="prefrl/Reacher-v0", entry_point="prefrl_envs.mujoco:reacher",
        tags=("mujoco", "paper"), horizon=50, clip_steps=15, fps=10, training_steps=500_000,
        true_reward="minus the distance from the fingertip to the target",
    ),
    Entry(
        id="prefrl/InvertedPendulum-v0", entry_point="prefrl_envs.mujoco:inverted_pendulum",
        tags=("mujoco", "paper"), horizon=25, clip_steps=15, fps=10, training_steps=200_000,
        true_reward="1 - angle^2",
    ),
    Entry(
        id="prefrl/InvertedDoublePendulum-v0", entry_point="prefrl_envs.mujoco:inverted_double_pendulum",
        tags=("mujoco", "paper"), horizon=50, clip_steps=15, fps=10, training_steps=200_000,
        true_reward="10 - penalties for distance from upright and for speed + 10 (tip height - 1)",
    ),
    Entry(
        id="prefrl/HopperBackflip-v0", entry_point="prefrl_envs.mujoco:hopper_backflip",
        tags=("mujoco", "behaviour"), horizon=250, clip_steps=30, fps=30, training_steps=2_000_000,
        true_reward="returned as 0; the oracle sees backward spin times height, less what is near the ground",
        measure="prefrl_envs.measures:rotations",
    ),
    Entry(
        id="prefrl/HalfCheetahOneLeg-v0", entry_point="prefrl_envs.mujoco:half_cheetah_one_leg",
        tags=("mujoco", "behaviour"), horizon=1000, clip_steps=30, fps=20, training_steps=1_000_000,
        true_reward="returned as 0; the oracle sees 1 + speed / 4 while only the rear leg can carry it, else -2",
        measure="prefrl_envs.measures:one_leg",
    ),
    Entry(
        id="prefrl/Pendulum-v0", entry_point="prefrl_envs.classic:pendulum",
        tags=("classic",), horizon=200, clip_steps=30, fps=20, training_steps=200_000,
        true_reward="-(angle from upright^2 + 0.1 angular speed^2 + 0.001 torque^2)",
    ),
    Entry(
        id="prefrl/CartPole-v0", entry_point="prefrl_envs.classic:cart_pole",
        tags=("classic",), horizon=200, clip_steps=45, fps=30, training_steps=100_000,
        true_reward="1 until the pole falls or the cart leaves the track, then 0",
    ),
    Entry(
        id="prefrl/MountainCarContinuous-v0", entry_point="prefrl_envs.classic:mountain_car_continuous",
        tags=("classic",), horizon=400, clip_steps=45, fps=30, training_steps=300_000,
        true_reward="100 on reaching the flag, minus 0.1 force^2 at every step before",
    ),
    Entry(
        id="prefrl/Acrobot-v0", entry_point="prefrl_envs.classic:acrobot",
        tags=("classic",), horizon=500, clip_steps=30, fps=20, training_steps=200_000,
        true_reward="-1 until the tip has swung above the line, then 0",
    ),
    Entry(
        id="prefrl/PointGoal-v0", entry_point="prefrl_envs.toy:PointGoal",
        tags=("toy",), horizon=50, clip_steps=25, fps=25, training_steps=50_000,
        true_reward="minus the larger of the two coordinate distances to the goal",
    ),
    Entry(
        id="prefrl/ChainWalk-v0", entry_point="prefrl_envs.toy:ChainWalk",
        tags=("toy",), horizon=40, clip_steps=10, fps=10, training_steps=20_000,
        true_reward="how far along the chain, from 0 to 1",
    ),
    Entry(
        id="prefrl/PixelGoal-v0", entry_point="prefrl_envs.toy:PixelGoal",
        tags=("toy", "image"), horizon=25, clip_steps=10, fps=10, training_steps=50_000,
        true_reward="minus the number of moves to the goal",
    ),
    Entry(
        id="prefrl/TwoDials-v0", entry_point="prefrl_envs.toy:TwoDials",
        tags=("toy", "dict"), horizon=20, clip_steps=10, fps=10, training_steps=50_000,
        true_reward="minus the mean number of notches between the dials and their targets",
    ),
    _atari("BeamRider", ("atari", "paper")),
    _atari("Breakout", ("atari", "paper")),
    _atari("Enduro", ("atari", "paper")),
    _atari("Pong", ("atari", "paper"), steps=2_000_000),  # won after a fifth of what the others take
    _atari("Qbert", ("atari", "paper")),
    _atari("Seaquest", ("atari", "paper")),
    _atari("SpaceInvaders", ("atari", "paper")),
    Entry(
        id="prefrl/EnduroLevel-v0", entry_point="prefrl_envs.enduro:EnduroLevel", game="Enduro",
        tags=("atari", "behaviour"), horizon=1000, clip_steps=25, fps=15, training_steps=1_000_000,
        true_reward="returned as 0; the oracle sees how near its speed is to the others', half if no car is alongside",
    ),
)  # fmt: skip


@functools.cache
def other_games() -> tuple[Entry, ...]:
    """A row for each of ALE's games that the table does not have."""
    listed = {row.game for row in SUITE if row.scored}
    return tuple(_atari(game) for game in roms() if game not in listed)


def find(env_id: str) -> Entry | None:
    """The suite's row of this full id, other Atari games included, or None."""
    return next((row for row in SUITE + other_games() if row.id == env_id), None)


def entry(env_id: str) -> Entry:
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
    row = next((row for row in SUITE + other_games() if _short(row.id) == _short(env_id)), None)
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
    games = {_short(game): game for game in roms()}
    if _short(name) not in games:
        task = next((row.id for row in SUITE if _short(row.id) == _short(name)), None)
        if task is not None:
            raise PrefrlError(f"{name!r} is no game but a task of the suite: name {task} without --game")
        raise PrefrlError(unknown_game(name))
    return f"{_NAMESPACE}{games[_short(name)]}-v0"


def register_suite() -> None:
    """Registers every row and every other Atari game with Gymnasium; once is enough, more does no harm."""
    for row in SUITE + other_games():
        if row.id not in gym.registry:
            options = {"game": row.game} if row.game else {}
            gym.register(row.id, entry_point=row.entry_point, max_episode_steps=row.horizon, kwargs=options)


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
    rows = {_short(row.id): row.id for row in SUITE + other_games()}
    near = [rows[short] for said in (_short(name), bare(name)) for short in difflib.get_close_matches(said, rows, n=1)]
    near = near or difflib.get_close_matches(name, list(gym.registry), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown environment {name!r}.{hint} Known: {', '.join(row.id for row in SUITE)}, and ALE's other games"
