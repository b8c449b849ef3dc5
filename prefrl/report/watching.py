"""The clips of a report: what the agent does, and what a labeler said of two segments."""

from __future__ import annotations

import base64

from prefrl.queries import Answer, Comparison
from prefrl.report.footage import Footage
from prefrl.report.record import RunRecord
from prefrl.report.text import escape, number, section

_TITLES = {"before": "Before training", "midway": "Midway", "after": "After training"}


def episodes(run: RunRecord, footage: Footage) -> str:
    """The episodes before, midway and after, side by side."""
    figures = []
    for name, clip in footage.episodes.items():
        episode = run.episodes[name]
        at = "" if episode.step is None else f"step {episode.step:,}"
        caption = (
            f"<b>{_TITLES[name]}</b> <span>{at}</span>"
            f'<span class="score">true return {number(episode.true_return)}</span>'
        )
        alt = f"{_TITLES[name]}: an episode of {run.env_id}"
        figures.append(f'<figure class="card">{video(clip, alt)}<figcaption>{caption}</figcaption></figure>')
    shown = f'<div class="episodes">{"".join(figures)}</div>' if figures else ""
    why = f'<p class="missing">{escape(footage.problem)}</p>' if footage.problem else ""
    return section("The agent at work", "", shown or why, id="clips")


def comparisons(footage: Footage) -> str:
    """An early, a middle and a late question, and how it was answered."""
    rows = [_comparison(comparison, segments) for comparison, segments in footage.comparisons]
    lead = "What the labeler was shown, and what it preferred. The agent never saw the true returns below."
    return section("Some of the comparisons", lead, *rows, id="comparisons")


def verdict(answer: Answer) -> str:
    """LEFT, RIGHT, TIE, CANNOT TELL; a ranking of more than two as the places, best 1."""
    if answer.ranks is None:
        return "CANNOT TELL"
    if len(answer.ranks) != 2:
        return "PLACES " + ", ".join(str(rank + 1) for rank in answer.ranks)
    return {1.0: "LEFT", 0.0: "RIGHT", 0.5: "TIE"}[answer.prefer_left]


def video(clip: bytes, alt: str) -> str:
    """A WebM clip inside the page; page.js stops it where the reader wants no motion."""
    data = base64.b64encode(clip).decode("ascii")
    return (
        f'<video autoplay loop muted playsinline aria-label="{escape(alt)}" '
        f'src="data:video/webm;base64,{data}"></video>'
    )


def _comparison(comparison: Comparison, clips: list[bytes]) -> str:
    said, ranks = verdict(comparison.answer), comparison.answer.ranks
    any_chosen = ranks is not None and len(set(ranks)) > 1
    shown = []
    for i, (segment, clip) in enumerate(zip(comparison.query.segments, clips, strict=True)):
        chosen = any_chosen and ranks is not None and ranks[i] == 0
        mark = '<span class="mark">preferred</span>' if chosen else ""
        score = f'<span class="score">true return {number(segment.true_return)}</span>'
        kind = "chosen" if chosen else ""
        moving = video(clip, f"segment {i + 1} of {len(clips)}")
        shown.append(f'<div class="option {kind}">{moving}<div class="under">{mark}{score}</div></div>')
    head = (
        f'<figcaption><span class="verdict {"chose" if any_chosen else ""}">{escape(said)}</span> '
        f"<b>asked at step {comparison.query.step:,}</b> "
        f"<span>answered by {escape(comparison.labeler)}</span></figcaption>"
    )
    return f'<figure class="card comparison">{head}<div class="options">{"".join(shown)}</div></figure>'
