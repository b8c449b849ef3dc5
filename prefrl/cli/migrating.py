"""prefrl migrate: stores that an older prefrl made."""

from __future__ import annotations

import time

import tyro

from prefrl.cli.labeling import store_of
from prefrl.store import migrate as migrate_store


def migrate(where: tyro.conf.Positional[str], /) -> int:
    """Converts a preference store that an older prefrl made; files are also converted when they are opened.

    Args:
        where: a run's folder, a file with comparisons or a database's URL.
    """
    done = migrate_store(store_of(where), time.time())
    if done.before == done.now:
        print(f"{done.store} is of version {done.now} already")
        return 0
    print(f"{done.store}: converted from version {done.before} to {done.now}")
    if done.backup is not None:
        print(f"as it was: {done.backup}")
    return 0
