"""Settings by which PostgreSQL behaves as SQLite does: one writer at a time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from prefrl.core.errors import PrefrlError

WRITE_LOCK = int.from_bytes(b"prefrl")  # any number that others who use the database do not lock, too
CONNECT_S = 10  # how long to wait for the server
WAIT_S = 30  # how long a writer waits for another one, and how long the server waits for one that has gone silent


def connect(url: URL) -> Engine:
    """Engine on a database. With the execution option `write` a transaction takes the write lock when it begins.

    Row locks would not do: a claim that waited for another one would decide by what it had read before.

    Raises:
        PrefrlError: the driver is not installed.
    """
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(
            url,
            isolation_level="READ COMMITTED",  # what is read after the lock is as new as the lock
            pool_pre_ping=True,  # a server that was restarted is no reason to stop
            connect_args={} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_S},
        )
    except ModuleNotFoundError as error:
        raise PrefrlError(
            f"{url.drivername} needs {error.name}, which is not installed; pip install 'prefrl[postgres]'"
        ) from error
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, record: Any) -> None:
    for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(f"SET {name} = '{WAIT_S}s'")
    connection.commit()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("write", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
