import multiprocessing
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from prefrl.labelers.base import work
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Query
from prefrl.segments import Segment
from prefrl.store import Counts, PreferenceStore, statements, tables
from prefrl.store.sqlite import connect, journal_mode, sqlite_path


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


@pytest.fixture
def store(path, clock):
    with PreferenceStore(path, clock=clock) as opened:
        yield opened


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
        assert store.counts() == Counts(asked=3, open=2, labels=1, skipped=0)
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
        assert store.counts() == Counts(0, 0, 0, 0)

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

    def test_claiming_does_not_slow_down_with_what_is_answered(self, store):
        plan = "EXPLAIN QUERY PLAN " + str(
            statements.claim_oldest("ann", 0.0, 1.0).compile(store._reading, compile_kwargs={"literal_binds": True})
        )
        with store._reading.begin() as connection:
            assert "open_queries" in str(connection.exec_driver_sql(plan).all())


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

    def test_when_and_how_long_are_kept(self, store, path, clock):
        store.ask([a_query(1)])
        clock.now = 2000.0
        store.answer(a_query(1).id, "ann", LEFT, seconds=3.5)
        found = sqlite3.connect(path).execute("SELECT answered_at, seconds, ranks FROM answers").fetchall()
        assert found == [(2000.0, 3.5, "[0, 1]")]

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

    def test_known_ones_are_left_out_and_not_read(self, filled, path):
        known = {a_query(0).id}
        with sqlite3.connect(path) as connection:
            damaged = a_query(0).segments[0].id
            connection.execute("UPDATE segments SET blob = x'00' WHERE id = ?", (damaged,))
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
        assert filled.counts() == Counts(asked=5, open=1, labels=3, skipped=1)

    def test_more_than_one_batch(self, store, monkeypatch):
        monkeypatch.setattr("prefrl.store.preferences.READ_AT_ONCE", 3)
        store.ask(a_query(i) for i in range(8))
        for i in range(8):
            store.answer(a_query(i).id, "ann", LEFT)
        assert ids(store.answered()) == [a_query(i).id for i in range(8)]


class Always:
    name = "always"

    def __init__(self, answer):
        self.answer = answer

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
    def test_what_was_written_is_there_next_time(self, path):
        with PreferenceStore(path) as store:
            store.ask([a_query(1)])
        with PreferenceStore.existing(path) as store:
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

    def test_a_store_of_another_version_stays_as_it_is(self, path):
        PreferenceStore(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE meta SET value = '7' WHERE key = 'schema_version'")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"store of version 7, this prefrl reads 1; open it with .*prefrl 0"):
            PreferenceStore(path)
        assert path.read_bytes() == before

    def test_a_folder_is_no_store(self, tmp_path):
        with pytest.raises(ValueError, match="cannot open"):
            PreferenceStore.existing(tmp_path)


class TestProcesses:
    def test_none_is_lost_and_none_is_double(self, path):
        queries = [a_query(i) for i in range(200)]
        with PreferenceStore(path) as store:
            store.ask(queries)
            start = multiprocessing.get_context("spawn").Barrier(4)
            in_another_process(label_everything, [(path, f"labeler{i}", start) for i in range(4)])
            comparisons = store.answered()
        assert ids(comparisons) == [query.id for query in queries]
        assert len({comparison.labeler for comparison in comparisons}) > 1

    def test_threads_may_share_one_store(self, store):
        store.ask(a_query(i) for i in range(40))
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: work(store, Always(LEFT)), range(4)))
        assert sum(done) == 40
        assert store.counts() == Counts(asked=40, open=0, labels=40, skipped=0)

    def test_all_may_make_it_at_once(self, path):
        in_another_process(ask_about, [(path, number) for number in range(4)])
        with PreferenceStore.existing(path) as store:
            assert store.counts().asked == 4
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_a_killed_process_loses_nothing_that_the_store_took(self, path):
        in_another_process(answer_and_die, [(path,)], code=1)
        with PreferenceStore.existing(path) as store:
            assert store.counts() == Counts(asked=2, open=1, labels=1, skipped=0)


def in_another_process(work, arguments, code=0):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [code] * len(processes)


def label_everything(path, name, start):
    labeler = Always(LEFT)
    labeler.name = name
    with PreferenceStore.existing(path) as store:
        first = store.claim(name)
        start.wait()  # so that each of them takes part, however busy the machine
        store.answer(first.id, name, LEFT)
        work(store, labeler)


def ask_about(path, number):
    with PreferenceStore(path) as store:
        store.ask([a_query(number)])


def answer_and_die(path):
    store = PreferenceStore(path)
    store.ask([a_query(1), a_query(2)])
    store.answer(store.claim("ann").id, "ann", LEFT)
    os._exit(1)


def test_journal_mode_on_network_file_systems(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home {tmp_path}/net nfs4 rw 0 0\n")
    assert journal_mode(tmp_path / "net" / "run" / "preferences.sqlite3", mounts) == "DELETE"
    assert journal_mode(tmp_path / "preferences.sqlite3", mounts) == "WAL"
    assert journal_mode(tmp_path / "preferences.sqlite3", tmp_path / "no such table") == "WAL"


def test_locations():
    assert str(sqlite_path("runs/x/preferences.sqlite3")) == "runs/x/preferences.sqlite3"
    assert str(sqlite_path("sqlite:////data/preferences.sqlite3")) == "/data/preferences.sqlite3"
    assert sqlite_path("postgresql+psycopg://host/name") is None


def test_the_statements_are_postgresql_s_too():
    dialect = postgresql.dialect()
    for table in tables.metadata.sorted_tables:
        CreateTable(table).compile(dialect=dialect)
    (index,) = tables.queries.indexes
    assert str(CreateIndex(index).compile(dialect=dialect)).endswith("(seq) WHERE open IS true")
    assert "FOR UPDATE SKIP LOCKED" in str(statements.claim_oldest("ann", 0.0, 1.0).compile(dialect=dialect))
    for statement in (
        statements.all_answers(5),
        statements.segments_of(["a"]),
        statements.count_everything(),
    ):
        statement.compile(dialect=dialect)


def test_neither_store_nor_oracle_loads_torch():
    code = "import sys, prefrl.store, prefrl.labelers.oracle; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )
