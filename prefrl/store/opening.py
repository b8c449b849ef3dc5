"""Opens the database of a preference store, or says in one line why it is none."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, make_url, select
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError

from prefrl import __version__
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up
from prefrl.runs.lock import no_other_trainer
from prefrl.store import migration, postgresql, sqlite
from prefrl.store.tables import MIGRATED, SCHEMA_VERSION, meta, metadata

INSERTS: dict[str, Callable[[Table], Any]] = {
    "sqlite": sqlite_dialect.insert,
    "postgresql": postgresql_dialect.insert,
}


def open_database(location: str | Path, now: float, *, make: bool) -> Engine:
    """The database at a path or a SQLAlchemy URL. A file of an older version is migrated, with a backup beside it.

    Args:
        now: seconds since 1970, noted in a new database.
        make: make the tables where there are none.

    Raises:
        PrefrlError: what is there is no store, one of another version, or one that cannot be migrated now; it stays as
            it is.
    """
    path = sqlite.sqlite_path(location)
    engine = _open_server(str(location), now, make) if path is None else _open_file(path, now, make)
    try:
        with _explained(engine):
            if path is not None and _version(engine) in MIGRATED:
                _migrate(engine, path, now)
            _check_version(engine)
    except PrefrlError:
        engine.dispose()
        raise
    return engine


@dataclass(frozen=True)
class Migration:
    """The result of `migrate`.

    Attributes:
        store: the path of a file, or the URL without its password.
        before: the version that it had.
        now: the version that it has.
        backup: a copy as it was; None for a database on a server, and where nothing was to be done.
    """

    store: str
    before: str
    now: str
    backup: Path | None


def migrate(location: str | Path, now: float) -> Migration:
    """Brings a store up to date where it is.

    Raises:
        PrefrlError: there is none, it is none, it is of a version that cannot be migrated, or somebody uses it.
    """
    path = sqlite.sqlite_path(location)
    engine = _open_server(str(location), now, make=False) if path is None else _open_file(path, now, make=False)
    try:
        with _explained(engine):
            before, backup = _version(engine) or "unknown", None
            if before in MIGRATED:
                backup = _migrate(engine, path, now)
            _check_version(engine)
        return Migration(_name(engine), before, str(SCHEMA_VERSION), backup)
    finally:
        engine.dispose()


def _migrate(engine: Engine, path: Path | None, now: float) -> Path | None:
    """Adds the columns that are missing, unless somebody has done so meanwhile; returns the backup."""
    backup = None
    try:
        with engine.execution_options(write=True).begin() as connection, ExitStack() as undisturbed:
            version = _facts(connection).get("schema_version", "")
            if version not in MIGRATED:
                return None
            if path is not None:
                undisturbed.enter_context(no_other_trainer(path.parent))
            migration.check_unused(connection, now)
            if path is not None:
                backup = migration.back_up(path, version)
            migration.add_columns(connection)
    except PrefrlError as error:
        raise PrefrlError(
            f"cannot convert {_name(engine)} from version {version} of preference stores to {SCHEMA_VERSION}: {error}"
        ) from error
    return backup


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


def _missing(where: str) -> PrefrlError:
    return PrefrlError(f"no store at {where}; `prefrl train` makes one in its output folder")


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """The database's error in one line, with its place."""
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise PrefrlError(f"cannot open {_name(engine)} as a preference store: {reason}") from error


def connect_server(url: str) -> Engine:
    """Engine on the database of a URL other than SQLite's.

    Raises:
        PrefrlError: no database that a store can be in, or no driver for it.
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


def _facts(connection: Connection) -> dict[str, str]:
    return {row.key: row.value for row in connection.execute(select(meta))}


def _version(engine: Engine) -> str | None:
    with engine.begin() as connection:
        return _facts(connection).get("schema_version")


def _check_version(engine: Engine) -> None:
    with engine.begin() as connection:
        facts = _facts(connection)
    found = facts.get("schema_version")
    if found in MIGRATED:
        raise PrefrlError(
            f"{_name(engine)} is a preference store of version {found}, this prefrl reads {SCHEMA_VERSION}; "
            f"convert it with `prefrl migrate {_name(engine)}`"
        )
    if found != str(SCHEMA_VERSION):
        maker = facts.get("created_by", "an unknown program")
        raise PrefrlError(
            f"{_name(engine)} is a preference store of version {found}, this prefrl reads {SCHEMA_VERSION}; "
            f"open it with the one that made it ({maker}), or start a new one in another folder"
        )


def _name(engine: Engine) -> str:
    """The path of a file, or the URL without its password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)
