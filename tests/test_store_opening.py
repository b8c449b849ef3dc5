"""Where a store is, and what is refused as one."""

import os
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import text
from stores import a_query, sql

from prefrl.store import PreferenceStore
from prefrl.store.opening import connect_server
from prefrl.store.sqlite import connect, network_file_system, sqlite_path


class TestOpening:
    def test_what_was_written_is_there_next_time(self, location):
        with PreferenceStore(location) as store:
            store.ask([a_query(1)])
        with PreferenceStore.existing(location) as store:
            assert store.claim("ann").id == a_query(1).id

    def test_a_path_may_be_a_string_or_a_url(self, store_file):
        PreferenceStore(store_file).close()
        for location in (str(store_file), f"sqlite:///{store_file}"):
            with PreferenceStore.existing(location) as store:
                assert store.counts().asked == 0

    def test_one_file_is_left_when_all_are_done(self, store_file):
        PreferenceStore(store_file).close()
        assert [each.name for each in store_file.parent.iterdir()] == [store_file.name]

    def test_an_answer_is_written_through_to_the_disk(self, store_file):
        PreferenceStore(store_file).close()
        with connect(store_file).begin() as connection:
            pragmas = ("synchronous", "foreign_keys", "journal_mode", "busy_timeout")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        assert found == [2, 1, "wal", 30_000]  # 2 is FULL

    def test_no_store_to_open(self, store_file):
        with pytest.raises(ValueError, match=r"^no store at .*preferences.sqlite3; `prefrl train` makes one"):
            PreferenceStore.existing(store_file)
        assert not store_file.exists()

    def test_no_folder_to_make_one_in(self, tmp_path):
        with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
            PreferenceStore(tmp_path / "nowhere" / "preferences.sqlite3")

    @pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
    def test_a_file_that_is_no_store_stays_as_it_is(self, store_file, content):
        store_file.write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot open .* as a preference store: ") as refused:
            PreferenceStore(store_file)
        assert "\n" not in str(refused.value)
        assert store_file.read_bytes() == content

    def test_a_database_that_is_no_store_stays_as_it_is(self, store_file):
        with sqlite3.connect(store_file) as connection:
            connection.execute("CREATE TABLE songs (name TEXT)")
        before = store_file.read_bytes()
        with pytest.raises(ValueError, match="no such table: meta"):
            PreferenceStore(store_file)
        assert store_file.read_bytes() == before

    def test_a_store_of_another_version_stays_as_it_is(self, location, store_file):
        with PreferenceStore(location) as store:
            sql(store, "UPDATE meta SET value = '1' WHERE key = 'schema_version'")
        before = store_file.exists() and store_file.read_bytes()
        with pytest.raises(ValueError, match=r"store of version 1, this prefrl reads 3; open it with .*prefrl 0"):
            PreferenceStore(location)
        assert before == (store_file.exists() and store_file.read_bytes())

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

    @pytest.mark.parametrize(
        "kind", ["ceph", "fuse.ceph", "glusterfs", "afs", "virtiofs", "fuse.rclone", "fuse.new", "fuse", "wekafs", "9p"]
    )
    def test_of_many_kinds(self, tmp_path, mounts, kind):
        mounts.write_text(mounts.read_text().replace("nfs4", kind))
        assert network_file_system(tmp_path / "net" / "preferences.sqlite3", mounts) == kind

    @pytest.mark.parametrize(
        "kind", ["ext4", "overlay", "tmpfs", "devtmpfs", "zfs", "fuseblk", "fusectl", "fuse.ntfs-3g", "fuse.overlayfs"]
    )
    def test_what_is_local_is_none(self, tmp_path, mounts, kind):
        mounts.write_text(mounts.read_text().replace("nfs4", kind))
        assert network_file_system(tmp_path / "net" / "preferences.sqlite3", mounts) is None

    @pytest.mark.parametrize("name, escaped", [("my share", r"my\040share"), ("a\\b", r"a\134b"), ("Büro", "Büro")])
    def test_mount_points_are_read_with_their_escapes(self, tmp_path, mounts, name, escaped):
        mounts.write_text(mounts.read_text() + f"server:/home {tmp_path}/{escaped} nfs4 rw 0 0\n", encoding="utf-8")
        assert network_file_system(tmp_path / name / "preferences.sqlite3", mounts) == "nfs4"

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
        assert "PostgreSQL database, such as postgresql+psycopg://" in said
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
