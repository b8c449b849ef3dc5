"""Brings a preference store of an older version up to date: columns are added, nothing is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, func, select, update
from sqlalchemy.schema import CreateColumn

from prefrl.core.errors import PrefrlError
from prefrl.queries import KINDS, usual_kind
from prefrl.store.tables import SCHEMA_VERSION, claims, labelers, meta, metadata


def check_unused(connection: Connection, now: float) -> None:
    """Refuses a store in which somebody holds a query.

    Raises:
        PrefrlError: a lease is live.
    """
    held = select(claims.c.labeler, func.max(claims.c.until)).where(claims.c.until > now).group_by(claims.c.labeler)
    if row := connection.execute(held).first():
        labeler, until = row
        raise PrefrlError(f"{labeler} is labeling from it; try again in {until - now:.0f} s")


def add_columns(connection: Connection) -> None:
    """Adds what the tables lack, and says so in the store; all or nothing, with the transaction around it."""
    inspector = sqlalchemy.inspect(connection)
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
    names = connection.execute(select(labelers.c.name)).scalars().all()
    for kind in KINDS:
        of_kind = [name for name in names if usual_kind(name) == kind]
        connection.execute(update(labelers).where(labelers.c.name.in_(of_kind)).values(kind=kind))
    version = update(meta).where(meta.c.key == "schema_version")
    connection.execute(version.values(value=str(SCHEMA_VERSION)))


def back_up(path: Path, version: str) -> Path:
    """Copies a SQLite store, with what is in its WAL, to a file beside it; returns that.

    Raises:
        PrefrlError: it cannot be written.
    """
    copy = path.with_name(f"{path.name}.version{version}")
    draft = path.with_name(f".{copy.name}.part")
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
        draft.replace(copy)
    except (sqlite3.Error, OSError) as error:
        raise PrefrlError(f"its backup {copy} cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return copy
