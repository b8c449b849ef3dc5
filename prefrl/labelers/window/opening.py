"""Opens a window on a display, or says in one line why it cannot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pygame

from prefrl.core.errors import PrefrlError
from prefrl.labelers.window.theme import forget_fonts

WIDTH, HEIGHT = 1280, 720
SHARE = 0.85  # of a larger display
NO_PICTURE = ("dummy", "offscreen", "evdev")  # what SDL falls back to where it finds no display


def check_display(instead: str) -> None:
    """Raises PrefrlError where there is no display to open a window on, and names what to do instead."""
    asked_for = os.environ.get("SDL_VIDEODRIVER")
    if sys.platform == "linux" and not any((asked_for, os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY"))):
        raise PrefrlError(f"there is no display to open a window on; {instead}")


@contextmanager
def window(caption: str, instead: str) -> Iterator[pygame.Surface]:
    """A resizable window, most of a large display, and all of one that is small.

    Raises:
        PrefrlError: no display, or one that cannot be reached.
    """
    with display(instead):
        pygame.display.set_caption(caption)
        yield pygame.display.set_mode(_size(*pygame.display.get_desktop_sizes()[0]), pygame.RESIZABLE)


@contextmanager
def display(instead: str) -> Iterator[None]:
    """pygame's display and fonts, for as long as the context.

    Raises:
        PrefrlError: no display, or one that cannot be reached.
    """
    check_display(instead)
    try:
        pygame.display.init()  # not pygame.init: there is no sound to set up
    except pygame.error as error:
        raise PrefrlError(f"no window can be opened: {error}; {instead}") from error
    try:
        if pygame.display.get_driver() in NO_PICTURE and not os.environ.get("SDL_VIDEODRIVER"):
            raise PrefrlError(f"the display cannot be reached; {instead}")
        pygame.font.init()
        yield
    finally:
        forget_fonts()  # they do not outlive pygame, not even unused
        pygame.quit()


def _size(width: int, height: int) -> tuple[int, int]:
    if width <= 1.25 * WIDTH or height <= 1.25 * HEIGHT:
        return min(width, WIDTH), min(height, HEIGHT)
    return round(SHARE * width), round(SHARE * height)
