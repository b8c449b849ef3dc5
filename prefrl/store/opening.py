"""Opens the database of a preference store, or says in one line why it is none."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, make_url, select
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError

from prefrl import __version__
from prefrl.names import look_up
from prefrl.store import postgresql, sqlite
from prefrl.store.tables import SCHEMA_VERSION, meta, metadata

INSERTS: dict[str, Callable[[Table], Any]] = {
    "sqlite": sqlite_dialect.insert,
    "postgresql": postgresql_dialect.insert,
}


def open_database(location: str | Path, now: float, *, make: bool) -> Engine:
    """The database at a path or a SQLAlchemy URL.

    Args:
        now: seconds since 1970, noted in a new database.
        make: make the tables where there are none.

    Raises:
        ValueError: what is there is no store, or one of another version; it stays as it is.
    """
    path = sqlite.sqlite_path(location)
    engine = _open_server(str(location), now, make) if path is None else _open_file(path, now, make)
    try:
        with _explained(engine):
            _check_version(engine)
    except ValueError:
        engine.dispose()
        raise
    return engine


def _open_file(path: Path, now: float, make: bool) -> Engine:
    sqlite.warn_of_network(path)
    if not path.exists():
        if not make:
            raise _missing(str(path))
        sqlite.create(path, lambda draft: _make_tables(draft, now))
    return sqlite.connect(path)


def _open_server(url: str, now: float, make: bool) -> Engine:
    engine = connect_server(url)
    # Whole or not at all, and by one process alone.
    with _explained(engine), engine.execution_options(write=True).begin() as connection:
        if not sqlalchemy.inspect(connection).has_table(meta.name):
            if not make:
                raise _missing(_name(engine))
            _fill(connection, now)
    return engine


def _missing(where: str) -> ValueError:
    return ValueError(f"no store at {where}; `prefrl train` makes one in its output folder")


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """What the database said in one line, and where."""
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise ValueError(f"cannot open {_name(engine)} as a preference store: {reason}") from error


def connect_server(url: str) -> Engine:
    """Engine on the database of a URL other than SQLite's.

    Raises:
        ValueError: no database that a store can be in, or no driver for it.
    """
    parsed = make_url(url)
    look_up("database", parsed.get_backend_name(), INSERTS)
    return postgresql.connect(parsed)


def insert(connection: Connection, table: Table) -> Any:
    """INSERT that can say what to do about rows that are there already."""
    return look_up("database", connection.dialect.name, INSERTS)(table)


def _make_tables(engine: Engine, now: float) -> None:
    with engine.begin() as connection:
        _fill(connection, now)


def _fill(connection: Connection, now: float) -> None:
    facts = {
        "schema_version": str(SCHEMA_VERSION),
        "created_at": str(now),
        "created_by": f"prefrl {__version__}",
        "python": platform.python_version(),
        "sqlalchemy": sqlalchemy.__version__,
    }
    metadata.create_all(connection, checkfirst=False)  # a table of that name that is there is not ours
    connection.execute(meta.insert(), [{"key": key, "value": facts[key]} for key in facts])


def _check_version(engine: Engine) -> None:
    with engine.begin() as connection:
        facts = {row.key: row.value for row in connection.execute(select(meta))}
    found = facts.get("schema_version")
    if found != str(SCHEMA_VERSION):
        maker = facts.get("created_by", "an unknown program")
        raise ValueError(
            f"{_name(engine)} is a preference store of version {found}, this prefrl reads {SCHEMA_VERSION}; "
            f"open it with the one that made it ({maker}), or start a new one in another folder"
        )


def _name(engine: Engine) -> str:
    """The path of a file, or the URL without its password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)
