"""The preference store: what was asked, who has it in hand, and what was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, select, update

from prefrl.core.errors import PrefrlError
from prefrl.queries import Answer, AnsweredQuery, Comparison, LabelerKind, Pair, Past, Query, Record, Remarks
from prefrl.store import contents, statements
from prefrl.store.opening import insert, open_database
from prefrl.store.tables import answers, labelers, meta, queries

QUESTION = "Which is better?"
NO_REMARKS = Remarks()


@dataclass(frozen=True)
class Counts:
    """Progress of labeling.

    Attributes:
        asked: queries, all of them.
        open: queries that want an answer and that nobody holds.
        held: queries that want an answer and are in somebody's hand.
        labels: queries with an answer that compares, ties among them; what a budget of labels counts.
        skipped: queries of which everybody who answered said that the segments cannot be compared.
        expired: queries that got outdated before anybody answered, or were taken over with withdrawn answers alone.
    """

    asked: int
    open: int
    held: int
    labels: int
    skipped: int
    expired: int


class PreferenceStore:
    """Queries and answers, shared by trainer and labelers: the trainer asks and reads, a labeler claims and answers.

    Every method is one transaction, and what it wrote is on disk when it returns. Any number of processes and
    threads may use a store at once.
    """

    def __init__(self, location: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        """Opens a store, or makes one where there is none.

        Args:
            location: a file, or a SQLAlchemy URL such as "postgresql+psycopg://host/name".
            clock: the time in seconds since 1970.

        Raises:
            PrefrlError: what is there is no store, or one of another version; it stays as it is.
        """
        self._clock = clock
        self._open(location, clock, make=True)

    @classmethod
    def existing(cls, location: str | Path, *, clock: Callable[[], float] = time.time) -> Self:
        """Opens a store that somebody else made.

        Raises:
            PrefrlError: there is none.
        """
        store = cls.__new__(cls)
        store._open(location, clock, make=False)
        return store

    def _open(self, location: str | Path, clock: Callable[[], float], *, make: bool) -> None:
        self._clock = clock
        self._reading = open_database(location, clock(), make=make)
        # A write takes its lock at once: what it has read cannot have changed when it writes.
        self._writing = self._reading.execution_options(write=True)
        self._turn = threading.Lock()

    @property
    def question(self) -> str:
        """The question that people are asked about two clips."""
        with self._reading.begin() as connection:
            return contents.fact(connection, "question") or QUESTION

    def begin_with_question(self, text: str) -> None:
        """Sets the question unless the store has one: a trainer that resumes keeps what people set."""
        with self._write() as connection:
            contents.insert_new(connection, meta, [{"key": "question", "value": text}])

    def set_question(self, text: str) -> None:
        """Changes what a person is asked, from the next pair on."""
        with self._write() as connection:
            put = insert(connection, meta).values(key="question", value=text)
            connection.execute(put.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": text}))

    def belong_to(self, run_id: str, name: str) -> None:
        """Makes this the store of a run: another one would train on its answers, and count them as its own labels.

        Args:
            run_id: names the run for good.
            name: what a person calls it.

        Raises:
            PrefrlError: it belongs to another run.
        """
        with self._write() as connection:
            contents.insert_new(connection, meta, [{"key": "owner", "value": f"{run_id} {name}"}])
        self.check_owner(run_id)

    def check_owner(self, run_id: str | None = None) -> None:
        """Refuses a store that belongs to another run than this one, or without one to any.

        Raises:
            PrefrlError: it does.
        """
        with self._reading.begin() as connection:
            owner, _, name = (contents.fact(connection, "owner") or "").partition(" ")
        if owner not in ("", run_id):
            raise PrefrlError(
                f"this store has the answers of another run, {name}; give each its own `store`, or none for a "
                "file in its folder; answers can be exported from one and imported into the other"
            )

    def ask(self, asked: Iterable[Query], *, answers_wanted: Callable[[Query], int] | int = 1) -> None:
        """Adds queries in this order, all or none of them.

        A query or segment that the store has stays as it is: a resumed run asks again what it had asked.

        Args:
            answers_wanted: of each query; 2 asks two labelers, to see whether they agree.
        """
        if new := list(asked):
            with self._write() as connection:
                contents.ask(connection, new, answers_wanted)

    def query(self, query_id: str) -> Query:
        """One query with its segments.

        Raises:
            PrefrlError: there is none of that id.
        """
        with self._reading.begin() as connection:
            return contents.read_one(connection, query_id)

    def asked(self) -> list[str]:
        """The ids of all queries in the order of asking."""
        with self._reading.begin() as connection:
            return list(connection.execute(select(queries.c.id).order_by(queries.c.seq)).scalars())

    def queries(self, query_ids: Sequence[str]) -> dict[str, Query]:
        """Reads the queries with these ids, with their segments; unknown ids are left out."""
        with self._reading.begin() as connection:
            rows = connection.execute(statements.query_rows().where(queries.c.id.in_(query_ids))).all()
            return contents.read(connection, rows)

    def introduce(self, labeler: str, kind: LabelerKind) -> None:
        """Says of which kind a labeler is, before its first answer.

        Raises:
            PrefrlError: no such kind, or a labeler of another kind has that name here.
        """
        with self._write() as connection:
            contents.insert_labelers(connection, {labeler: kind})
            known = connection.execute(select(labelers.c.kind).where(labelers.c.name == labeler)).scalar_one()
        if known != kind:
            raise PrefrlError(
                f"{labeler!r} is a labeler of kind {known} in this store; give the one of kind {kind} another name"
            )

    def claim(self, labeler: str, lease_s: float = 120.0, but_not: Collection[str] = ()) -> Query | None:
        """Reserves the oldest open query for `labeler`, or returns None if none is open to it.

        Not what it holds or has answered, and never to more labelers than the query wants answers. A claim older
        than `lease_s` seconds is open again, so that a closed browser tab loses nothing.

        Args:
            but_not: ids of queries that it leaves to others.
        """
        now = self._clock()
        with self._write() as connection:
            oldest = statements.claim_oldest(connection, labeler, now, now + lease_s, but_not=but_not)
            claimed = connection.execute(oldest).scalar()
            return None if claimed is None else contents.read_one(connection, claimed)

    def extend(self, labeler: str, query_ids: Collection[str], lease_s: float = 120.0) -> set[str]:
        """Renews claims of `labeler`; one that ran out is taken again, if the query still wants this labeler.

        Returns:
            The ids of those that it holds now.
        """
        now = self._clock()
        with self._write() as connection:
            held = set(connection.execute(statements.renew_claims(labeler, query_ids, now, now + lease_s)).scalars())
            for query_id in set(query_ids) - held:
                again = statements.claim_oldest(connection, labeler, now, now + lease_s, query_id)
                held.update(connection.execute(again).scalars())
        return held

    def release(self, labeler: str, query_ids: Collection[str] | None = None) -> None:
        """Gives back what `labeler` has claimed and not answered: all of it, or only these queries."""
        with self._write() as connection:
            connection.execute(statements.release_claims(labeler, query_ids))

    def answer(
        self,
        query_id: str,
        labeler: str,
        answer: Answer,
        seconds: float | None = None,
        *,
        swapped: bool = False,
        repeat: bool = False,
        shown: Sequence[int] | None = None,
        kind: LabelerKind | None = None,
        remarks: Remarks = NO_REMARKS,
    ) -> None:
        """Takes an answer down; a query that has all the answers it wants is no longer open to anyone.

        The same answer again changes nothing. Who answers after their lease ran out, and after somebody else,
        adds a comparison of their own.

        Args:
            answer: in the query's own order, whatever the sides on the screen.
            seconds: that the labeler took, where known.
            swapped: the segments were shown in reverse: of a pair, the query's first one on the right.
            repeat: the labeler saw the query a second time, for self-consistency; that is no label.
            shown: which of the query's segments was shown first, second, ...; None: as `swapped` says.
            kind: of a labeler who has not answered here before; None: "oracle" by that name, else "person".
            remarks: what the labeler added.

        Raises:
            PrefrlError: no such query, not one rank or rating a segment, not each of them shown once, no such kind, or
                the labeler answered otherwise before.
        """
        ranks = contents.to_ranks(answer)
        with self._write() as connection:
            num_segments = contents.check_shape(connection, query_id, answer, remarks)
            order = contents.order_shown(shown, swapped, num_segments)
            before = connection.execute(statements.answer_of(query_id, labeler, repeat)).one_or_none()
            if before is not None:
                if before.ranks != ranks:
                    raise contents.refused(query_id, labeler, before.ranks, answer)
                return
            contents.insert_labelers(connection, {labeler: kind})
            row = {"query_id": query_id, "labeler": labeler, "ranks": ranks, "seconds": seconds, "repeat": repeat}
            row |= {"shown": contents.to_json(order), "swapped": order == tuple(reversed(range(num_segments)))}
            row |= {"answered_at": self._clock()}
            connection.execute(answers.insert(), row | contents.to_columns(remarks))
            if not repeat:
                connection.execute(statements.release_claims(labeler, [query_id]))
                connection.execute(statements.close_or_open(query_id))

    def withdraw(self, query_id: str, labeler: str, repeat: bool = False, lease_s: float = 120.0) -> None:
        """Takes an answer back: its row stays, but no longer counts, and the labeler may answer anew.

        The query is open again and this labeler holds it; a repeat neither closed it nor opens it.

        Raises:
            PrefrlError: the labeler has no answer there that counts.
        """
        now = self._clock()
        with self._write() as connection:
            found = connection.execute(statements.answer_of(query_id, labeler, repeat)).one_or_none()
            if found is None:
                what = "repeated answer" if repeat else "answer"
                raise PrefrlError(f"{labeler} has no {what} to query {query_id} that could be withdrawn")
            connection.execute(update(answers).where(answers.c.id == found.id).values(withdrawn_at=now))
            if not repeat:
                connection.execute(update(queries).where(queries.c.id == query_id).values(expired_at=None))
                connection.execute(statements.close_or_open(query_id))
                connection.execute(statements.hold(connection, query_id, labeler, now + lease_s))

    def expire(self, before_step: int) -> int:
        """Closes open queries asked before a step that nobody answered and nobody holds; returns how many."""
        with self._write() as connection:
            return connection.execute(statements.expire(before_step, self._clock())).rowcount

    def take_over(self, batches: Iterable[Sequence[tuple[Query, Record]]]) -> int:
        """Adds answers that were given elsewhere, with when and how, and their queries; all or none of them.

        They come in batches, as all segments of a game's comparisons are too much to hold at once.

        A query that comes with withdrawn answers alone is not open: it was never asked here. What the store has stays
        as it is, but for what was withdrawn elsewhere since; the same answers again change nothing.

        Returns:
            How many were added or withdrawn.

        Raises:
            PrefrlError: not one rank a segment, or a labeler answered a query otherwise here, and that stands.
        """
        changed = 0
        with self._write() as connection:
            for given in filter(None, batches):
                # What is new was asked elsewhere: here it is outdated from the start, unless an answer counts.
                contents.ask(connection, [query for query, _ in given], expired_at=self._clock())
                contents.insert_labelers(connection, {record.labeler: record.kind for _, record in given})
                for query, record in given:
                    contents.check_shape(connection, query.id, record.answer, record.remarks)
                    changed += contents.take_over(connection, record)
                    connection.execute(statements.close_or_open(query.id))
        return changed

    def answered(self, known: Container[str] = (), past: Past | None = None) -> list[Comparison]:
        """Comparisons in the order in which their queries were asked, whoever answered when.

        Two answers to a query are two comparisons. Withdrawn answers and repeats are none.

        Args:
            known: ids of queries to leave out, with any answer they got since; their segments are not read.
            past: leaves out what a run has not asked.
        """
        return [comparison for part in self.answered_in_parts(known, past) for comparison in part]

    def answered_in_parts(self, known: Container[str] = (), past: Past | None = None) -> Iterator[list[Comparison]]:
        """The same, a few hundred at a time: a thousand comparisons of a game take 0.4 GB."""
        with self._reading.begin() as connection:
            rows = connection.execute(statements.all_answers(past)).all()
            rows = [row for row in rows if row.id not in known]
            for start in range(0, len(rows), contents.READ_AT_ONCE):
                part = rows[start : start + contents.READ_AT_ONCE]
                read = contents.read(connection, part)
                yield [Comparison(read[row.id], contents.to_answer(row.ranks), row.labeler) for row in part]

    def answered_queries(self, past: Past | None = None) -> list[AnsweredQuery]:
        """The same comparisons with the names of their segments; no segments are read."""
        with self._reading.begin() as connection:
            rows = connection.execute(statements.all_answers(past)).all()
            names = contents.segment_ids(connection, past)
        return [
            AnsweredQuery(row.id, row.step, tuple(names[row.id]), contents.to_answer(row.ranks), row.labeler)
            for row in rows
        ]

    def records(self) -> list[Record]:
        """Every answer, withdrawn ones and repeats too, in order of answering; no segments are read."""
        with self._reading.begin() as connection:
            rows = connection.execute(statements.all_records()).all()
        return [contents.to_record(row) for row in rows]

    def revision(self) -> int:
        """Grows with every answer and every withdrawal: who polls reads the answers only when it has grown."""
        with self._reading.begin() as connection:
            return connection.execute(statements.revision()).scalar_one()

    def labels(self) -> int:
        """Number of queries with an answer that compares.

        What a budget of labels counts: a second opinion comes on top.
        """
        with self._reading.begin() as connection:
            return connection.execute(statements.count_labels()).scalar_one()

    def owed(self, past: Past) -> int:
        """Number of a run's queries that have a label, or are open to get their first answer.

        Those that were skipped or got outdated leave room in the budget for others.
        """
        with self._reading.begin() as connection:
            return connection.execute(statements.count_owed(past)).scalar_one()

    def pairs(self, past: Past | None = None) -> set[Pair]:
        """The pairs in the queries of a run, or in all queries, answered or not."""
        with self._reading.begin() as connection:
            return {frozenset(ids) for ids in contents.segment_ids(connection, past).values()}

    def last_query(self) -> int:
        """The number of the latest query, from 1; 0 where there is none."""
        with self._reading.begin() as connection:
            return connection.execute(statements.last_query()).scalar_one()

    def counts(self) -> Counts:
        """Progress of labeling, all read at one moment."""
        with self._reading.begin() as connection:
            return Counts(**connection.execute(statements.count_everything(self._clock())).one()._asdict())

    def close(self) -> None:
        """Lets go of the database; everything is on disk already."""
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """Threads queue here: SQLite, where locked, is asked again after ever longer sleeps, up to 0.1 s."""
        with self._turn, self._writing.begin() as connection:
            yield connection
