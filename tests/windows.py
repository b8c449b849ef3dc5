"""The labeling window for tests: SDL paints into memory, clips are there at once, and a person is played."""

import numpy as np
import pytest

from prefrl.labelers.session import LabelingSession
from prefrl.labelers.subject import NOTHING_SAID
from prefrl.labelers.window import shapes
from prefrl.labelers.window.actions import Action
from prefrl.labelers.window.clip import Clip
from prefrl.labelers.window.desk import DeskThread
from prefrl.labelers.window.layout import arrange
from prefrl.labelers.window.opening import window
from prefrl.labelers.window.window import Window
from prefrl.testing import random_queries

LABELER = "ida"
COLOURS = [(250, 10, 10), (10, 10, 250)]


class FlatDrawer:
    """Clips of one color, at once; the left one red, the right one blue."""

    def __init__(self):
        self.wanted = []

    def want(self, segments, height):
        self.wanted = [segment.id for segment in segments]

    def clip(self, segment):
        if segment.id not in self.wanted:  # the session's thread has put it forward only now
            return None
        color = COLOURS[self.wanted.index(segment.id) % 2]
        return Clip([bytes(color) * 20] * len(segment), (5, 4))


@pytest.fixture
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    return pygame


@pytest.fixture
def six_queries(store, rng):
    store.ask(random_queries(6, rng))


def layout_of(pygame):
    return arrange(*pygame.display.get_window_size())


class Person:
    """Does one thing whenever a pair is on the screen: a key, a click, a function, or several of these."""

    def __init__(self, pygame, *does):
        self.pygame, self.does, self.seen, self.seconds = pygame, list(does), [], []

    def __call__(self, showing, seconds):
        self.seen.append(showing)
        self.seconds.append(seconds)
        does = self.does.pop(0) if self.does else "q"
        for thing in does if isinstance(does, list) else [does]:
            self.do(thing)

    def do(self, thing):
        if callable(thing):
            thing()
        elif isinstance(thing, Action):
            self.click(layout_of(self.pygame).buttons[thing].center)
        else:
            key = self.pygame.key.key_code(thing)
            self.pygame.event.post(self.pygame.event.Event(self.pygame.KEYDOWN, key=key, mod=0))

    def click(self, point):
        for kind in (self.pygame.MOUSEMOTION, self.pygame.MOUSEBUTTONDOWN, self.pygame.MOUSEBUTTONUP):
            self.pygame.event.post(self.pygame.event.Event(kind, pos=point, button=1))


def leave_soon(pygame):
    """Where there is no pair after this one to press a key at."""
    pygame.time.set_timer(pygame.event.Event(pygame.QUIT), 200, loops=1)


def sit_down(pygame, store, tmp_path, person, drawer=None, trainer=NOTHING_SAID):
    """Opens a window on the store, lets the person work until they leave, and returns the session."""

    def wake():
        pygame.event.post(pygame.event.Event(pygame.USEREVENT))

    session = LabelingSession(store, LABELER, np.random.default_rng(0), repeat=0.0)
    thread = DeskThread(session, store, lambda: trainer, wake)
    with window("test", "nothing"):
        try:
            Window(
                thread,
                drawer or FlatDrawer(),
                fps=40,
                labeler=LABELER,
                resume="prefrl resume runs/x",
                on_show=person,
            ).run()
        finally:
            thread.close()
    return session


def answered(store):
    return [(record.query_id, record.answer) for record in store.records() if record.withdrawn_at is None]


@pytest.fixture
def written(monkeypatch):
    """All lines of text that were painted, beside those of the buttons."""
    lines = []

    def write(surface, text, *where, **how):
        lines.append(text)
        shapes.write(surface, text, *where, **how)

    monkeypatch.setattr("prefrl.labelers.window.parts.write", write)
    return lines


def in_order(showing, left, right):
    """What the store holds for an answer on the screen."""
    return right if showing.swapped else left
