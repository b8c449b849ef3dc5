"""Which frame is shown when: two clips in step, in a loop."""

from __future__ import annotations

from dataclasses import dataclass

SLOW = 0.25  # the speed of slow motion
REST_S = 0.4  # the last frame stays for so long before the loop begins again: an end, not a jump


@dataclass
class Playback:
    """The clock of a pair of clips; times in seconds.

    Attributes:
        fps: frames per second at full speed.
        length: frames of the longer clip; the shorter one waits on its last.
    """

    fps: float
    length: int = 1
    paused: bool = False
    slow: bool = False
    _played: float = 0.0  # frames since the loop began, rest included
    _at: float | None = None

    @property
    def speed(self) -> float:
        """Frames a second now."""
        return self.fps * (SLOW if self.slow else 1.0)

    @property
    def frame(self) -> int:
        """Frame of the longer clip, from 0."""
        return min(int(self._played), self.length - 1)

    @property
    def progress(self) -> float:
        """Share of the loop that has been seen, from 0 to 1."""
        return min(1.0, self._played / max(1, self.length - 1))

    def start(self, length: int) -> None:
        """From the first frame of a new pair."""
        self.length = length
        self.replay()

    def replay(self) -> None:
        self._played, self._at, self.paused = 0.0, None, False

    def advance(self, now: float) -> None:
        """Moves on to `now`; the first call after a start only notes the time."""
        if self._at is not None and not self.paused:
            self._played = (self._played + (now - self._at) * self.speed) % self._loop
        self._at = now

    def until_next_frame(self) -> float:
        """Seconds until there is something new to show."""
        if self._played >= self.length - 1:
            return max(0.001, (self._loop - self._played) / self.speed)
        return max(0.001, (int(self._played) + 1 - self._played) / self.speed)

    @property
    def _loop(self) -> float:
        """Frames of one loop, the rest at its end among them."""
        return self.length + REST_S * self.fps


@dataclass
class Glow:
    """A light that goes out by itself: what was chosen stays visible for a moment, over the next pair."""

    seconds: float
    what: str = ""
    _since: float = float("-inf")

    def light(self, what: str, now: float) -> None:
        self.what, self._since = what, now

    def strength(self, now: float) -> float:
        """From 1 to 0."""
        return max(0.0, 1.0 - (now - self._since) / self.seconds)
