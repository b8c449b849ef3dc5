"""What a labeler is, and how it works."""

from __future__ import annotations

from typing import Protocol

from prefrl.core.errors import PrefrlError
from prefrl.queries import Answer, Query
from prefrl.store import PreferenceStore

ORACLE = "oracle"  # who answers by the true reward; a person of this name would pass for it in every count
MOST_LETTERS = 40  # of a name


def person_name(name: str) -> str:
    """A person's name without what surrounds it.

    Raises:
        PrefrlError: it is no name, or one that is taken.
    """
    stripped = name.strip()
    if not 0 < len(stripped) <= MOST_LETTERS or not stripped.isprintable():
        raise PrefrlError(f"a name has 1 to {MOST_LETTERS} letters, got {name[: MOST_LETTERS + 1]!r}")
    if stripped.casefold() == ORACLE:
        raise PrefrlError(f"{stripped!r} is the name of the labeler that is no person; choose another name")
    return stripped


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
