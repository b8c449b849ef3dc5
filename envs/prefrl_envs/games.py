"""The suite `atari`: what games are called, where a screen tells the score, what an end costs, how each is learned."""

from __future__ import annotations

import difflib
import functools
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import gymnasium as gym

from prefrl_envs.errors import PrefrlError
from prefrl_envs.task import Defaults, Suite, TaskConfig, TaskSpec


class Box(NamedTuple):
    """A part of the console's screen, in pixels; `bottom` and `right` are the first outside.

    Attributes:
        color: what is hidden where something else can be there too: pixels of this color alone. None: all pixels.
    """

    top: int
    bottom: int
    left: int
    right: int
    color: tuple[int, int, int] | None = None


# What is painted over before anything is derived from a frame. "paper" is Christiano et al. 2017. "default" hides the
# lives, sectors and days as well, and digits that the paper's boxes leave out: thousands in Seaquest, a column of
# Q*bert's last digit. benchmarks/atari_masks.py writes other numbers into the console's memory and sees no difference,
# but for Seaquest's thousands under the paper's boxes. Q*bert's box has room for five lives; Space Invaders' number of
# lives stands where the cannon drives.
SCORE_BOXES: dict[str, dict[str, tuple[Box, ...]]] = {
    "paper": {
        "BeamRider": (Box(5, 20, 45, 120), Box(28, 40, 15, 40)),
        "Breakout": (Box(0, 16, 35, 80),),
        "Enduro": (Box(163, 173, 55, 110), Box(177, 188, 68, 107)),
        "Pong": (Box(0, 24, 0, 160),),
        "Qbert": (Box(6, 15, 33, 71),),
        "Seaquest": (Box(7, 19, 80, 110),),
        "SpaceInvaders": (Box(10, 20, 0, 160),),
    },
    "default": {
        "BeamRider": (Box(5, 31, 45, 120), Box(28, 41, 15, 40), Box(181, 192, 30, 150)),
        "Breakout": (Box(0, 17, 0, 160),),
        "Enduro": (Box(163, 174, 55, 110), Box(177, 189, 55, 110)),
        "Pong": (Box(0, 24, 0, 160),),
        "Qbert": (Box(4, 29, 28, 74),),
        "Seaquest": (Box(7, 32, 50, 140),),
        "SpaceInvaders": (Box(8, 22, 0, 160), Box(185, 195, 84, 96, color=(162, 134, 56))),
    },
}

# Points that the oracle takes off where a game ends; 0 for a game that is not here. The paper has such a penalty, none
# in Pong, and does not say how large. These are about what the best clips of 25 steps score before anything is learned:
# of 648 of random play 88 in BeamRider, 4 in Breakout, 525 in Q*bert, 60 in Seaquest, 200 in SpaceInvaders. In Enduro,
# where that is 1, it is what a clip of one who drives may be worth. An oracle only says which of two clips is better: a
# penalty as large as a clip's score decides nearly every pair in which one of the games ends, and a larger one would
# decide no more. One much larger would teach the agent to wait where waiting is safe; at this size a game has to be
# played to be worth more than its end.
END_PENALTY: dict[str, float] = {
    "BeamRider": 100.0,
    "Breakout": 5.0,
    "Enduro": 10.0,
    "Qbert": 300.0,
    "Seaquest": 100.0,
    "SpaceInvaders": 100.0,
}

Boxes = Literal["default", "paper"] | tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class AtariOptions:
    """An Atari game: what is painted over, and what its end costs. Other environments read none of it."""

    boxes: Boxes = "default"  # painted over: a set, or top bottom left right of each, in pixels
    end_penalty: float | None = None  # points that the oracle takes off at a game's end; None for the game's own
    show_score: bool = False  # whether people see what is painted over for the agent

    def __post_init__(self) -> None:
        """Refuses what are no boxes; whether they fit the game's screen shows when it is made."""
        if isinstance(self.boxes, str):
            return
        if not self.boxes or not all(isinstance(box, tuple) and len(box) == 4 for box in self.boxes):
            raise PrefrlError(f"boxes are default, paper, or top bottom left right of each, got {self.boxes!r}")


_TWO_PLAYERS = {"combat", "joust", "maze_craze", "warlords"}  # ALE has no score for one player alone


@functools.cache
def roms() -> dict[str, str]:
    """ALE's file name of each game by the name in its id: "BeamRider" -> "beam_rider". Does not import ale_py."""
    package = importlib.util.find_spec("ale_py")
    assert package is not None
    assert package.origin is not None
    files = json.loads((Path(package.origin).parent / "roms" / "md5.json").read_text())
    stems = sorted(file.removesuffix(".bin") for file in files)
    return {stem.title().replace("_", ""): stem for stem in stems if stem not in _TWO_PLAYERS}


def unknown_game(name: str) -> str:
    """One line: what was given, which are near, where all are listed."""
    known = {game.lower(): game for game in roms()}
    near = difflib.get_close_matches(bare(name), known, n=1 if bare(name) in known else 3)
    hint = f" Did you mean {' or '.join(repr(known[each]) for each in near)}?" if near else ""
    return f"ALE has no game {name!r} for one player.{hint} `prefrl envs` lists all of them"


def bare(name: str) -> str:
    """Strips a game's name of prefix, version and variant: "ALE/Pong-v5" and "PongNoFrameskip-v4" are "pong"."""
    words = re.sub(r"(NoFrameskip|Deterministic)?(-ram)?(-v\d+)?$", "", name.rpartition("/")[2], flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]", "", words.lower())


