"""The preference store: what was asked, who has it in hand, and what was answered."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Row, Table

from prefrl.queries import Answer, Comparison, Query
from prefrl.segments import Segment
from prefrl.store import codec, statements
from prefrl.store.opening import insert_new, open_database
from prefrl.store.sqlite import sqlite_path
from prefrl.store.tables import answers, labelers, queries, query_segments, segments

READ_AT_ONCE = 500  # queries whose segments one SELECT fetches


@dataclass(frozen=True)
class Counts:
    """How far labelling is.

    Attributes:
        asked: queries, all of them.
        open: queries without an answer, in somebody's hand or not.
        labels: answers that compare, ties among them; what a budget of labels counts.
        skipped: answers that the segments cannot be compared.
    """

    asked: int
    open: int
    labels: int
    skipped: int


class PreferenceStore:
    """All that trainer and labelers share: the trainer asks and reads, a labeler claims and answers.

    Every method is one transaction, and what it wrote is on disk when it returns. Any number of processes and
    threads may use a store at once.
    """

    def __init__(self, location: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        """Opens a store, or makes one where there is none.

        Args:
            location: a file, or a SQLAlchemy URL such as "postgresql+psycopg://host/name".
            clock: the time in seconds since 1970.

        Raises:
            ValueError: what is there is no store, or one of another version; it stays as it is.
        """
        self._clock = clock
        self._reading = open_database(location, clock())
        # A write takes its lock at once: what it has read cannot have changed when it writes.
        self._writing = self._reading.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    @classmethod
    def existing(cls, location: str | Path, *, clock: Callable[[], float] = time.time) -> Self:
        """Opens a store that somebody else made.

        Raises:
            ValueError: there is none.
        """
        path = sqlite_path(location)
        if path is not None and not path.exists():
            raise ValueError(f"no store at {path}; `prefrl train` makes one in its output folder")
        return cls(location, clock=clock)

    def ask(self, asked: Iterable[Query]) -> None:
        """Adds queries in this order, all or none of them.

        A query or segment that the store has stays as it is: a resumed run asks again what it had asked.
        """
        new = list(asked)
        distinct = {segment.id: segment for query in new for segment in query.segments}
        segment_rows = [
            {"id": name, "env_id": segment.env_id, "blob": codec.encode(segment)} for name, segment in distinct.items()
        ]
        query_rows = [
            {"id": query.id, "step": int(query.step), "nonce": int(query.nonce), "open": True} for query in new
        ]
        position_rows = [
            {"query_id": query.id, "position": position, "segment_id": segment.id}
            for query in new
            for position, segment in enumerate(query.segments)
        ]
        if new:
            with self._writing.begin() as connection:
                self._insert_new(connection, segments, segment_rows)
                self._insert_new(connection, queries, query_rows)
                self._insert_new(connection, query_segments, position_rows)

    def claim(self, labeler: str, lease_s: float = 120.0) -> Query | None:
        """Reserves the oldest open query for `labeler`, or returns None if none is open.

        Two labelers never hold the same query. A claim older than `lease_s` seconds is open again, so that a
        closed browser tab loses nothing.
        """
        now = self._clock()
        with self._writing.begin() as connection:
            claimed = connection.execute(statements.claim_oldest(labeler, now, now + lease_s)).one_or_none()
            return None if claimed is None else self._read(connection, [claimed])[claimed.id]

    def answer(self, query_id: str, labeler: str, answer: Answer, seconds: float | None = None) -> None:
        """Takes an answer down for good; its query is no longer open to anyone.

        The same answer again changes nothing. Who answers after their lease ran out, and after somebody else,
        adds a comparison of their own.

        Args:
            seconds: that the labeler took, where known.

        Raises:
            ValueError: no such query, not one rank a segment, or the labeler answered otherwise before.
        """
        ranks = None if answer.ranks is None else json.dumps([int(rank) for rank in answer.ranks])
        with self._writing.begin() as connection:
            self._check_shape(connection, query_id, answer)
            before = connection.execute(statements.ranks_of(query_id, labeler)).one_or_none()
            if before is not None:
                if before.ranks != ranks:
                    raise ValueError(
                        f"{labeler} answered query {query_id} before, with {_to_answer(before.ranks)}; "
                        f"that stays, {answer} was refused"
                    )
                return
            self._insert_new(connection, labelers, [{"name": labeler}])
            row = {"query_id": query_id, "labeler": labeler, "ranks": ranks, "seconds": seconds}
            connection.execute(answers.insert(), row | {"answered_at": self._clock()})
            connection.execute(statements.close_query(query_id))

    def release(self, labeler: str) -> None:
        """Gives back whatever `labeler` has claimed and not answered."""
        with self._writing.begin() as connection:
            connection.execute(statements.release_claims(labeler))

    def answered(self, known: Container[str] = (), up_to_step: int | None = None) -> list[Comparison]:
        """Comparisons in the order in which their queries were asked, whoever answered when.

        Args:
            known: ids of queries to leave out, with any answer they got since; their segments are not read.
            up_to_step: leaves out queries asked after this step.
        """
        with self._reading.begin() as connection:
            rows = connection.execute(statements.all_answers(up_to_step)).all()
            rows = [row for row in rows if row.id not in known]
            read = self._read(connection, rows)
        return [Comparison(read[row.id], _to_answer(row.ranks), row.labeler) for row in rows]

    def labels(self, before_step: int | None = None) -> int:
        """How many answers compare, of queries asked before a step; without one, of all."""
        with self._reading.begin() as connection:
            return connection.execute(statements.count_labels(before_step)).scalar_one()

    def counts(self) -> Counts:
        """How far labelling is, all at one moment."""
        with self._reading.begin() as connection:
            return Counts(**connection.execute(statements.count_everything()).one()._asdict())

    def close(self) -> None:
        """Lets go of the database; everything is on disk already."""
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _insert_new(self, connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
        connection.execute(insert_new(connection.engine, table), rows)

    def _check_shape(self, connection: Connection, query_id: str, answer: Answer) -> None:
        num_segments = connection.execute(statements.count_segments(query_id)).scalar_one()
        if not num_segments:
            raise ValueError(f"the store has no query {query_id}")
        if answer.ranks is not None and len(answer.ranks) != num_segments:
            raise ValueError(f"query {query_id} has {num_segments} segments, got ranks {answer.ranks}")

    def _read(self, connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, Query]:
        """The queries of rows with their id, step and nonce, by id."""
        wanted = {row.id: row for row in rows}
        ids = list(wanted)
        parts: dict[str, list[Segment]] = defaultdict(list)
        for start in range(0, len(ids), READ_AT_ONCE):
            for part in connection.execute(statements.segments_of(ids[start : start + READ_AT_ONCE])):
                parts[part.query_id].append(codec.decode(part.id, part.env_id, part.blob))
        return {name: Query(tuple(parts[name]), row.step, row.nonce) for name, row in wanted.items()}


def _to_answer(ranks: str | None) -> Answer:
    return Answer(None if ranks is None else tuple(json.loads(ranks)))
