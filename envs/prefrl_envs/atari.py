"""Atari games as one continuing stream: a game that ends is followed by the next, and nothing says so.

Frame skip 4, the maximum over the last two frames, 84x84 grey, 4 frames stacked, 0 to 30 no-ops before each game: as
Mnih et al. 2015 and Christiano et al. 2017. No sticky actions, like both: the no-ops alone make games differ. FIRE is
not pressed for the agent when a game starts: it would have to be pressed after each lost life as well, and doing that
for the agent would say that a life was lost. Launching the ball is part of playing Breakout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import ale_py
import cv2
import gymnasium as gym
import numpy as np

from prefrl_envs.errors import PrefrlError
from prefrl_envs.games import END_PENALTY, SCORE_BOXES, Box, roms, unknown_game
from prefrl_envs.snapshots import State, add_prefix, generator_state, set_generator_state, under

FRAME_SKIP = 4  # frames of the console per step
STACK = 4  # frames in an observation
SIZE = 84  # pixels of an observation's side
MAX_NOOPS = 30  # frames waited before a game, at most
MAX_FRAMES = 108_000  # of one game: half an hour, after which ALE's usual settings end it

OBSERVATION = gym.spaces.Box(0, 255, (STACK, SIZE, SIZE), np.uint8)


def paint_over(screens: np.ndarray, boxes: Sequence[Box]) -> None:
    """Blackens boxes of screens [..., H, W, 3], in place."""
    for top, bottom, left, right, color in boxes:
        area = screens[..., top:bottom, left:right, :]
        area[... if color is None else (area == color).all(axis=-1)] = 0


def agent_frames(screens: np.ndarray) -> np.ndarray:
    """Color screens [N, H, W, 3] as the agent sees them: [N, 84, 84], grey, each pixel the mean of its area."""
    count, height, width, _ = screens.shape
    grey = cv2.cvtColor(screens.reshape(count * height, width, 3), cv2.COLOR_RGB2GRAY).reshape(count, height, width)
    # Four at a time, as if they were the channels of one image: a quarter of the calls, and a quarter faster.
    fours = [cv2.merge(list(grey[first : first + 4])) for first in range(0, count, 4)]
    small = [cv2.split(cv2.resize(four, (SIZE, SIZE), interpolation=cv2.INTER_AREA)) for four in fours]
    return np.stack([frame for frames in small for frame in frames])


def first_stacks(frames: np.ndarray) -> np.ndarray:
    """Observations [N, 4, 84, 84] that show nothing but the first frames [N, 84, 84]."""
    return np.repeat(frames[:, None], STACK, axis=1)


def next_stacks(stacks: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """New observations [N, 4, 84, 84] of one step later: the oldest frame leaves, `frames` [N, 84, 84] come."""
    return np.concatenate([stacks[:, 1:], frames[:, None]], axis=1)


def boxes_of(game: str, boxes: str | Sequence[Sequence], screen: tuple[int, int]) -> tuple[Box, ...]:
    """The boxes to paint over.

    Args:
        game: as in its id, e.g. "BeamRider".
        boxes: a set of SCORE_BOXES, which has none for other games than the paper's; or boxes of one's own.
        screen: rows and columns.

    Raises:
        PrefrlError: no such set, or a box that does not lie within the screen.
    """
    if isinstance(boxes, str):
        if boxes not in SCORE_BOXES:
            raise PrefrlError(f"unknown boxes {boxes!r}. Known: {', '.join(SCORE_BOXES)}, or a list of boxes")
        return SCORE_BOXES[boxes].get(game, ())
    height, width = screen
    if not all(isinstance(box, Sequence) and len(box) in (4, 5) for box in boxes):
        raise PrefrlError(f"boxes are (top, bottom, left, right) each, such as [(0, 24, 0, 160)], got {boxes!r}")
    chosen = tuple(Box(*box) for box in boxes)
    for top, bottom, left, right, _ in chosen:
        if top >= bottom or left >= right:
            raise PrefrlError(
                f"the box ({top}, {bottom}, {left}, {right}) is empty: of (top, bottom, left, right) "
                "the first must be less than the second, and the third less than the fourth"
            )
        if min(top, left) < 0 or bottom > height or right > width:
            raise PrefrlError(
                f"the box ({top}, {bottom}, {left}, {right}) lies outside the screen of {game}: "
                f"it must be (top, bottom, left, right) within {height} rows and {width} columns"
            )
    return chosen


def penalty_of(game: str, end_penalty: float | None) -> float:
    """Points that the oracle takes off at a game's end: as given, or the game's own.

    Raises:
        PrefrlError: a negative one, or none that is a number.
    """
    if end_penalty is not None and not 0 <= end_penalty < math.inf:
        raise PrefrlError(f"end_penalty is points taken off the score, from 0 up, got {end_penalty}")
    return END_PENALTY.get(game, 0.0) if end_penalty is None else end_penalty


def load(game: str) -> ale_py.ALEInterface:
    """A console with the game in it.

    Raises:
        PrefrlError: ale_py has no such game, or its ROM is missing or damaged.
    """
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # before the first console, which greets
    console = ale_py.ALEInterface()
    console.setFloat("repeat_action_probability", 0.0)
    console.loadROM(rom_path(game))
    return console


def rom_path(game: str) -> Any:
    """Path of the game's ROM; PrefrlError as in `load`."""
    if game not in roms():
        raise PrefrlError(unknown_game(game))
    try:
        return ale_py.roms.get_rom_path(roms()[game])
    except OSError as error:
        raise PrefrlError(
            f"the ROM of {game} is missing or damaged ({str(error).splitlines()[0]}); it comes with ale-py: "
            "pip install --force-reinstall ale-py, and unset ALE_ROMS_DIR"
        ) from error


