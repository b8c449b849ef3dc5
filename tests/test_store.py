import multiprocessing
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from prefrl.labelers.base import work
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Query, Record
from prefrl.segments import Segment
from prefrl.store import Counts, PreferenceStore, statements
from prefrl.store.opening import connect_server
from prefrl.store.sqlite import connect, network_file_system, sqlite_path


class Clock:
    """Turned by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def a_segment(number):
    return Segment("toy", np.full((3, 2), number), np.zeros((3, 1)), np.full(3, float(number)))


def a_query(number, step=0, size=2):
    return Query(tuple(a_segment(10 * number + i) for i in range(size)), step=step)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "preferences.sqlite3"


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request):
    """Where a store may be made, on every engine that there is."""
    return request.getfixturevalue("path" if request.param == "sqlite" else "postgresql_database")


@pytest.fixture
def store(location, clock):
    with PreferenceStore(location, clock=clock) as opened:
        yield opened


def sql(store, statement, **values):
    """Rows of a statement of the test's own, or None if it gives none."""
    with store._reading.begin() as connection:
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else None


def counts(**numbers):
    return Counts(**dict.fromkeys(("asked", "open", "held", "labels", "skipped", "expired"), 0) | numbers)


def ids(comparisons):
    return [comparison.query.id for comparison in comparisons]


class TestAsking:
    def test_queries_come_in_the_order_of_asking(self, store):
        queries = [a_query(3), a_query(1), a_query(2)]
        store.ask(queries)
        assert [store.claim("ann").id for _ in queries] == [query.id for query in queries]
        assert store.claim("ann") is None

    def test_a_query_survives_exactly(self, store):
        query = a_query(1, step=123, size=3)
        store.ask([query])
        claimed = store.claim("ann")
        assert (claimed.id, claimed.step, claimed.nonce) == (query.id, 123, 0)
        assert [segment.id for segment in claimed.segments] == [segment.id for segment in query.segments]
        assert [segment.env_id for segment in claimed.segments] == ["toy"] * 3

    def test_asking_again_changes_nothing(self, store):
        store.ask([a_query(1), a_query(2)])
        store.claim("ann")
        store.answer(a_query(1).id, "ann", LEFT)
        store.ask([a_query(1), a_query(2), a_query(3)])
        assert store.counts() == counts(asked=3, open=2, labels=1)
        assert store.claim("bob").id == a_query(2).id

    def test_queries_may_share_segments_and_compare_one_with_itself(self, store):
        shared = a_segment(0)
        queries = [Query((shared, a_segment(1)), step=0), Query((shared, shared), step=0)]
        store.ask(queries)
        assert {store.claim("ann").id, store.claim("ann").id} == {query.id for query in queries}

    def test_all_or_none_are_asked(self, store):
        broken = Query((a_segment(1), Segment("toy", np.array([{}]), np.zeros(1), np.zeros(1))), step=0)
        with pytest.raises(ValueError, match="Python objects"):
            store.ask([a_query(1), broken])
        assert store.counts().asked == 0

    def test_asking_nothing_is_fine(self, store):
        store.ask([])
        assert store.counts() == counts()

    def test_numpy_steps_are_fine(self, store):
        store.ask([a_query(1, step=np.int64(5))])
        assert store.claim("ann").step == 5


