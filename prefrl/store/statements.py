"""The SQL of the preference store that takes more than a line."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, distinct, exists, func, literal, or_, select, update

from prefrl.queries import Past, Record
from prefrl.store.opening import insert
from prefrl.store.tables import answers, claims, is_open, labelers, queries, query_segments, segments, stands, withdrawn

COPIED = ("query_id", "labeler", "swapped", "repeat", "seconds", "answered_at", "withdrawn_at")
"""Columns of the answers that are fields of `Record` as well."""

is_label = and_(stands, answers.c.repeat.is_(False))  # of an answer that compares or that skips


def _of_this_query(table: Any) -> Any:
    """Rows of answers or claims about the query that the statement around it looks at."""
    return select(table).where(table.c.query_id == queries.c.id).correlate(queries)


def _number_given() -> Any:
    return _of_this_query(answers).where(is_label).with_only_columns(func.count()).scalar_subquery()


def _number_held(now: float) -> Any:
    return _of_this_query(claims).where(claims.c.until > now).with_only_columns(func.count()).scalar_subquery()


def claim_oldest(
    connection: Connection,
    labeler: str,
    now: float,
    until: float,
    query_id: str | None = None,
    but_not: Collection[str] = (),
) -> Any:
    """Claims the oldest query that still wants this labeler, or this one if it does, and gives its id."""
    has_it = and_(claims.c.labeler == labeler, claims.c.until > now)
    oldest = (
        select(queries.c.id, literal(labeler), literal(until))
        .where(
            is_open,
            ~exists(_of_this_query(answers).where(is_label, answers.c.labeler == labeler)),
            ~exists(_of_this_query(claims).where(has_it)),
            _number_given() + _number_held(now) < queries.c.answers_wanted,
        )
        .order_by(queries.c.seq)
        .limit(1)
    )
    if query_id is not None:
        oldest = oldest.where(queries.c.id == query_id)
    if but_not:
        oldest = oldest.where(queries.c.id.not_in(but_not))
    statement = insert(connection, claims).from_select(["query_id", "labeler", "until"], oldest)
    return _take_over(statement).returning(claims.c.query_id)


def hold(connection: Connection, query_id: str, labeler: str, until: float) -> Any:
    """Has a labeler hold a query, whoever else does."""
    return _take_over(insert(connection, claims).values(query_id=query_id, labeler=labeler, until=until))


def _take_over(statement: Any) -> Any:
    return statement.on_conflict_do_update(
        index_elements=[claims.c.query_id, claims.c.labeler], set_={"until": statement.excluded.until}
    )


def renew_claims(labeler: str, query_ids: Collection[str], now: float, until: float) -> Any:
    """Renews what `labeler` holds of these queries; gives their ids."""
    held = update(claims).where(claims.c.labeler == labeler, claims.c.query_id.in_(query_ids), claims.c.until > now)
    return held.values(until=until).returning(claims.c.query_id)


def release_claims(labeler: str, query_ids: Collection[str] | None = None) -> Any:
    """Frees what `labeler` holds: all of it, or only these queries."""
    held = delete(claims).where(claims.c.labeler == labeler)
    return held if query_ids is None else held.where(claims.c.query_id.in_(query_ids))


def close_or_open(query_id: str) -> Any:
    """A query is open until it has the answers that it wants; one that is outdated stays so."""
    wants_more = and_(_number_given() < queries.c.answers_wanted, queries.c.expired_at.is_(None))
    return update(queries).where(queries.c.id == query_id).values(open=wants_more)


def expire(before_step: int, now: float) -> Any:
    """Closes what nobody answered and nobody holds."""
    forgotten = and_(_number_given() == 0, _number_held(now) == 0)
    outdated = update(queries).where(is_open, queries.c.step < before_step, forgotten)
    return outdated.values(open=False, expired_at=now)


def answer_of(query_id: str, labeler: str, repeat: bool) -> Select[Any]:
    """Id and ranks of the answer that a labeler gave and did not withdraw, if there is one."""
    return select(answers.c.id, answers.c.ranks).where(
        answers.c.query_id == query_id, answers.c.labeler == labeler, answers.c.repeat.is_(repeat), stands
    )


def same_answer(record: Record, ranks: str | None) -> Select[Any]:
    """Id and time of withdrawal of an answer as it was taken down, by whichever store."""
    return select(answers.c.id, answers.c.withdrawn_at).where(
        answers.c.query_id == record.query_id,
        answers.c.labeler == record.labeler,
        answers.c.repeat.is_(record.repeat),
        answers.c.answered_at == record.answered_at,
        answers.c.ranks.is_not_distinct_from(ranks),
    )


def is_past(past: Past) -> Any:
    """Whether a run has asked a query."""
    at_the_step = and_(queries.c.step == past.step, queries.c.nonce < past.nonce)
    return or_(queries.c.seq <= past.known, queries.c.step < past.step, at_the_step)


def last_query() -> Select[Any]:
    """The number of the latest query; 0 where there is none."""
    return select(func.coalesce(func.max(queries.c.seq), 0))


def segment_ids(past: Past | None) -> Select[Any]:
    """Every query's id with the id of each of its segments, in the query's own order."""
    ordered = (
        select(query_segments.c.query_id, query_segments.c.segment_id)
        .join_from(query_segments, queries)
        .order_by(query_segments.c.query_id, query_segments.c.position)
    )
    return ordered if past is None else ordered.where(is_past(past))


def count_owed(past: Past) -> Select[Any]:
    """Number of a run's queries that have a label, or are open and unanswered."""
    has_label = exists(_of_this_query(answers).where(is_label, answers.c.ranks.is_not(None)))
    may_get_one = and_(is_open, _number_given() == 0)
    return select(func.count()).select_from(queries).where(is_past(past), or_(may_get_one, has_label))


