"""What SQLite needs to be told: every pragma is here."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

BUSY_MS = 30_000  # how long a writer waits for another one
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "9p", "lustre", "gpfs", "beegfs", "fuse.sshfs"}


def sqlite_path(location: str | Path) -> Path | None:
    """The file that `location` names, be it a path or a URL; None if it is the URL of another database."""
    if "://" not in str(location):
        return Path(location)
    url = make_url(str(location))
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def connect(path: Path) -> Engine:
    """Engine on a file. Transactions begin as its execution option `sqlite_begin` says."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def create(path: Path, fill: Callable[[Engine], None]) -> None:
    """Makes a file with what `fill` writes, unless there is one meanwhile.

    It gets its name when it is whole: killed here, a process leaves no half a store, and no other sees one.

    Raises:
        ValueError: its folder does not exist.
    """
    if not path.parent.is_dir():
        raise ValueError(f"cannot make {path}: there is no folder {path.parent}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        draft = Path(folder) / path.name
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal_mode(path)}")  # lasts as long as the file
        engine = connect(draft)
        fill(engine)
        engine.dispose()
        _rename_unless_taken(draft, path)


def journal_mode(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """WAL, in which readers and a writer do not wait for each other, or DELETE on a network file system.

    WAL needs memory that all its processes share. Linux' table of mounts tells; elsewhere it is WAL.
    """
    if not mounts.exists():
        return "WAL"
    resolved, best = path.resolve(), ("", "")
    for line in mounts.read_text().splitlines():
        _, point, kind, *_ = line.split()
        if resolved.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return "DELETE" if best[1] in NETWORK_FILE_SYSTEMS else "WAL"


def _rename_unless_taken(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        draft.replace(path)


def _configure(connection: Any, record: Any) -> None:
    # Python's driver would begin transactions late, and only for some statements: `_begin` does it instead.
    connection.isolation_level = None
    for pragma in ("foreign_keys = ON", "synchronous = FULL", f"busy_timeout = {BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
