"""What a labeler is, and how it works."""

from __future__ import annotations

from typing import Protocol

from prefrl.queries import Answer, Query
from prefrl.store import PreferenceStore


class Labeler(Protocol):
    """Answers queries: an oracle, a person at a screen, another model."""

    name: str

    def label(self, query: Query) -> Answer:
        """May take as long as a person takes. Must not change the query."""


def work(store: PreferenceStore, labeler: Labeler) -> int:
    """Answers queries until none is open; returns how many.

    What a labeler had in hand when it failed or was interrupted is open again.
    """
    done = 0
    try:
        while (query := store.claim(labeler.name)) is not None:
            store.answer(query.id, labeler.name, labeler.label(query))
            done += 1
    except BaseException:
        store.release(labeler.name)
        raise
    return done
