"""The window itself: events in, actions done, views painted."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable

import pygame

from prefrl.labelers.session import Showing
from prefrl.labelers.window.actions import CHOICES, Action, action_of
from prefrl.labelers.window.clip import Clip
from prefrl.labelers.window.desk import DeskThread
from prefrl.labelers.window.drawer import Drawer
from prefrl.labelers.window.figures import emptiness, figures
from prefrl.labelers.window.layout import arrange
from prefrl.labelers.window.painter import Painter
from prefrl.labelers.window.playback import Glow, Playback
from prefrl.labelers.window.view import Moment, Screen, View

GLOW_S, NOTICE_S = 0.45, 1.6
STORING_S = 0.05  # that an answer takes to the store; beyond it the clips play on
POLL_WAITING_S, POLL_WORKING_S = 1.0, 15.0  # between two looks for new pairs
BREATH_S = 4.0
SMOOTH_S, IDLE_S = 0.03, 0.25  # between two paintings while a light fades; while nothing moves

OnShow = Callable[[Showing, float | None], None]


class Window:
    """A window on a session. `run` returns when the person leaves.

    Args:
        desk: the session in its thread.
        drawer: where clips come from.
        fps: frames per second of the clips.
        labeler: who answers.
        resume: the command that goes on with the training.
        on_show: called when a pair is on the screen for the first time, with the seconds since the key or click
            that brought it, None where it came by itself; for measuring.
    """

    def __init__(
        self,
        desk: DeskThread,
        drawer: Drawer,
        *,
        fps: float,
        labeler: str,
        resume: str,
        on_show: OnShow | None = None,
    ) -> None:
        self._desk, self._drawer, self._on_show = desk, drawer, on_show
        self._labeler, self._resume = labeler, resume
        self._playback, self._glow, self._notice = Playback(fps), Glow(GLOW_S), Glow(NOTICE_S)
        self._painter, self._layout = Painter(), arrange(*pygame.display.get_window_size())
        self._shown: Showing | None = None  # the pair on the screen
        self._previous: Showing | None = None  # its clips are kept: undo brings it back
        self._pairs = 0  # shown so far
        self._acted_at: float | None = None
        self._hovered: Action | None = None
        self._pressed: Action | None = None
        self._problem, self._looked_at = "", -math.inf
        self._help, self._open = False, True

    def run(self) -> None:
        """Shows pairs and takes answers until the person leaves.

        Raises:
            PrefrlError: a pair cannot be drawn.
        """
        while self._open:
            now = time.monotonic()
            self._look(now)
            self._playback.advance(now)
            new = self._take_up()
            if new or not self._answer_is_due(now):
                self._paint(now)
            if new:
                self._tell()
            else:
                self._prepare()
            self._handle(pygame.event.wait(math.ceil(1000 * self._pause(now))))
            for event in pygame.event.get():
                self._handle(event)

    def _look(self, now: float) -> None:
        """Polls when it is time, and says which clips are needed."""
        self._desk.check()
        desk = self._desk.desk
        if desk.problem and desk.problem != self._problem:
            self._notice.light(desk.problem, now)
        self._problem = desk.problem
        if now - self._looked_at > (POLL_WAITING_S if desk.current is None or desk.trouble else POLL_WORKING_S):
            self._desk.poll()
            self._looked_at = now
        pairs = [pair for pair in (desk.current, *desk.ahead, self._shown, self._previous) if pair is not None]
        self._drawer.want([segment for pair in pairs for segment in (pair.left, pair.right)], self._clip_height)

    def _take_up(self) -> bool:
        """Begins to play the pair that lies before the labeler once its clips are there; whether it is a new one."""
        current = self._desk.desk.current
        if current is self._shown or (current is not None and self._clips(current) is None):
            return False
        if self._shown is not None:
            self._previous = self._shown
        self._shown, self._pairs = current, self._pairs + 1
        if current is None:
            self._acted_at = None  # what comes next comes by itself
            return False
        clips = self._clips(current)
        assert clips is not None
        self._playback.start(max(len(clip) for clip in clips))
        return True

    def _prepare(self) -> None:
        """Has the next pair's first frames at hand, scaled."""
        for pair in self._desk.desk.ahead[:1]:
            for clip, box in zip(self._clips(pair) or (), self._layout.clips, strict=False):
                clip.frame(0, (box.width, box.height))

    def _answer_is_due(self, now: float) -> bool:
        """Whether the next pair is but milliseconds away: painting the old one again would hold it up."""
        return self._desk.busy and self._acted_at is not None and now - self._acted_at < STORING_S

    def _tell(self) -> None:
        """The new pair is on the screen."""
        since, self._acted_at = self._acted_at, None
        if self._on_show is not None and self._shown is not None:
            self._on_show(self._shown, None if since is None else time.monotonic() - since)

    def _paint(self, now: float) -> None:
        screen = self._screen()
        frames = []
        if screen is Screen.PAIR and self._shown is not None:
            clips = self._clips(self._shown) or ()
            sizes = [(box.width, box.height) for box in self._layout.clips]
            frames = [clip.frame(self._playback.frame, size) for clip, size in zip(clips, sizes, strict=True)]
        lit = self._glow.strength(now)
        moment = Moment(
            pair=self._pairs,
            frame=self._playback.frame,
            progress=self._playback.progress if frames else 0.0,
            lit=Action(self._glow.what) if lit else None,
            light=lit,
            breath=_breath(now) if screen is Screen.WAITING else 1.0,
        )
        self._painter.paint(pygame.display.get_surface(), self._layout, self._view(screen, now), moment, frames)

    def _view(self, screen: Screen, now: float) -> View:
        desk = self._desk.desk
        active = {Action.PAUSE: self._playback.paused, Action.SLOW: self._playback.slow, Action.HELP: self._help}
        return View(
            screen,
            desk.question,
            emptiness(desk.trainer, self._resume),
            tuple(figures(desk.answers, desk.per_minute, desk.waiting, desk.trainer)),
            notice=desk.trouble or (self._notice.what if self._notice.strength(now) else ""),
            hovered=self._hovered,
            pressed=self._pressed,
            active=frozenset(action for action, on in active.items() if on),
            help=self._help,
            labeler=self._labeler,
        )

    def _screen(self) -> Screen:
        desk = self._desk.desk
        if desk.current is None:
            return Screen.WAITING if desk.trainer.may_ask else Screen.IDLE
        return Screen.PAIR if desk.current is self._shown and self._clips(desk.current) else Screen.DRAWING

    def _clips(self, pair: Showing) -> tuple[Clip, Clip] | None:
        left, right = self._drawer.clip(pair.left), self._drawer.clip(pair.right)
        return None if left is None or right is None else (left, right)

    def _pause(self, now: float) -> float:
        """Seconds until there is something to paint again."""
        if self._screen() is Screen.PAIR and not self._playback.paused and not self._help:
            pause = self._playback.until_next_frame()
        else:
            pause = IDLE_S
        if self._answer_is_due(now):
            return STORING_S  # whoever stores it wakes the window sooner
        moving = self._glow.strength(now) or self._screen() is Screen.WAITING
        return min(pause, SMOOTH_S) if moving else pause

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._open = False
        elif event.type == pygame.WINDOWEXPOSED:
            self._painter.forget()
        elif event.type == pygame.VIDEORESIZE:
            self._layout = arrange(event.w, event.h)
        elif event.type == pygame.KEYDOWN:
            self._on_key(event)
        elif event.type == pygame.MOUSEMOTION:
            self._hover(event.pos)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._pressed = None if self._help else self._layout.action_at(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
            self._release(event.pos)
        elif event.type == pygame.WINDOWLEAVE:
            self._hover((-1, -1))

    def _on_key(self, event: pygame.event.Event) -> None:
        if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_ALT | pygame.KMOD_META):
            return  # somebody else's
        name = pygame.key.name(event.key)
        if name == "escape" and self._help:
            self._help = False
        elif (action := action_of(name)) is not None:
            self._do(action)

    def _hover(self, point: tuple[int, int]) -> None:
        hovered = None if self._help else self._layout.action_at(point)
        if hovered is not self._hovered:
            self._hovered = hovered
            cursor = pygame.SYSTEM_CURSOR_HAND if hovered else pygame.SYSTEM_CURSOR_ARROW
            with contextlib.suppress(pygame.error):  # not every system has a hand
                pygame.mouse.set_cursor(cursor)

    def _release(self, point: tuple[int, int]) -> None:
        pressed, self._pressed = self._pressed, None
        if self._help:
            self._help = False
        elif pressed is not None and pressed is self._layout.action_at(point):
            self._do(pressed)

    def _do(self, action: Action) -> None:
        if action is Action.LEAVE:
            self._open = False
        elif action is Action.HELP:
            self._help = not self._help
        elif self._help:
            return
        elif action in CHOICES:
            self._answer(action)
        elif action is Action.UNDO:
            self._undo()
        elif action is Action.REPLAY:
            self._playback.replay()
        elif action is Action.PAUSE:
            self._playback.paused = not self._playback.paused
        elif action is Action.SLOW:
            self._playback.slow = not self._playback.slow

    def _answer(self, choice: Action) -> None:
        """Only what is on the screen can be answered: a key too many says nothing of a pair not seen yet."""
        if self._shown is None or self._screen() is not Screen.PAIR or self._desk.busy:
            return
        self._acted_at = time.monotonic()
        self._notice = Glow(NOTICE_S)
        self._glow.light(choice, self._acted_at)
        self._desk.answer(self._shown, choice)

    def _undo(self) -> None:
        if self._desk.busy:
            return
        now = time.monotonic()
        if self._desk.desk.answers == 0:
            self._notice.light("Nothing to take back", now)
            return
        self._acted_at = now
        self._notice.light("Taken back", now)
        self._desk.undo()

    @property
    def _clip_height(self) -> int:
        return self._layout.clips[0].height


def _breath(now: float) -> float:
    """From 0 to 1 and back, slowly."""
    return round(0.5 - 0.5 * math.cos(2 * math.pi * now / BREATH_S), 2)
