"""Draws the clips of a report: three episodes, and a few of the comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
from prefrl_envs.task import TaskConfig

from prefrl import clips
from prefrl.queries import Comparison
from prefrl.report.record import RunRecord

SECONDS = 6.0  # shown of an episode of a simulation; of a game all that was kept, in which points are scored
MOST_FRAMES = 240  # drawn of any clip, however fast it is shown
WIDTH, HEIGHT = 256, 256  # pixels
SHOWN_COMPARISONS = 3  # an early, a middle and a late one

OpenDraw = Callable[[RunRecord], AbstractContextManager[clips.Draw]]


@dataclass(frozen=True, eq=False)
class Footage:
    """WebM clips, and why there are none.

    Attributes:
        episodes: name of an episode -> its clip.
        comparisons: comparisons with the clips of their segments, in the query's order.
        problem: why nothing could be drawn; empty if nothing went wrong.
    """

    episodes: Mapping[str, bytes] = field(default_factory=dict)
    comparisons: Sequence[tuple[Comparison, list[bytes]]] = ()
    problem: str = ""


def open_renderer(run: RunRecord) -> AbstractContextManager[clips.Draw]:
    """A renderer of the run's environment."""
    return clips.renderer(TaskConfig(run.env_id), WIDTH, HEIGHT)


def film(run: RunRecord, comparisons: Sequence[Comparison], open_draw: OpenDraw, fps: float) -> Footage:
    """Draws all that the report shows; never fails, since a report without clips is still a report."""
    states = {name: e.render_states for name, e in run.episodes.items() if e.render_states is not None}
    chosen = early_middle_late(comparisons)
    if not states and not chosen:
        return Footage(problem="The run kept no render states to draw.")
    try:
        with open_draw(run) as draw:
            return Footage(
                episodes={
                    name: clips.webm(clips.frames_of(_shown(rows, fps), draw), fps) for name, rows in states.items()
                },
                comparisons=[(comparison, _segments(comparison, draw, fps)) for comparison in chosen],
            )
    except Exception as error:  # no display, no driver, no renderer: each library raises its own
        reason = str(error).partition("\n")[0]
        return Footage(problem=f"The clips could not be drawn here: {type(error).__name__}: {reason}")


def early_middle_late(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Up to three of the comparisons that can be drawn, spread over the order they were asked in."""
    drawable = [c for c in comparisons if all(s.render_states is not None for s in c.query.segments)]
    drawable.sort(key=lambda comparison: comparison.query.step)
    if not drawable:
        return []
    places = np.linspace(0, len(drawable) - 1, SHOWN_COMPARISONS).round().astype(int)
    return [drawable[i] for i in np.unique(places)]


def _shown(rows: np.ndarray, fps: float) -> np.ndarray:
    """The beginning of an episode's render states [T, S]; recorded screens are bytes."""
    return rows[:MOST_FRAMES] if rows.dtype == np.uint8 else rows[: min(MOST_FRAMES, max(1, round(SECONDS * fps)))]


def _segments(comparison: Comparison, draw: clips.Draw, fps: float) -> list[bytes]:
    states = [segment.render_states for segment in comparison.query.segments]
    return [clips.webm(clips.frames_of(rows[:MOST_FRAMES], draw), fps) for rows in states if rows is not None]
