"""The figures on the page of progress, computed from the store's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from prefrl.quality import Share, agreement, by_labeler, quality
from prefrl.queries import Record
from prefrl.store import Counts

POINTS = 200  # of a curve, at most
MOST_CURVES = 7  # that a person can tell apart in one picture
RATE_OVER = 600.0  # seconds that "now" is


def progress(records: Sequence[Record], counts: Counts, now: float) -> dict[str, Any]:
    """The figures of the answers on the page.

    Args:
        now: seconds since 1970.
    """
    found, theirs = agreement(records), by_labeler(records)
    return {
        "now": now,
        "counts": asdict(counts),
        "curve": curve(records),
        "curves": curves(theirs),
        "per_minute": rate(records, now),
        "labelers": [_labeler(name, each, now) for name, each in theirs.items()],
        "agreement": {"labelers": found.labelers, "queries": found.queries, "kappa": found.kappa, "alpha": found.alpha},
    }


def curve(records: Sequence[Record]) -> list[tuple[float, int]]:
    """(seconds since 1970, labels that stand by then), thinned out; the first answer of a query is its label."""
    first: dict[str, float] = {}
    for record in records:
        if _stands(record) and record.answer.comparable:
            first[record.query_id] = min(record.answered_at, first.get(record.query_id, record.answered_at))
    times = sorted(first.values())
    step = max(1, -(-len(times) // POINTS))
    points = [(at, number) for number, at in enumerate(times, 1)]
    kept = points[:1] + points[step - 1 :: step] if step > 1 else points
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def curves(records: Mapping[str, Sequence[Record]]) -> list[tuple[str, list[tuple[float, int]]]]:
    """(name, curve) of the first seven in `records` who labeled, in the order in which they began.

    So a line keeps its color while others overtake it. A pair that two have labeled counts in both of their
    curves, and once in that of all.
    """
    found = [(name, curve(theirs)) for name, theirs in records.items()]
    return sorted([each for each in found if each[1]][:MOST_CURVES], key=lambda each: each[1][0])


def rate(records: Sequence[Record], now: float) -> float:
    """Answers a minute over the last ten; over the time since the first answer where that is less."""
    times = [record.answered_at for record in records if _stands(record)]
    recent = [at for at in times if now - at <= RATE_OVER]
    if not recent:
        return 0.0
    seconds = min(RATE_OVER, max(60.0, now - min(times)))
    return 60 * len(recent) / seconds


def _labeler(name: str, records: Sequence[Record], now: float) -> dict[str, Any]:
    row = quality(records)
    return {
        "name": name,
        "answers": row.answers,
        "per_minute": rate(records, now),
        "left": _share(row.left),
        "ties": row.ties,
        "skipped": row.skipped,
        "seconds": None if row.seconds is None else row.seconds[0],
        "consistent": _share(row.consistent),
        "last": max((record.answered_at for record in records), default=None),
    }


def _share(share: Share) -> dict[str, int]:
    return {"count": share.count, "of": share.of}


def _stands(record: Record) -> bool:
    return record.withdrawn_at is None and not record.repeat