class Played(NamedTuple):
    """One step of a console.

    Attributes:
        score: change of the score, unclipped.
        game_score: score of the game that ended in this step, or None.
        lost: whether it ended because it was lost, and not because it took too long.
    """

    score: float
    game_score: float | None
    lost: bool


class Console:
    """One console with one game in it; where a game ends, the next one starts.

    Args:
        game: as in its id, e.g. "BeamRider".

    Attributes:
        ale: the emulator; its memory too, ale.getRAM().
        screen_shape: of a screen in color, (H, W, 3).
    """

    def __init__(self, game: str) -> None:
        self.ale = load(game)
        self.screen_shape = (*self.ale.getScreenDims(), 3)
        self._game = game
        self._actions = self.ale.getMinimalActionSet()
        self._frames_of_a_step = np.empty((2, *self.screen_shape), np.uint8)
        self._twister = np.random.RandomState(0)
        self._score, self._frames = 0, 0

    @property
    def num_actions(self) -> int:
        return len(self._actions)

    def seed(self, seed: int) -> None:
        """Seeds the game: later steps depend on the seed alone, in [0, 2**31), not on earlier ones.

        As ALE's vector environment does it: the ROM is loaded anew, and no-ops have a generator of their own.
        """
        self.ale.setInt("random_seed", seed)
        self.ale.loadROM(rom_path(self._game))
        self._twister = np.random.RandomState(seed)  # seeded as C++'s std::mt19937

    def start(self, screen: np.ndarray) -> None:
        """Starts a game; its first screen is written into `screen` [H, W, 3]."""
        self.ale.reset_game()
        self._score, self._frames = 0, 0
        drawn = int(self._twister.randint(2**32, dtype=np.uint32))
        for _ in range(drawn * (MAX_NOOPS + 1) >> 32):  # how libstdc++ maps 32 random bits to 0..30
            self.ale.act(ale_py.Action.NOOP)
            if self.ale.game_over():
                self.ale.reset_game()
        self.ale.getScreenRGB(screen)

    def play(self, action: int, screen: np.ndarray) -> Played:
        """Holds an action for four frames.

        Args:
            action: from 0.
            screen: [H, W, 3]; the maximum of the last two frames is written into it, or the first screen of the next
                game where one ended.
        """
        ale, held, score = self.ale, self._actions[action], 0
        for frame in range(FRAME_SKIP):
            score += ale.act(held)
            self._frames += 1
            if ale.game_over() or self._frames >= MAX_FRAMES:
                ended = Played(float(score), float(self._score + score), ale.game_over())
                self.start(screen)
                return ended
            if frame >= FRAME_SKIP - 2:
                ale.getScreenRGB(self._frames_of_a_step[frame - FRAME_SKIP])
        self._score += score
        np.maximum(self._frames_of_a_step[0], self._frames_of_a_step[1], out=screen)
        return Played(float(score), None, False)

    def get_state(self) -> State:
        """State on which the next steps depend, without the screen; see `prefrl_envs.snapshots`."""
        _, keys, position, *_ = self._twister.get_state()
        return {
            "ale": np.frombuffer(self.ale.cloneSystemState().serialize(), np.uint8),
            "noops": np.append(np.asarray(keys, np.uint32), np.uint32(position)),
            "score_and_frames": np.array([self._score, self._frames]),
        }

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`. ALE gives the screen only after the next step."""
        self.ale.restoreSystemState(ale_py.ALEState(state["ale"].tobytes()))
        self._twister.set_state(("MT19937", state["noops"][:-1], int(state["noops"][-1]), 0, 0.0))
        self._score, self._frames = state["score_and_frames"].tolist()


_METADATA = {"render_modes": ["rgb_array"], "render_fps": 15}  # made once: Gymnasium reads it from the class


class AtariGame(gym.Env):
    """One console. `reset(seed=...)` starts a game; `reset()` goes on with the stream, whatever TimeLimit says.

    The reward is the change of the score, unclipped, and info["true_reward"] says it again. At the step that ends a
    game, whose observation shows the next game already, info["game_score"] is the score of the game that ended, and
    info["oracle_reward"] the reward less the penalty, where there is one: for oracles, never for agents.

    Args:
        game: as in its id, e.g. "BeamRider".
        boxes: what to paint over; see `boxes_of`.
        end_penalty: points that the oracle takes off at a game's end, None for the game's own; see `games`.
        show_score: whether `render` leaves the score as it is; the observation never shows it.

    Attributes:
        ale: the console; its memory too, ale.getRAM().
    """

    metadata = _METADATA
    frame_stack = STACK
    is_stream = True  # what follows an episode's last step goes on from it

    def __init__(
        self,
        game: str,
        boxes: str | Sequence[Sequence] = "default",
        end_penalty: float | None = None,
        show_score: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self._console = Console(game)
        self.ale = self._console.ale
        self.boxes = boxes_of(game, boxes, self.ale.getScreenDims())
        self.end_penalty = penalty_of(game, end_penalty)
        self.show_score = show_score
        self.render_mode = render_mode
        self.observation_space = OBSERVATION
        self.action_space = gym.spaces.Discrete(self._console.num_actions)
        self._stack: np.ndarray | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        if seed is not None or self._stack is None:
            drawn = int(self.np_random.integers(2**31))
            self._console.seed(seed if seed is not None and seed < 2**31 else drawn)  # ALE takes no larger one
            screen = self._screen()
            self._console.start(screen)
            self._stack = first_stacks(self._seen(screen))
        return self._stack[0], {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self._stack is not None, "reset() comes before step()"
        screen = self._screen()
        played = self._console.play(action, screen)
        info: dict[str, Any] = {"true_reward": played.score}
        if played.game_score is not None:
            info["game_score"] = played.game_score
        if played.lost and self.end_penalty:
            info["oracle_reward"] = played.score - self.end_penalty
        self._stack = next_stacks(self._stack, self._seen(screen))
        return self._stack[0], played.score, False, False, info

    def render(self) -> np.ndarray:
        """[H, W, 3] the color screen of the current observation."""
        return self._shown

    def get_state(self) -> State:
        """State on which the next steps depend, and the current screen; see `prefrl_envs.snapshots`."""
        assert self._stack is not None, "reset() comes before get_state()"
        own = {"stack": self._stack.copy(), "shown": self._shown.copy(), "generator": generator_state(self.np_random)}
        return own | add_prefix("console.", self._console.get_state())

    def set_state(self, state: State) -> None:
        """The inverse of `get_state`."""
        self._stack, self._shown = state["stack"].copy(), state["shown"].copy()
        set_generator_state(self.np_random, state["generator"])
        self._console.set_state(under("console.", state))

    def _screen(self) -> np.ndarray:
        """Room for a screen: what `render` gave stays as it is."""
        return np.empty(self._console.screen_shape, np.uint8)

    def _seen(self, screen: np.ndarray) -> np.ndarray:
        """[1, 84, 84] what the agent sees of a screen; keeps what a person sees."""
        painted = screen.copy() if self.show_score else screen
        paint_over(painted, self.boxes)
        self._shown = screen
        return agent_frames(painted[None])
