"""Tables of `prefrl answers`."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table

from prefrl.core.errors import PrefrlError
from prefrl.quality import Agreement, Quality, Share, agreement, by_labeler, on_screen, quality
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Record
from prefrl.store import Counts, PreferenceStore

LEGEND = """left: of the answers that prefer one, those for what was on the left of the screen, with its 95 % interval
consistent: repeats that were answered as the first time"""

WORDS = {LEFT: "left", RIGHT: "right", TIE: "tie", INCOMPARABLE: "skipped"}
SHORT_ID = 8  # characters of a query's id: of 10,000 queries hardly two have the same


def overview(store: PreferenceStore) -> RenderableType:
    """A row a labeler, and what is to be said of all."""
    counts, records = store.counts(), store.records()
    table = Table("labeler", box=None, pad_edge=False)
    for column in ("answers", "left", "ties", "skipped", "s median", "s p90", "consistent", "withdrawn"):
        table.add_column(column, justify="right")
    labelers = by_labeler(records)
    rows = {name: quality(found) for name, found in labelers.items()}
    if len(rows) > 1:
        rows["all"] = quality(records)
    for name, row in rows.items():
        table.add_row(name, *_cells(row))
    head = "\n".join([_state(counts), *_about_agreement(agreement(records))])
    return Group(head, "", table, "", LEGEND) if rows else head


def latest(store: PreferenceStore, number: int) -> RenderableType:
    """A row for each of the latest answers, the last one first, withdrawn ones and repeats among them."""
    records = store.records()
    table = Table("when", "labeler", "answer", box=None, pad_edge=False)
    table.add_column("seconds", justify="right")
    table.add_column("query")
    table.add_column("")
    for record in reversed(records[-number:]):
        table.add_row(*_row(record))
    said = ["left, right: as the labeler saw it"]
    if (older := len(records) - number) > 0:
        said.append(f"{older:,} older answers are not shown; --last {len(records)} shows all")
    return Group(table, "", *said)


def find_query(store: PreferenceStore, beginning: str) -> str:
    """The id of the query whose id begins so.

    Raises:
        PrefrlError: there is none, or more than one.
    """
    found = [query_id for query_id in store.asked() if query_id.startswith(beginning)]
    if not found:
        raise PrefrlError(f"no query has an id that begins with {beginning!r}; the list of answers shows ids")
    if len(found) > 1:
        raise PrefrlError(
            f"{len(found):,} queries have an id that begins with {beginning!r}, such as {', '.join(found[:2])}"
        )
    return found[0]


def _row(record: Record) -> tuple[str, ...]:
    answer = on_screen(record)
    remarks = record.remarks
    states = {"repeat": record.repeat, "withdrawn": record.withdrawn_at is not None, "flagged": remarks.flag}
    remarked = [name for name, holds in states.items() if holds]
    if remarks.note:
        remarked.append(f'"{" ".join(remarks.note.split())}"')
    return (
        f"{datetime.fromtimestamp(record.answered_at):%Y-%m-%d %H:%M:%S}",
        record.labeler,
        WORDS.get(answer) or f"ranks {', '.join(map(str, answer.ranks or ()))}",
        "-" if record.seconds is None else f"{record.seconds:.1f}",
        record.query_id[:SHORT_ID],
        ", ".join(remarked),
    )


def _state(counts: Counts) -> str:
    return (
        f"{counts.asked:,} queries: {counts.labels:,} compared, {counts.skipped:,} skipped, {counts.open:,} open, "
        f"{counts.held:,} in hand, {counts.expired:,} outdated"
    )


def _about_agreement(found: Agreement) -> list[str]:
    if not found.queries:
        return []
    measures = {"Cohen's kappa": found.kappa, "Krippendorff's alpha": found.alpha}
    said = [f"{name} {value:.2f}" for name, value in measures.items() if value is not None]
    said = said or ["no agreement beyond chance can be told from them"]
    return [f"{found.queries:,} of them compared by several of {found.labelers} labelers: {', '.join(said)}"]


def _cells(row: Quality) -> list[str]:
    median, p90 = (f"{value:.1f}" for value in row.seconds) if row.seconds else ("-", "-")
    numbers = [f"{number:,}" for number in (row.answers, row.ties, row.skipped, row.withdrawn)]
    answers, ties, skipped, withdrawn = numbers
    consistent = f"{row.consistent.count} of {row.consistent.of}" if row.consistent.of else "-"
    return [answers, _with_interval(row.left), ties, skipped, median, p90, consistent, withdrawn]


def _with_interval(share: Share) -> str:
    if share.value is None or share.interval is None:
        return "-"
    low, high = share.interval
    return f"{share.value:.2f} ({low:.2f}-{high:.2f})"
