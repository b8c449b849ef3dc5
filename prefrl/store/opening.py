"""Opens the database of a preference store, or says in one line why it is none."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, Table, create_engine, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError

from prefrl import __version__
from prefrl.names import look_up
from prefrl.store import sqlite
from prefrl.store.tables import SCHEMA_VERSION, meta, metadata

INSERTS: dict[str, Callable[[Table], Any]] = {
    "sqlite": sqlite_dialect.insert,
    "postgresql": postgresql.insert,
}


def open_database(location: str | Path, now: float) -> Engine:
    """The database at a path or a SQLAlchemy URL, with its tables made if it is new.

    Args:
        now: seconds since 1970, noted in a new database.

    Raises:
        ValueError: what is there is no store, or one of another version; it stays as it is.
    """
    path = sqlite.sqlite_path(location)
    if path is not None and not path.exists():
        sqlite.create(path, lambda draft: _make_tables(draft, now))
    engine = create_engine(str(location)) if path is None else sqlite.connect(path)
    try:
        if path is None and not sqlalchemy.inspect(engine).has_table(meta.name):
            _make_tables(engine, now)
        _check_version(engine)
    except DBAPIError as error:
        engine.dispose()
        raise ValueError(f"cannot open {_name(engine)} as a preference store: {error.orig}") from error
    except ValueError:
        engine.dispose()
        raise
    return engine


def insert_new(engine: Engine, table: Table) -> Any:
    """INSERT that passes over rows that are there already."""
    return look_up("database", engine.dialect.name, INSERTS)(table).on_conflict_do_nothing()


def _make_tables(engine: Engine, now: float) -> None:
    facts = {
        "schema_version": str(SCHEMA_VERSION),
        "created_at": str(now),
        "created_by": f"prefrl {__version__}",
        "python": platform.python_version(),
        "sqlalchemy": sqlalchemy.__version__,
    }
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert_new(engine, meta), [{"key": key, "value": facts[key]} for key in facts])


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
