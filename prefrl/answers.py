"""What `prefrl answers` shows of a store."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from prefrl.quality import Agreement, Quality, Share, agreement, by_labeler, quality
from prefrl.store import Counts, PreferenceStore

LEGEND = """left: of the answers that prefer one, those for what was on the left of the screen, with its 95 % interval
consistent: repeats that were answered as the first time"""


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
