"""Rows of the preference store: how transactions change them, and how they become queries and answers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, select, update

from prefrl.core.errors import PrefrlError
from prefrl.core.registry import unknown
from prefrl.queries import KINDS, Answer, LabelerKind, Past, Query, Record, Remarks, usual_kind
from prefrl.segments import Segment
from prefrl.store import codec, statements
from prefrl.store.opening import insert
from prefrl.store.tables import answers, labelers, meta, queries, query_segments, segments

READ_AT_ONCE = 500  # queries whose segments one SELECT fetches


def fact(connection: Connection, key: str) -> str | None:
    """Reads an entry of the store about itself."""
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def ask(
    connection: Connection,
    new: list[Query],
    answers_wanted: Callable[[Query], int] | int = 1,
    expired_at: float | None = None,
) -> None:
    """Adds queries and their segments, those that are not there yet; with `expired_at`, outdated from the start."""
    distinct = {segment.id: segment for query in new for segment in query.segments}
    segment_rows = [
        {"id": name, "env_id": segment.env_id, "blob": codec.encode(segment)} for name, segment in distinct.items()
    ]
    query_rows = [
        {
            "id": query.id,
            "step": int(query.step),
            "nonce": int(query.nonce),
            "answers_wanted": answers_wanted(query) if callable(answers_wanted) else answers_wanted,
            "open": expired_at is None,
            "expired_at": expired_at,
        }
        for query in new
    ]
    position_rows = [
        {"query_id": query.id, "position": position, "segment_id": segment.id}
        for query in new
        for position, segment in enumerate(query.segments)
    ]
    insert_new(connection, segments, segment_rows)
    insert_new(connection, queries, query_rows)
    insert_new(connection, query_segments, position_rows)


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Adds the rows whose keys are not there yet."""
    connection.execute(insert(connection, table).on_conflict_do_nothing(), rows)


def take_over(connection: Connection, record: Record) -> bool:
    """Adds an answer, or withdraws it where it was taken over before; returns whether that changed anything."""
    ranks = to_ranks(record.answer)
    if (same := connection.execute(statements.same_answer(record, ranks)).first()) is not None:
        if same.withdrawn_at is not None or record.withdrawn_at is None:
            return False
        withdrawn = update(answers).where(answers.c.id == same.id)
        connection.execute(withdrawn.values(withdrawn_at=record.withdrawn_at))
        return True
    if record.withdrawn_at is None:
        before = connection.execute(statements.answer_of(record.query_id, record.labeler, record.repeat)).one_or_none()
        if before is not None and before.ranks != ranks:
            raise refused(record.query_id, record.labeler, before.ranks, record.answer)
        if before is not None:
            return False
    row = {name: getattr(record, name) for name in statements.COPIED} | to_columns(record.remarks)
    connection.execute(answers.insert(), row | {"ranks": ranks, "shown": to_json(record.shown)})
    return True


def insert_labelers(connection: Connection, kinds: dict[str, LabelerKind | None]) -> None:
    """Adds labelers that are not there yet, by name; of a kind None the one that the name says.

    Raises:
        PrefrlError: there is no such kind.
    """
    for kind in kinds.values():
        if kind is not None and kind not in KINDS:
            raise PrefrlError(unknown("kind of labeler", kind, KINDS))
    rows = [{"name": name, "kind": kind or usual_kind(name)} for name, kind in kinds.items()]
    insert_new(connection, labelers, rows)


def order_shown(shown: Sequence[int] | None, swapped: bool, num_segments: int) -> tuple[int, ...]:
    """Which of a query's segments was shown first, second, ...: as given, or all in the query's order or in reverse.

    Raises:
        PrefrlError: not each segment once.
    """
    if shown is None:
        return tuple(range(num_segments))[:: -1 if swapped else 1]
    if sorted(shown) != list(range(num_segments)):
        raise PrefrlError(f"each of the {num_segments} segments is shown once, got the order {tuple(shown)}")
    return tuple(int(position) for position in shown)


def check_shape(connection: Connection, query_id: str, answer: Answer, remarks: Remarks) -> int:
    """Refuses ranks and ratings that are not one a segment of a query that there is; returns how many it has."""
    num_segments = connection.execute(statements.count_segments(query_id)).scalar_one()
    if not num_segments:
        raise PrefrlError(f"the store has no query {query_id}")
    if answer.ranks is not None and len(answer.ranks) != num_segments:
        raise PrefrlError(f"query {query_id} has {num_segments} segments, got ranks {answer.ranks}")
    if remarks.rating is not None and len(remarks.rating) != num_segments:
        raise PrefrlError(f"query {query_id} has {num_segments} segments, got ratings {remarks.rating}")
    return num_segments


def read_one(connection: Connection, query_id: str) -> Query:
    """A query with its segments; PrefrlError where there is none of that id."""
    rows = connection.execute(statements.query_rows().where(queries.c.id == query_id)).all()
    if not rows:
        raise PrefrlError(f"the store has no query {query_id}")
    return read(connection, rows)[query_id]


def read(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, Query]:
    """The queries of rows with their id, step and nonce, by id."""
    wanted = {row.id: row for row in rows}
    ids = list(wanted)
    parts: dict[str, list[Segment]] = defaultdict(list)
    for start in range(0, len(ids), READ_AT_ONCE):
        for part in connection.execute(statements.segments_of(ids[start : start + READ_AT_ONCE])):
            parts[part.query_id].append(codec.decode(part.id, part.env_id, part.blob))
    return {name: Query(tuple(parts[name]), row.step, row.nonce) for name, row in wanted.items()}


def segment_ids(connection: Connection, past: Past | None) -> dict[str, list[str]]:
    """The names of each query's segments, in its own order, by its id."""
    found: dict[str, list[str]] = defaultdict(list)
    for query_id, segment_id in connection.execute(statements.segment_ids(past)):
        found[query_id].append(segment_id)
    return found


def refused(query_id: str, labeler: str, ranks: str | None, answer: Answer) -> PrefrlError:
    """The error for an answer where another one stands."""
    return PrefrlError(
        f"{labeler} answered query {query_id} before, with {to_answer(ranks)}; "
        f"that stays until it is withdrawn, {answer} was refused"
    )


def to_ranks(answer: Answer) -> str | None:
    return to_json(answer.ranks)


def to_json(numbers: Sequence[int] | None) -> str | None:
    return None if numbers is None else json.dumps([int(number) for number in numbers])


def to_columns(remarks: Remarks) -> dict[str, Any]:
    """The columns of a row of answers, by name."""
    rating = None if remarks.rating is None else json.dumps([float(number) for number in remarks.rating])
    return {**vars(remarks), "rating": rating}


def to_record(row: Row[Any]) -> Record:
    """A row of `statements.all_records`."""
    rating = None if row.rating is None else tuple(json.loads(row.rating))
    return Record(
        step=row.step,
        answer=to_answer(row.ranks),
        shown=None if row.shown is None else tuple(json.loads(row.shown)),
        kind=row.kind,
        remarks=Remarks(row.strength, rating, row.note, row.flag),
        **{name: getattr(row, name) for name in statements.COPIED},
    )


def to_answer(ranks: str | None) -> Answer:
    return Answer(None if ranks is None else tuple(json.loads(ranks)))
