"""The frames of one segment, as pygame shows them."""

from __future__ import annotations

from collections.abc import Sequence

import pygame

from prefrl.clips import fitted
from prefrl.labelers.window import theme

CACHED_BYTES = 160e6  # of one clip's scaled frames; beyond it each is scaled whenever it is shown


class Clip:
    """Frames [T] of raw RGB bytes, all of one size, and their scaled copies."""

    def __init__(self, frames: Sequence[bytes], size: tuple[int, int]) -> None:
        self._frames, self._size = frames, size
        self._scaled: dict[int, pygame.Surface] = {}
        self._scaled_size = size

    def __len__(self) -> int:
        return len(self._frames)

    def frame(self, index: int, size: tuple[int, int]) -> pygame.Surface:
        """Frame `index`, or the last one beyond it, in pixels of `size`; scaled once where memory allows.

        The first one always is, so that one who asks for it ahead of time has it at once later.
        """
        index = min(index, len(self._frames) - 1)
        if size != self._scaled_size:
            self._scaled, self._scaled_size = {}, size
        if index in self._scaled:
            return self._scaled[index]
        surface = pygame.image.frombuffer(self._frames[index], self._size, "RGB")
        if size == self._size:
            return surface
        scaled = self._scale(surface.convert(), size)  # twice as fast with 32 bits as with 24
        if index == 0 or len(self._frames) * size[0] * size[1] * 4 <= CACHED_BYTES:
            self._scaled[index] = scaled
        return scaled

    def _scale(self, surface: pygame.Surface, size: tuple[int, int]) -> pygame.Surface:
        return pygame.transform.smoothscale(surface, size)


class ScreenClip(Clip):
    """A clip of recorded screens, drawn in whole pixels and centered in the free space."""

    def _scale(self, surface: pygame.Surface, size: tuple[int, int]) -> pygame.Surface:
        shown, whole = fitted(self._size, size)
        picture = pygame.transform.scale(surface, shown) if whole else pygame.transform.smoothscale(surface, shown)
        scaled = pygame.Surface(size)
        scaled.fill(theme.PANEL)
        scaled.blit(picture, ((size[0] - shown[0]) // 2, (size[1] - shown[1]) // 2))
        return scaled
