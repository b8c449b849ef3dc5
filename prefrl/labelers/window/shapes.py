"""Smooth shapes: pygame's own round corners have stairs."""

from __future__ import annotations

from functools import lru_cache

import pygame

from prefrl.labelers.window.layout import Box
from prefrl.labelers.window.theme import Color, font

FINER = 4  # shapes are drawn so many times as large, and scaled down


def rounded(surface: pygame.Surface, box: Box, radius: int, color: Color) -> None:
    """A filled rectangle with round corners."""
    radius = min(radius, box.width // 2, box.height // 2)
    surface.fill(color, (box.left + radius, box.top, box.width - 2 * radius, box.height))
    surface.fill(color, (box.left, box.top + radius, box.width, box.height - 2 * radius))
    _corners(surface, box, radius, _disc(radius, color))


def round_off(surface: pygame.Surface, box: Box, radius: int, color: Color) -> None:
    """Covers the corners of a picture, so that it looks rounded on a ground of `color`."""
    _corners(surface, box, radius, _hole(radius, color))


def framed(surface: pygame.Surface, box: Box, radius: int, fill: Color, line: Color, width: int) -> None:
    """A filled rectangle with round corners and a line around it, inside the box."""
    rounded(surface, box, radius, line)
    rounded(surface, box.grown(-width), max(1, radius - width), fill)


def dot(surface: pygame.Surface, center: tuple[int, int], radius: int, color: Color) -> None:
    surface.blit(_disc(radius, color), (center[0] - radius, center[1] - radius))


def arrow(surface: pygame.Surface, box: Box, direction: str, color: Color) -> None:
    """An arrow "left", "right" or "down", in the middle of a box."""
    size = box.height
    picture = _arrow(size, direction, color)
    surface.blit(picture, (box.center[0] - size // 2, box.center[1] - size // 2))


def text_width(text: str, pixels: int, bold: bool = False) -> int:
    return font(pixels, bold).size(text)[0]


def write(
    surface: pygame.Surface,
    text: str,
    at: tuple[int, int],
    pixels: int,
    color: Color,
    *,
    bold: bool = False,
    align: float = 0.0,
    width: int | None = None,
) -> None:
    """One line of text.

    Args:
        at: x of its left end (align 0), middle (0.5) or right end (1), and y of its middle.
        width: what it may take; longer text gets smaller, and then ends in dots.
    """
    if width is not None:
        text, pixels = fit(text, pixels, bold, width)
    picture = _written(text, pixels, bold, color)
    surface.blit(picture, (at[0] - round(align * picture.get_width()), at[1] - picture.get_height() // 2))


def fit(text: str, pixels: int, bold: bool, width: int) -> tuple[str, int]:
    """The text and its size as they fit into `width` pixels: down to two thirds of the size, then cut."""
    least = max(8, 2 * pixels // 3)
    while pixels > least and text_width(text, pixels, bold) > width:
        pixels -= 1
    if text_width(text, pixels, bold) <= width:
        return text, pixels
    while text and text_width(text + "...", pixels, bold) > width:
        text = text[:-1]
    return text.rstrip() + "...", pixels


@lru_cache(maxsize=256)
def _written(text: str, pixels: int, bold: bool, color: Color) -> pygame.Surface:
    return font(pixels, bold).render(text, True, color)


def _corners(surface: pygame.Surface, box: Box, radius: int, disc: pygame.Surface) -> None:
    for x, part_x in ((box.left, 0), (box.right - radius, radius)):
        for y, part_y in ((box.top, 0), (box.bottom - radius, radius)):
            surface.blit(disc, (x, y), (part_x, part_y, radius, radius))


@lru_cache(maxsize=256)
def _disc(radius: int, color: Color) -> pygame.Surface:
    fine = pygame.Surface((2 * radius * FINER, 2 * radius * FINER), pygame.SRCALPHA)
    fine.fill((*color, 0))
    pygame.draw.circle(fine, color, (radius * FINER, radius * FINER), radius * FINER)
    return pygame.transform.smoothscale(fine, (2 * radius, 2 * radius))


@lru_cache(maxsize=256)
def _hole(radius: int, color: Color) -> pygame.Surface:
    fine = pygame.Surface((2 * radius * FINER, 2 * radius * FINER), pygame.SRCALPHA)
    fine.fill(color)
    pygame.draw.circle(fine, (*color, 0), (radius * FINER, radius * FINER), radius * FINER)
    return pygame.transform.smoothscale(fine, (2 * radius, 2 * radius))


@lru_cache(maxsize=64)
def _arrow(size: int, direction: str, color: Color) -> pygame.Surface:
    side = size * FINER
    fine = pygame.Surface((side, side), pygame.SRCALPHA)
    fine.fill((*color, 0))
    middle, tip, tail, wing, thick = side // 2, int(0.28 * side), int(0.72 * side), int(0.16 * side), side // 14
    pygame.draw.line(fine, color, (tip, middle), (tail, middle), thick)
    for way in (-1, 1):
        pygame.draw.line(fine, color, (tip, middle), (tip + wing, middle + way * wing), thick + FINER // 2)
    turned = pygame.transform.rotate(fine, {"left": 0, "down": 90, "right": 180}[direction])
    return pygame.transform.smoothscale(turned, (size, size))
