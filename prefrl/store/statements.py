"""The SQL of the preference store that takes more than a line."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, or_, select, update

from prefrl.store.tables import answers, is_open, queries, query_segments, segments


def claim_oldest(labeler: str, now: float, until: float) -> Any:
    """Claims in one statement, so that two labelers never get the same query; gives its id, step and nonce.

    FOR UPDATE SKIP LOCKED is for PostgreSQL; SQLite has one writer at a time, and SQLAlchemy omits it there.
    """
    free = or_(queries.c.claimed_until.is_(None), queries.c.claimed_until <= now)
    oldest = select(queries.c.seq).where(is_open, free).order_by(queries.c.seq).limit(1)
    return (
        update(queries)
        .where(queries.c.seq == oldest.with_for_update(skip_locked=True).scalar_subquery())
        .values(claimed_by=labeler, claimed_until=until)
        .returning(queries.c.id, queries.c.step, queries.c.nonce)
    )


def ranks_of(query_id: str, labeler: str) -> Select[Any]:
    """The ranks that a labeler gave, if it answered."""
    return select(answers.c.ranks).where(answers.c.query_id == query_id, answers.c.labeler == labeler)


def close_query(query_id: str) -> Any:
    """Takes a query off the list of open ones."""
    closed = {"open": False, "claimed_by": None, "claimed_until": None}
    return update(queries).where(queries.c.id == query_id).values(closed)


def release_claims(labeler: str) -> Any:
    """Frees what `labeler` holds."""
    held = update(queries).where(is_open, queries.c.claimed_by == labeler)
    return held.values(claimed_by=None, claimed_until=None)


def all_answers(up_to_step: int | None) -> Select[Any]:
    """Every answer with its query's id, step and nonce, in order of asking, then of answering."""
    statement = (
        select(queries.c.id, queries.c.step, queries.c.nonce, answers.c.ranks, answers.c.labeler)
        .join_from(queries, answers)
        .order_by(queries.c.seq, answers.c.id)
    )
    return statement if up_to_step is None else statement.where(queries.c.step <= up_to_step)


def segments_of(query_ids: list[str]) -> Select[Any]:
    """The segments of some queries, each query's in the order in which they are shown."""
    return (
        select(query_segments.c.query_id, segments)
        .join_from(query_segments, segments)
        .where(query_segments.c.query_id.in_(query_ids))
        .order_by(query_segments.c.query_id, query_segments.c.position)
    )


def count_segments(query_id: str) -> Select[Any]:
    """How many segments a query has; 0 if there is no such query."""
    return select(func.count()).select_from(query_segments).where(query_segments.c.query_id == query_id)


def count_labels(before_step: int | None) -> Select[Any]:
    """How many answers compare, of queries asked before a step."""
    count = select(func.count()).select_from(answers.join(queries)).where(answers.c.ranks.is_not(None))
    return count if before_step is None else count.where(queries.c.step < before_step)


def count_everything() -> Select[Any]:
    """One row: queries asked and open, answers that are labels and that are skips."""
    asked, given = (select(func.count()).select_from(table) for table in (queries, answers))
    return select(
        asked.scalar_subquery().label("asked"),
        asked.where(is_open).scalar_subquery().label("open"),
        given.where(answers.c.ranks.is_not(None)).scalar_subquery().label("labels"),
        given.where(answers.c.ranks.is_(None)).scalar_subquery().label("skipped"),
    )