def query_rows() -> Select[Any]:
    """Id, step and nonce of queries."""
    return select(queries.c.id, queries.c.step, queries.c.nonce)


def all_answers(past: Past | None) -> Select[Any]:
    """Every answer that counts, with its query's id, step and nonce, in order of asking, then of answering."""
    statement = (
        query_rows()
        .add_columns(answers.c.ranks, answers.c.labeler)
        .join_from(queries, answers)
        .where(is_label)
        .order_by(queries.c.seq, answers.c.id)
    )
    return statement if past is None else statement.where(is_past(past))


def all_records() -> Select[Any]:
    """Every answer, withdrawn ones and repeats too, with its query's step and labeler's kind, in order of answering."""
    records = select(answers, queries.c.step, labelers.c.kind).join_from(answers, queries).join(labelers)
    return records.order_by(answers.c.answered_at, answers.c.id)


def segments_of(query_ids: list[str]) -> Select[Any]:
    """The segments of some queries, each query's in its own order."""
    return (
        select(query_segments.c.query_id, segments)
        .join_from(query_segments, segments)
        .where(query_segments.c.query_id.in_(query_ids))
        .order_by(query_segments.c.query_id, query_segments.c.position)
    )


def count_segments(query_id: str) -> Select[Any]:
    """Number of segments in a query; 0 if there is no such query."""
    return select(func.count()).select_from(query_segments).where(query_segments.c.query_id == query_id)


def count_labels() -> Select[Any]:
    """Number of queries with an answer that compares."""
    return select(func.count(distinct(answers.c.query_id))).where(is_label, answers.c.ranks.is_not(None))


def count_everything(now: float) -> Select[Any]:
    """One row with the numbers of `Counts`."""
    asked = select(func.count()).select_from(queries)
    answered = select(func.count(distinct(answers.c.query_id))).where(is_label)
    compared = answered.where(answers.c.ranks.is_not(None))
    numbers = {
        "asked": asked,
        "open": asked.where(is_open, _number_held(now) == 0),
        "held": asked.where(is_open, _number_held(now) > 0),
        "labels": compared,
        "expired": asked.where(queries.c.expired_at.is_not(None), _number_given() == 0),
    }
    columns = {name: number.scalar_subquery() for name, number in numbers.items()}
    skipped = answered.scalar_subquery() - columns["labels"]
    return select(*(column.label(name) for name, column in columns.items()), skipped.label("skipped"))


def revision() -> Select[Any]:
    """The last answer's number and the number of those withdrawn."""
    last = select(func.coalesce(func.max(answers.c.id), 0)).scalar_subquery()
    gone = select(func.count()).select_from(answers).where(withdrawn).scalar_subquery()
    return select(last + gone)