_PPO = {
    "num_envs": 16, "n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 5e-4, "clip_range": 0.1,
    "log_std_init": 0.0, "ent_coef": 0.01, "net": (), "averaging": 0.9,
}  # fmt: skip
# Rollouts are as short as clips allow, so that they are no longer in all than those of the default.
_WIDE_PPO = _PPO | {"num_envs": 64, "n_steps": 32, "batch_size": 512}
_PAPER_PPO = _PPO | {
    "learning_rate": 7e-4, "learning_rate_decay": 1.0, "gamma": 0.99, "gae_lambda": 0.95, "clip_range": 0.2,
    "cnn": "nature", "averaging": 0.0, "scale_rewards": False,
}  # fmt: skip
_ZOO_PPO = {
    "num_envs": 8, "n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 2.5e-4,
    "learning_rate_decay": 1.0, "clip_range": 0.1, "clip_range_decay": 1.0, "ent_coef": 0.01,
    "net": (), "cnn": "nature",
}  # fmt: skip

# A comparison is 50 images to learn from for each member, as many as PPO learns from in 12 steps: so few passes, over
# a sample of the comparisons.
_REWARD = {
    "hidden": (64,), "learning_rate": 1e-3, "batch_size": 16, "l2": 1e-3, "initial_epochs": 6, "epochs": 1,
    "fit_sample": 768, "label_window": 3000,
}  # fmt: skip
_PAPER_REWARD = {
    "network": "paper_cnn", "hidden": (64,), "initial_epochs": 200, "std": 0.05, "label_window": 3000,
}  # fmt: skip

# The paper's rate, which halves after 5e6 frames: of 2e6 steps the first 5e5 have 40 % of the labels. A reward model
# that gets none while the agent still changes is soon wrong about it. The pool is the latest round.
_QUERY = {"initial_fraction": 0.1, "schedule_constant": 1.25e6, "round_steps": 16_384, "pool_steps": 16_384}
_PAPER_QUERY = _QUERY | {"initial_labels": 500}  # before training, whatever the budget

_DEFAULTS: Defaults = {
    "default": {"ppo": _PPO, "reward": _REWARD, "query": _QUERY},
    "wide": {"ppo": _WIDE_PPO, "reward": _REWARD, "query": _QUERY},
    "paper2017": {"ppo": _PAPER_PPO, "reward": _PAPER_REWARD, "query": _PAPER_QUERY},
    "zoo": {"ppo": _ZOO_PPO, "reward": _REWARD, "query": _QUERY},
}


def _row(game: str, *tags: str, steps: int = 10_000_000) -> TaskSpec:
    """A row for a game that is played for its score.

    Horizon: games run on across it, so it only says how often returns are counted. 1,000 steps are 67 s of play, ten
    times the memory of a discount of 0.99. Clips and fps are the paper's.
    """
    return TaskSpec(
        id=f"prefrl/{game}-v0", entry_point="prefrl_envs.atari:AtariGame", kwargs={"game": game},
        tags=("atari", *tags), horizon=1000, clip_steps=25, fps=15, training_steps=steps, labels=5500,
        true_reward="change of the score", rewarded_by="sign", scored=True, judged_by="sample",
        batched="prefrl_envs.atari_vector:atari_batch", drawing="prefrl_envs.drawing:ScreenDrawing",
        options=AtariOptions, defaults=_DEFAULTS,
    )  # fmt: skip


_LEVEL = TaskSpec(
    id="prefrl/EnduroLevel-v0", entry_point="prefrl_envs.enduro:EnduroLevel", kwargs={"game": "Enduro"},
    tags=("atari", "behavior"), horizon=1000, clip_steps=25, fps=15, training_steps=1_000_000, labels=1300,
    true_reward="returned as 0; the oracle sees how near its speed is to the others', half if no car is alongside",
    judged_by="sample", drawing="prefrl_envs.drawing:ScreenDrawing", options=AtariOptions, defaults=_DEFAULTS,
)  # fmt: skip

_PAPER = (
    _row("BeamRider", "paper"),
    _row("Breakout", "paper"),
    _row("Enduro", "paper"),
    _row("Pong", "paper", steps=2_000_000),  # won after a fifth of what the others take
    _row("Qbert", "paper"),
    _row("Seaquest", "paper"),
    _row("SpaceInvaders", "paper"),
)


def _others() -> tuple[TaskSpec, ...]:
    """A row for each of ALE's games that the paper does not have."""
    listed = {row.kwargs["game"] for row in _PAPER}
    return tuple(_row(game) for game in roms() if game not in listed)


SUITE = Suite("atari", (*_PAPER, _LEVEL), _others())


def visible_score(task: TaskConfig) -> str | None:
    """The warning about a game whose score agent and reward model see; None for any other task."""
    row = next((row for row in SUITE.tasks + SUITE.others if row.id == task.id), None)
    if row is None:
        spec = gym.spec(task.id.rpartition(":")[2])
        shows = f"{task.id} shows its score to agent and reward model; the suite's own is `game`"
        return f"{shows} {spec.kwargs['game']}" if "ale_py" in str(spec.entry_point) else None
    game, options = row.kwargs["game"], task.options or AtariOptions()
    if game in SCORE_BOXES["default"] or isinstance(options.boxes, tuple):
        return None
    return f"it is not known where {game} shows its score, so agent and reward model see it; hide it with `atari.boxes`"
