"""Settings of SQLite: every pragma is here."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from prefrl.core.errors import PrefrlError

BUSY_MS = 30_000  # how long a writer waits for another one
NETWORK_FILE_SYSTEMS = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs4",
    "ocfs2", "orangefs", "panfs", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "wekafs",
}  # fmt: skip
"""And what a virtual machine shares with its host: they have as little memory in common."""
LOCAL_FUSE = {"fuse.exfat", "fuse.fuse-overlayfs", "fuse.ntfs-3g", "fuse.overlayfs"}
MOUNTS = Path("/proc/self/mounts")


def sqlite_path(location: str | Path) -> Path | None:
    """The file that `location` names, be it a path or a URL; None if it is the URL of another database.

    Raises:
        PrefrlError: it is neither.
    """
    if "://" not in str(location):
        return Path(location)
    try:
        url = make_url(str(location))
    except ArgumentError as error:
        raise PrefrlError(
            f"cannot read {location!s} as a database's URL; postgresql+psycopg://USER@HOST/NAME is one"
        ) from error
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def connect(path: Path) -> Engine:
    """Engine on a file. With the execution option `write` a transaction takes the write lock when it begins."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    if network_file_system(path):
        event.listen(engine, "connect", _leave_wal)
    return engine


def create(path: Path, fill: Callable[[Engine], None]) -> None:
    """Makes a file with what `fill` writes, unless there is one meanwhile.

    It gets its name when it is whole: killed here, a process leaves no half a store, and no other sees one.

    Raises:
        PrefrlError: its folder does not exist.
    """
    if not path.parent.is_dir():
        raise PrefrlError(f"cannot make {path}: there is no folder {path.parent}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        draft = Path(folder) / path.name
        with closing(sqlite3.connect(draft)) as connection:
            mode = "DELETE" if network_file_system(path) else "WAL"
            connection.execute(f"PRAGMA journal_mode = {mode}")  # lasts as long as the file
        engine = connect(draft)
        fill(engine)
        engine.dispose()
        _rename_unless_taken(draft, path)


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The kind of network file system that a file is on, or None; Linux' table of mounts tells, elsewhere nothing.

    On one, WAL would damage the file: it needs memory that all processes share.
    """
    if not mounts.exists():
        return None
    resolved, best = path.resolve(), ("", "")
    with mounts.open(encoding="utf-8", errors="surrogateescape", newline="\n") as table:
        for line in table:
            _, escaped, kind, *_ = line.split(" ")
            point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), escaped)  # a space is \040
            if resolved.is_relative_to(point) and len(point) >= len(best[0]):
                best = (point, kind)
    return best[1] if _is_shared(best[1]) else None


def _is_shared(kind: str) -> bool:
    # What a program in user space serves is mostly far away, and its kinds are too many to list.
    in_user_space = kind == "fuse" or kind.startswith("fuse.")
    return kind in NETWORK_FILE_SYSTEMS or (in_user_space and kind not in LOCAL_FUSE)


def warn_of_network(path: Path) -> None:
    """Says in one line, once a folder and process, what a store on a network file system is good for."""
    if kind := network_file_system(path):
        _warn_of_network(path.parent.resolve(), kind)


@cache
def _warn_of_network(folder: Path, kind: str) -> None:
    logging.getLogger(__name__).warning(
        "%s is on a network file system (%s): its store is safe for the processes of one machine, not of several; "
        "those share a PostgreSQL database, such as postgresql+psycopg://USER@HOST/NAME",
        folder,
        kind,
    )


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


def _leave_wal(connection: Any, record: Any) -> None:
    # A store that was made on a local disk; refused while somebody has it open in WAL.
    connection.execute("PRAGMA journal_mode = DELETE")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