class TestClaiming:
    def test_two_labelers_never_hold_the_same_query(self, store):
        store.ask([a_query(1), a_query(2)])
        assert store.claim("ann").id != store.claim("bob").id
        assert store.claim("cid") is None

    def test_a_claim_that_ran_out_is_open_again(self, store, clock):
        store.ask([a_query(1)])
        store.claim("ann", lease_s=60.0)
        clock.now += 59.9
        assert store.claim("bob") is None
        clock.now += 0.1
        assert store.claim("bob").id == a_query(1).id

    def test_what_is_released_is_open_again(self, store):
        store.ask([a_query(1), a_query(2)])
        store.claim("ann")
        store.claim("bob")
        store.release("ann")
        assert store.claim("cid").id == a_query(1).id
        assert store.claim("cid") is None

    def test_an_answered_query_is_open_to_nobody(self, store, clock):
        store.ask([a_query(1)])
        store.answer(store.claim("ann").id, "ann", INCOMPARABLE)
        clock.now += 1e6
        assert store.claim("ann") is None
        assert store.claim("bob") is None

    def test_claiming_does_not_slow_down_with_what_is_answered(self, path):
        with PreferenceStore(path) as store, store._reading.begin() as connection:
            statement = statements.claim_oldest(connection, "ann", 0.0, 1.0)
            plan = "EXPLAIN QUERY PLAN " + str(
                statement.compile(store._reading, compile_kwargs={"literal_binds": True})
            )
            said = str(connection.exec_driver_sql(plan).all())
        assert all(name in said for name in ("open_queries", "standing_answers"))

    def test_one_labeler_gets_a_query_once(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.claim("ann")
        assert store.claim("ann") is None

    def test_a_labeler_gets_its_own_again_when_its_time_ran_out(self, store, clock):
        store.ask([a_query(1)])
        store.claim("ann", lease_s=60.0)
        clock.now += 61
        assert store.claim("ann", lease_s=60.0).id == a_query(1).id
        assert store.claim("bob") is None

    def test_only_some_are_released(self, store):
        store.ask([a_query(1), a_query(2)])
        store.claim("ann")
        store.claim("ann")
        store.release("ann", [a_query(2).id])
        assert store.claim("bob").id == a_query(2).id
        assert store.claim("bob") is None

    def test_what_is_extended_is_held_for_longer(self, store, clock):
        store.ask([a_query(1), a_query(2), a_query(3)])
        store.claim("ann", lease_s=10.0)
        store.claim("ann", lease_s=60.0)
        store.claim("bob", lease_s=60.0)
        clock.now += 30
        assert store.extend("ann", lease_s=60.0) == {a_query(2).id}
        clock.now += 40
        assert store.claim("cid").id == a_query(1).id
        assert store.claim("cid").id == a_query(3).id
        assert store.claim("cid") is None


class TestTwoAnswers:
    def test_are_from_two_labelers(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        assert store.claim("ann").id == store.claim("bob").id == a_query(1).id
        assert store.claim("cid") is None
        store.answer(a_query(1).id, "ann", LEFT)
        assert store.claim("ann") is None
        assert store.claim("cid") is None
        store.release("bob")
        assert store.claim("cid").id == a_query(1).id

    def test_close_a_query_together_and_are_one_label(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.answer(a_query(1).id, "ann", INCOMPARABLE)
        assert store.counts() == counts(asked=1, open=1, skipped=1)
        store.answer(a_query(1).id, "bob", LEFT)
        assert store.counts() == counts(asked=1, labels=1)
        assert store.claim("cid") is None
        assert [each.labeler for each in store.answered()] == ["ann", "bob"]
        assert store.labels() == store.labels(before_step=1) == 1

    def test_the_first_one_counts_at_once(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.answer(a_query(1).id, "ann", LEFT)
        assert (len(store.answered()), store.labels()) == (1, 1)

    def test_are_wanted_of_some(self, store):
        store.ask([a_query(1), a_query(2)], answers_wanted=lambda query: 2 if query.id == a_query(2).id else 1)
        for labeler in ("ann", "bob"):
            work(store, Always(LEFT, labeler))
        assert [(each.query.id, each.labeler) for each in store.answered()] == [
            (a_query(1).id, "ann"), (a_query(2).id, "ann"), (a_query(2).id, "bob")
        ]  # fmt: skip


class TestWithdrawing:
    def test_a_withdrawn_answer_no_longer_counts_and_stays(self, store, clock):
        store.ask([a_query(1), a_query(2)])
        store.answer(a_query(1).id, "ann", LEFT)
        store.answer(a_query(2).id, "ann", LEFT)
        clock.now = 2000.0
        store.withdraw(a_query(1).id, "ann")
        assert ids(store.answered()) == [a_query(2).id]
        assert store.counts() == counts(asked=2, held=1, labels=1)
        assert [(row.answer, row.answered_at, row.withdrawn_at) for row in store.records()] == [
            (LEFT, 1000.0, 2000.0), (LEFT, 1000.0, None)
        ]  # fmt: skip

    def test_who_withdrew_holds_the_query_and_answers_anew(self, store):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        store.withdraw(a_query(1).id, "ann")
        assert store.claim("bob") is None
        store.answer(a_query(1).id, "ann", RIGHT)
        assert [each.answer for each in store.answered()] == [RIGHT]
        assert [row.answer for row in store.records()] == [LEFT, RIGHT]
        assert store.claim("bob") is None

    def test_what_is_withdrawn_and_not_answered_goes_to_another(self, store, clock):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        store.withdraw(a_query(1).id, "ann", lease_s=60.0)
        clock.now += 60
        assert store.claim("bob").id == a_query(1).id

    def test_a_query_that_others_answered_stays_closed(self, store):
        store.ask([a_query(1)])
        for labeler in ("ann", "bob"):
            store.answer(a_query(1).id, labeler, LEFT)
        store.withdraw(a_query(1).id, "ann")
        assert store.counts() == counts(asked=1, labels=1)
        assert store.claim("cid") is None

    def test_again_and_again(self, store):
        store.ask([a_query(1)])
        for answer in (LEFT, RIGHT, TIE):
            store.answer(a_query(1).id, "ann", answer)
            store.withdraw(a_query(1).id, "ann")
        assert [row.answer for row in store.records() if row.withdrawn_at is not None] == [LEFT, RIGHT, TIE]

    @pytest.mark.parametrize("query_id, labeler", [("123", "ann"), (None, "bob")])
    def test_there_must_be_something_to_withdraw(self, store, query_id, labeler):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        with pytest.raises(ValueError, match=f"{labeler} has no answer to query .* that could be withdrawn"):
            store.withdraw(query_id or a_query(1).id, labeler)
        store.withdraw(a_query(1).id, "ann")
        with pytest.raises(ValueError, match="ann has no answer"):
            store.withdraw(a_query(1).id, "ann")


class TestRepeats:
    def test_are_records_but_no_labels(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.answer(a_query(1).id, "ann", LEFT, 2.0)
        store.answer(a_query(1).id, "ann", RIGHT, 3.0, swapped=True, repeat=True)
        assert [each.answer for each in store.answered()] == [LEFT]
        assert store.counts() == counts(asked=1, open=1, labels=1)
        assert [(row.repeat, row.swapped, row.seconds) for row in store.records()] == [
            (False, False, 2.0), (True, True, 3.0)
        ]  # fmt: skip

    def test_are_at_most_one_and_withdrawn_on_their_own(self, store):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        for _ in range(2):
            store.answer(a_query(1).id, "ann", RIGHT, repeat=True)
        with pytest.raises(ValueError, match="ann answered query"):
            store.answer(a_query(1).id, "ann", LEFT, repeat=True)
        store.withdraw(a_query(1).id, "ann", repeat=True)
        with pytest.raises(ValueError, match="no repeated answer"):
            store.withdraw(a_query(1).id, "ann", repeat=True)
        assert store.counts() == counts(asked=1, labels=1)
        assert [row.withdrawn_at for row in store.records()] == [None, 1000.0]


class TestExpiring:
    def test_what_nobody_answered_and_nobody_holds_is_closed(self, store, clock):
        store.ask([a_query(i, step=10 * i) for i in range(6)], answers_wanted=2)
        store.claim("ann", lease_s=60.0)  # query 0
        store.claim("ann", lease_s=5.0)
        store.answer(a_query(2, step=20).id, "bob", LEFT)
        clock.now += 10
        assert store.expire(before_step=40) == 2
        assert store.counts() == counts(asked=6, open=3, held=1, labels=1, expired=2)
        assert store.expire(before_step=40) == 0
        claimed = [store.claim("cid").id for _ in range(4)]
        assert claimed == [a_query(i, step=10 * i).id for i in (0, 2, 4, 5)]
        assert store.claim("cid") is None

    def test_an_answer_that_comes_late_counts(self, store):
        store.ask([a_query(1)])
        assert store.expire(before_step=1) == 1
        store.answer(a_query(1).id, "ann", LEFT)
        assert store.counts() == counts(asked=1, labels=1)
        store.withdraw(a_query(1).id, "ann")
        assert store.counts() == counts(asked=1, held=1)

    def test_asking_again_opens_nothing(self, store):
        store.ask([a_query(1)])
        store.expire(before_step=1)
        store.ask([a_query(1)])
        assert store.claim("ann") is None


class TestAnswering:
    @pytest.mark.parametrize("answer", [LEFT, RIGHT, TIE, INCOMPARABLE])
    def test_an_answer_survives(self, store, answer):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", answer, seconds=3.5)
        (comparison,) = store.answered()
        assert (comparison.query.id, comparison.answer, comparison.labeler) == (a_query(1).id, answer, "ann")

    def test_a_ranking_survives(self, store):
        store.ask([a_query(1, size=4)])
        store.answer(a_query(1, size=4).id, "ann", Answer((2, 0, 1, 1)))
        assert store.answered()[0].answer.ranks == (2, 0, 1, 1)

    def test_when_and_how_long_are_kept(self, store, clock):
        store.ask([a_query(1)])
        clock.now = 2000.0
        store.answer(a_query(1).id, "ann", LEFT, seconds=3.5)
        store.answer(a_query(1).id, "bob", INCOMPARABLE, swapped=True)
        one = Record(a_query(1).id, 0, "ann", LEFT, False, False, 3.5, 2000.0, None)
        assert store.records() == [one, replace(one, labeler="bob", answer=INCOMPARABLE, swapped=True, seconds=None)]

    def test_the_same_answer_again_changes_nothing(self, store):
        store.ask([a_query(1)])
        for _ in range(2):
            store.answer(a_query(1).id, "ann", LEFT)
        assert store.counts().labels == 1

    @pytest.mark.parametrize("before, after", [(LEFT, RIGHT), (LEFT, INCOMPARABLE), (INCOMPARABLE, TIE)])
    def test_another_answer_is_refused_and_the_first_stays(self, store, before, after):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", before)
        with pytest.raises(ValueError, match="ann answered query"):
            store.answer(a_query(1).id, "ann", after)
        assert [comparison.answer for comparison in store.answered()] == [before]

    def test_who_is_late_adds_a_comparison(self, store, clock):
        store.ask([a_query(1)])
        store.claim("ann")
        clock.now += 1000
        store.answer(store.claim("bob").id, "bob", LEFT)
        store.answer(a_query(1).id, "ann", RIGHT)
        assert [(each.labeler, each.answer) for each in store.answered()] == [("bob", LEFT), ("ann", RIGHT)]

    @pytest.mark.parametrize("size, answer", [(2, Answer((0, 1, 2))), (3, LEFT)])
    def test_ranks_must_be_one_a_segment(self, store, size, answer):
        store.ask([a_query(1, size=size)])
        with pytest.raises(ValueError, match=f"has {size} segments"):
            store.answer(a_query(1, size=size).id, "ann", answer)
        assert store.counts().open == 1

    def test_a_query_that_was_never_asked(self, store):
        with pytest.raises(ValueError, match="no query 123"):
            store.answer("123", "ann", LEFT)


class TestReading:
    @pytest.fixture
    def filled(self, store):
        """Five queries, two asked at step 0 and three at 100; all but the second answered, backwards."""
        queries = [a_query(i, step=0 if i < 2 else 100) for i in range(5)]
        store.ask(queries)
        for i, answer in [(4, LEFT), (3, INCOMPARABLE), (2, TIE), (0, RIGHT)]:
            store.answer(queries[i].id, "ann", answer)
        return store

    def test_comparisons_come_in_the_order_of_asking(self, filled):
        assert ids(filled.answered()) == [a_query(0).id, *(a_query(i, step=100).id for i in (2, 3, 4))]

    def test_known_ones_are_left_out_and_not_read(self, filled):
        known, damaged = {a_query(0).id}, a_query(0).segments[0].id
        sql(filled, "UPDATE segments SET blob = :blob WHERE id = :id", blob=b"0", id=damaged)
        assert ids(filled.answered(known)) == [a_query(i, step=100).id for i in (2, 3, 4)]
        with pytest.raises(ValueError, match=f"segment {damaged} is damaged"):
            filled.answered()

    @pytest.mark.parametrize("step, num", [(-1, 0), (0, 1), (99, 1), (100, 4), (None, 4)])
    def test_only_up_to_a_step(self, filled, step, num):
        assert len(filled.answered(up_to_step=step)) == num

    @pytest.mark.parametrize("step, num", [(0, 0), (1, 1), (100, 1), (101, 3), (None, 3)])
    def test_labels_before_a_step_leave_out_skips(self, filled, step, num):
        assert filled.labels(before_step=step) == num

    def test_counts(self, filled):
        assert filled.counts() == counts(asked=5, open=1, labels=3, skipped=1)

    def test_one_query(self, filled):
        assert filled.query(a_query(0).id).segments[0].id == a_query(0).segments[0].id
        with pytest.raises(ValueError, match="the store has no query 123"):
            filled.query("123")

    def test_the_revision_grows_with_answers_and_withdrawals_only(self, filled):
        seen = [filled.revision()]
        for change in (
            lambda: filled.answer(a_query(1).id, "ann", LEFT),
            lambda: filled.withdraw(a_query(1).id, "ann"),
            lambda: filled.answer(a_query(1).id, "ann", LEFT),
            lambda: filled.answer(a_query(1).id, "ann", LEFT, repeat=True),
        ):
            change()
            seen.append(filled.revision())
        assert seen == sorted(set(seen))
        filled.answer(a_query(1).id, "ann", LEFT)
        filled.claim("ann")
        filled.ask([a_query(7)])
        assert filled.revision() == seen[-1]

    def test_the_question(self, store):
        assert store.question == "Which is better?"
        for question in ("which is closer to a backflip?", "which hops höher?"):
            store.set_question(question)
            assert store.question == question

    def test_more_than_one_batch(self, store, monkeypatch):
        monkeypatch.setattr("prefrl.store.preferences.READ_AT_ONCE", 3)
        store.ask(a_query(i) for i in range(8))
        for i in range(8):
            store.answer(a_query(i).id, "ann", LEFT)
        assert ids(store.answered()) == [a_query(i).id for i in range(8)]


class Always:
    def __init__(self, answer, name="always"):
        self.answer, self.name = answer, name

    def label(self, query):
        if self.answer is None:
            raise KeyboardInterrupt
        return self.answer


class TestWorking:
    def test_until_nothing_is_open(self, store):
        store.ask(a_query(i) for i in range(5))
        assert work(store, Always(TIE)) == 5
        assert work(store, Always(TIE)) == 0
        assert {comparison.answer for comparison in store.answered()} == {TIE}

    def test_an_interrupted_labeler_holds_nothing(self, store):
        store.ask([a_query(1)])
        with pytest.raises(KeyboardInterrupt):
            work(store, Always(None))
        assert store.claim("bob").id == a_query(1).id


class TestOpening:
    def test_what_was_written_is_there_next_time(self, location):
        with PreferenceStore(location) as store:
            store.ask([a_query(1)])
        with PreferenceStore.existing(location) as store:
            assert store.claim("ann").id == a_query(1).id

    def test_a_path_may_be_a_string_or_a_url(self, path):
        PreferenceStore(path).close()
        for location in (str(path), f"sqlite:///{path}"):
            with PreferenceStore.existing(location) as store:
                assert store.counts().asked == 0

    def test_one_file_is_left_when_all_are_done(self, path):
        PreferenceStore(path).close()
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_an_answer_is_written_through_to_the_disk(self, path):
        PreferenceStore(path).close()
        with connect(path).begin() as connection:
            pragmas = ("synchronous", "foreign_keys", "journal_mode", "busy_timeout")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        assert found == [2, 1, "wal", 30_000]  # 2 is FULL

    def test_no_store_to_open(self, path):
        with pytest.raises(ValueError, match=r"^no store at .*preferences.sqlite3; `prefrl train` makes one"):
            PreferenceStore.existing(path)
        assert not path.exists()

    def test_no_folder_to_make_one_in(self, tmp_path):
        with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
            PreferenceStore(tmp_path / "nowhere" / "preferences.sqlite3")

    @pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
    def test_a_file_that_is_no_store_stays_as_it_is(self, path, content):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot open .* as a preference store: ") as refused:
            PreferenceStore(path)
        assert "\n" not in str(refused.value)
        assert path.read_bytes() == content

    def test_a_database_that_is_no_store_stays_as_it_is(self, path):
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE songs (name TEXT)")
        before = path.read_bytes()
        with pytest.raises(ValueError, match="no such table: meta"):
            PreferenceStore(path)
        assert path.read_bytes() == before

    def test_a_store_of_another_version_stays_as_it_is(self, location, path):
        with PreferenceStore(location) as store:
            sql(store, "UPDATE meta SET value = '1' WHERE key = 'schema_version'")
        before = path.exists() and path.read_bytes()
        with pytest.raises(ValueError, match=r"store of version 1, this prefrl reads 2; open it with .*prefrl 0"):
            PreferenceStore(location)
        assert before == (path.exists() and path.read_bytes())

    def test_no_store_in_a_database(self, postgresql_database):
        for _ in range(2):
            with pytest.raises(ValueError, match=r"no store at postgresql\+psycopg://postgres@/store_"):
                PreferenceStore.existing(postgresql_database)

    def test_a_database_with_a_table_of_ours_that_is_not_ours(self, postgresql_database):
        engine = connect_server(postgresql_database)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE answers (name TEXT)"))
        engine.dispose()
        with pytest.raises(ValueError, match='relation "answers" already exists') as refused:
            PreferenceStore(postgresql_database)
        assert "\n" not in str(refused.value)
        with pytest.raises(ValueError, match="no store at"):
            PreferenceStore.existing(postgresql_database)

    def test_who_has_gone_silent_does_not_keep_the_others_waiting(self, postgresql_database):
        with PreferenceStore(postgresql_database) as store:
            assert (
                sql(store, "SHOW lock_timeout") == sql(store, "SHOW idle_in_transaction_session_timeout") == [("30s",)]
            )

    def test_a_server_that_is_not_there(self, tmp_path):
        pytest.importorskip("psycopg")
        url = f"postgresql://ann:secret@/store?host={tmp_path}"
        with pytest.raises(ValueError, match=r"cannot open .* as a preference store: .*No such file") as refused:
            PreferenceStore(url)
        assert "\n" not in str(refused.value)
        assert "secret" not in str(refused.value)

    def test_the_driver_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(
            ValueError, match=r"needs psycopg, which is not installed; pip install 'prefrl\[postgres\]'"
        ):
            PreferenceStore("postgresql+psycopg://host/name")

    @pytest.mark.parametrize(
        "url, message",
        [
            ("postgrsql://host/name", "unknown database 'postgrsql'. Did you mean 'postgresql'"),
            ("mysql://host/name", "Known: sqlite, postgresql"),
            ("://", "cannot read :// as a database's URL; postgresql"),
        ],
    )
    def test_another_database(self, url, message):
        with pytest.raises(ValueError, match=message):
            PreferenceStore(url)

    def test_a_folder_is_no_store(self, tmp_path):
        with pytest.raises(ValueError, match="cannot open"):
            PreferenceStore.existing(tmp_path)


class TestProcesses:
    @pytest.mark.parametrize("wanted", [1, 2])
    def test_none_is_lost_and_none_is_double(self, location, wanted):
        queries = [a_query(i) for i in range(100)]
        with PreferenceStore(location) as store:
            store.ask(queries, answers_wanted=wanted)
            start = multiprocessing.get_context("spawn").Barrier(4)
            in_another_process(label_everything, [(location, f"labeler{i}", start) for i in range(4)])
            comparisons = store.answered()
        assert ids(comparisons) == [query.id for query in queries for _ in range(wanted)]
        assert len({(comparison.query.id, comparison.labeler) for comparison in comparisons}) == 100 * wanted
        assert len({comparison.labeler for comparison in comparisons}) > 1

    def test_threads_may_share_one_store(self, store):
        store.ask(a_query(i) for i in range(40))
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: work(store, Always(LEFT)), range(4)))
        assert sum(done) == 40
        assert store.counts() == counts(asked=40, labels=40)

    def test_all_may_make_it_at_once(self, location, tmp_path):
        in_another_process(ask_about, [(location, number) for number in range(4)])
        with PreferenceStore.existing(location) as store:
            assert store.counts().asked == 4
        assert len(list(tmp_path.iterdir())) <= 1

    def test_a_killed_process_loses_nothing_that_the_store_took(self, location):
        in_another_process(answer_and_die, [(location,)], code=1)
        with PreferenceStore.existing(location) as store:
            assert store.counts() == counts(asked=2, open=1, labels=1)


def in_another_process(work, arguments, code=0):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [code] * len(processes)


def label_everything(path, name, start):
    with PreferenceStore.existing(path) as store:
        first = store.claim(name)
        start.wait()  # so that each of them takes part, however busy the machine
        store.answer(first.id, name, LEFT)
        work(store, Always(LEFT, name))


def ask_about(path, number):
    with PreferenceStore(path) as store:
        store.ask([a_query(number)])


def answer_and_die(path):
    store = PreferenceStore(path)
    store.ask([a_query(1), a_query(2)])
    store.answer(store.claim("ann").id, "ann", LEFT)
    os._exit(1)


class TestNetworkFileSystems:
    @pytest.fixture
    def mounts(self, tmp_path):
        (tmp_path / "net").mkdir()
        table = tmp_path / "mounts"
        table.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home {tmp_path}/net nfs4 rw 0 0\n")
        return table

    def test_linux_mounts_tell(self, tmp_path, mounts):
        assert network_file_system(tmp_path / "net" / "run" / "preferences.sqlite3", mounts) == "nfs4"
        assert network_file_system(tmp_path / "preferences.sqlite3", mounts) is None
        assert network_file_system(tmp_path / "preferences.sqlite3", tmp_path / "no such table") is None

    def test_no_wal_and_one_line_that_says_what_to_do(self, tmp_path, mounts, monkeypatch, caplog):
        made_elsewhere, made_there = tmp_path / "net" / "copied.sqlite3", tmp_path / "net" / "preferences.sqlite3"
        PreferenceStore(made_elsewhere).close()
        assert not caplog.messages
        monkeypatch.setattr(network_file_system, "__defaults__", (mounts,))
        for path in (made_elsewhere, made_there):
            with PreferenceStore(path) as store:
                assert sql(store, "PRAGMA journal_mode") == [("delete",)]
        (said,) = caplog.messages
        assert "net is on a network file system (nfs4)" in said
        assert "--store postgresql+psycopg://" in said
        assert "\n" not in said


def test_locations():
    assert str(sqlite_path("runs/x/preferences.sqlite3")) == "runs/x/preferences.sqlite3"
    assert str(sqlite_path("sqlite:////data/preferences.sqlite3")) == "/data/preferences.sqlite3"
    assert sqlite_path("postgresql+psycopg://host/name") is None


def test_neither_store_nor_oracle_loads_torch():
    code = "import sys, prefrl.store, prefrl.labelers.oracle; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )
