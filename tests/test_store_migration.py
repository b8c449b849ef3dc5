"""Stores of version 2, as prefrl wrote them before labelers had a kind: data/preferences_version2.sqlite3 is one."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import MetaData, create_engine, text
from stores import sql

from prefrl.cli import main
from prefrl.exchange import import_answers
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Remarks
from prefrl.runs.lock import LOCK, SIGN, only_trainer
from prefrl.store import PreferenceStore, migrate, migration
from prefrl.store.opening import connect_server
from prefrl.store.tables import metadata

DATA = Path(__file__).parent / "data"
ADDED = {"labelers": ["kind"], "answers": ["shown", "strength", "rating", "note", "flag"]}
ANSWERS = [  # labeler, its kind, answer, swapped, repeat, withdrawn
    ("oracle", "oracle", LEFT, False, False, False),
    ("ann", "person", RIGHT, True, False, False),
    ("bob", "person", TIE, False, False, False),
    ("ann", "person", INCOMPARABLE, False, False, False),
    ("ann", "person", LEFT, False, False, True),
    ("ann", "person", RIGHT, True, False, False),
    ("ann", "person", RIGHT, False, True, False),
    ("oracle", "oracle", Answer((2, 0, 1, 1)), False, False, False),
]


@pytest.fixture
def old_file(store_file):
    """A store of version 2 in which nobody holds anything any more."""
    shutil.copy(DATA / "preferences_version2.sqlite3", store_file)
    return store_file


@pytest.fixture
def old_database(postgresql_database, old_file):
    """The same on a server."""
    engine, source = connect_server(postgresql_database), create_engine(f"sqlite:///{old_file}")
    there = MetaData()
    there.reflect(source)
    with engine.begin() as target, source.connect() as rows:
        metadata.create_all(target)
        for table, columns in ADDED.items():
            for column in columns:
                target.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        for table in there.sorted_tables:
            if not table.name.startswith("sqlite_") and (found := rows.execute(table.select()).mappings().all()):
                target.execute(table.insert(), [dict(row) for row in found])
        target.execute(text("SELECT setval('answers_id_seq', 8), setval('queries_seq_seq', 8)"))
    engine.dispose()
    source.dispose()
    return postgresql_database


def told(store):
    return [(r.labeler, r.kind, r.answer, r.swapped, r.repeat, r.withdrawn_at is not None) for r in store.records()]


def tables_of(path):
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in names:
            cursor = connection.execute(f"SELECT * FROM {name}")
            found[name] = [column for column, *_ in cursor.description], cursor.fetchall()
    return found


def hold(path, until):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE claims SET until = ? WHERE labeler = 'bob'", (until,))


class TestFiles:
    def test_everything_is_there_and_only_columns_are_added(self, old_file):
        before = tables_of(old_file)
        with PreferenceStore.existing(old_file) as store:
            assert told(store) == ANSWERS
            assert store.counts().labels == 4
            assert store.question == "Which one walks better?"
            assert [len(c.query.segments) for c in store.answered()] == [2, 2, 2, 2, 2, 4]
        after = tables_of(old_file)
        assert after.keys() == before.keys()
        for name, (columns, rows) in before.items():
            now, filled = after[name]
            assert now == columns + ADDED.get(name, [])
            if name != "meta":
                assert [row[: len(columns)] for row in filled] == rows
        assert dict(after["meta"][1]) == dict(before["meta"][1]) | {"schema_version": "3"}

    def test_a_backup_lies_beside_it(self, old_file):
        before = tables_of(old_file)
        PreferenceStore(old_file).close()
        backup = old_file.with_name("preferences.sqlite3.version2")
        assert tables_of(backup) == before
        assert sorted(each.name for each in old_file.parent.iterdir()) == [old_file.name, backup.name]

    def test_the_backup_has_what_is_in_the_log_of_writes_too(self, old_file):
        with closing(sqlite3.connect(old_file)) as writer:
            writer.execute("PRAGMA wal_autocheckpoint = 0")
            with writer:
                writer.execute("INSERT INTO labelers VALUES ('cid')")
            done = migrate(old_file, now=2e9)
        assert ("cid",) in tables_of(done.backup)["labelers"][1]

    def test_it_is_done_once(self, old_file):
        done = migrate(old_file, now=2e9)
        assert (done.store, done.before, done.now) == (str(old_file), "2", "3")
        done.backup.unlink()
        assert migrate(old_file, now=2e9).backup is None
        PreferenceStore(old_file).close()
        assert not done.backup.exists()

    def test_two_at_once_both_find_it_done(self, old_file):
        failures = []

        def work():
            try:
                with PreferenceStore.existing(old_file) as store:
                    assert told(store) == ANSWERS
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    def test_what_is_answered_afterwards_has_all_that_is_new(self, old_file):
        with PreferenceStore(old_file) as store:
            query = store.query(store.asked()[-1])
            remarks = Remarks(strength=2.0, rating=(1.0, 4.5, 2.0), note="limps", flag=True)
            store.answer(query.id, "model-1", Answer((0, 2, 1)), shown=(2, 0, 1), kind="model", remarks=remarks)
            record = store.records()[-1]
        assert (record.shown, record.kind, record.remarks, record.swapped) == ((2, 0, 1), "model", remarks, False)

    def test_a_process_of_the_older_prefrl_that_has_it_open_may_go_on_writing(self, old_file):
        with PreferenceStore(old_file) as store:
            (query_id,) = sql(store, "SELECT id FROM queries WHERE seq = 5")[0]
            row = f"('{query_id}', 'dan', '[0, 1]', 0, 0, 1.0)"
            with closing(sqlite3.connect(old_file)) as older, older:
                older.execute("INSERT INTO labelers (name) VALUES ('dan')")
                columns = "query_id, labeler, ranks, swapped, repeat, answered_at"
                older.execute(f"INSERT INTO answers ({columns}) VALUES {row}")
            assert ("dan", "person", LEFT, False, False, False) in told(store)

    def test_the_trainer_of_its_folder_may_migrate_it(self, old_file):
        with only_trainer(old_file.parent), PreferenceStore(old_file) as store:
            assert told(store) == ANSWERS

    def test_a_folder_in_which_nobody_trains_any_more_is_free(self, old_file):
        with only_trainer(old_file.parent):
            pass
        (old_file.parent / SIGN).touch()
        os.utime(old_file.parent / SIGN, (1, 1))
        PreferenceStore(old_file).close()


class TestRefusals:
    @pytest.fixture
    def refused(self, old_file):
        """The line that says why; the store and its folder stay as they are."""

        def refuse():
            before, names = old_file.read_bytes(), set(old_file.parent.iterdir())
            with pytest.raises(
                ValueError, match="cannot convert .* from version 2 of preference stores to 3: "
            ) as said:
                PreferenceStore.existing(old_file)
            assert "\n" not in str(said.value)
            assert (old_file.read_bytes(), set(old_file.parent.iterdir())) == (before, names)
            return str(said.value)

        return refuse

    def test_a_trainer_holds_the_folder(self, old_file, refused):
        with FileLock(old_file.parent / LOCK):
            assert "another process is training in" in refused()
        PreferenceStore.existing(old_file).close()

    def test_a_trainer_gave_a_sign_of_life(self, old_file, refused):
        (old_file.parent / SIGN).touch()
        assert "another process is training in" in refused()

    def test_somebody_holds_a_query(self, old_file, clock, refused):
        hold(old_file, until=4e9)
        assert "bob is labeling from it; try again in" in refused()
        hold(old_file, until=1090.0)
        with pytest.raises(ValueError, match="try again in 90 s"):
            PreferenceStore(old_file, clock=clock)
        clock.now = 1090.0
        PreferenceStore(old_file, clock=clock).close()

    def test_no_room_for_the_backup(self, old_file, refused):
        old_file.with_name("preferences.sqlite3.version2").mkdir()
        assert "its backup" in refused()

    def test_a_failure_in_between_leaves_nothing_half_done(self, old_file, monkeypatch):
        before, add = tables_of(old_file), migration.add_columns

        def fail(connection):
            add(connection)
            raise KeyboardInterrupt

        monkeypatch.setattr(migration, "add_columns", fail)
        with pytest.raises(KeyboardInterrupt):
            PreferenceStore(old_file)
        assert tables_of(old_file) == before
        monkeypatch.undo()
        PreferenceStore(old_file).close()


class TestServers:
    def test_opening_names_the_command(self, old_database):
        for opened in (PreferenceStore, PreferenceStore.existing):
            with pytest.raises(ValueError, match="convert it with `prefrl migrate postgresql.*`$") as said:
                opened(old_database)
            assert "\n" not in str(said.value)

    def test_the_command_converts_it(self, old_database, capsys):
        assert main(["answers", old_database]) == 2
        assert "`prefrl migrate postgresql+psycopg://postgres@/store_" in capsys.readouterr().err
        assert main(["migrate", old_database]) == 0
        assert "converted from version 2 to 3" in capsys.readouterr().out
        with PreferenceStore.existing(old_database) as store:
            assert told(store) == ANSWERS
            query = store.query(store.asked()[-1])
            store.answer(query.id, "cid", Answer((0, 1, 1)), shown=(2, 1, 0), kind="model")
            record = store.records()[-1]
            assert (record.kind, record.shown, record.swapped) == ("model", (2, 1, 0), True)
        assert main(["migrate", old_database]) == 0
        assert "is of version 3 already" in capsys.readouterr().out

    def test_not_while_somebody_holds_a_query(self, old_database):
        with pytest.raises(ValueError, match="bob is labeling from it; try again in 10 s"):
            migrate(old_database, now=1_700_000_000.0 + 62)
        with pytest.raises(ValueError, match="convert it with"):
            PreferenceStore.existing(old_database)


class TestCommand:
    def test_a_file(self, old_file, capsys):
        assert main(["migrate", str(old_file)]) == 0
        said = capsys.readouterr().out
        assert "converted from version 2 to 3" in said
        assert "preferences.sqlite3.version2" in said

    def test_a_folder(self, old_file, capsys):
        assert main(["migrate", str(old_file.parent)]) == 0
        assert main(["migrate", str(old_file.parent)]) == 0
        assert "is of version 3 already" in capsys.readouterr().out

    def test_nothing_there(self, tmp_path, capsys):
        assert main(["migrate", str(tmp_path / "nowhere")]) == 2
        assert "no store at" in capsys.readouterr().err

    def test_a_version_that_nobody_reads(self, old_file, capsys):
        with closing(sqlite3.connect(old_file)) as connection, connection:
            connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
        assert main(["migrate", str(old_file)]) == 2
        assert "store of version 1, this prefrl reads 3" in capsys.readouterr().err


def test_answers_that_an_older_prefrl_exported_are_read(location):
    with PreferenceStore(location) as store:
        assert import_answers(store, DATA / "answers_version1.parquet") == len(ANSWERS)
        assert sorted(map(str, told(store))) == sorted(map(str, ANSWERS))
        assert import_answers(store, DATA / "answers_version1.parquet") == 0
