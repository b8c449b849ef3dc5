"""The protocol of labelers, and checks of their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from prefrl.core.errors import PrefrlError
from prefrl.core.registry import unknown
from prefrl.queries import KINDS, Answer, LabelerKind, Query

ORACLE = "oracle"  # who answers by the true reward; a person of this name would pass for it in every count
MOST_LETTERS = 40  # of a name


def person_name(name: str) -> str:
    """A person's name without what surrounds it.

    Raises:
        PrefrlError: it is no name, or one that is taken.
    """
    stripped = name.strip()
    if not _is_name(stripped):
        raise PrefrlError(f"a name has 1 to {MOST_LETTERS} letters, got {name[: MOST_LETTERS + 1]!r}")
    if stripped.casefold() == ORACLE:
        raise PrefrlError(f"{stripped!r} is the name of the labeler that is no person; choose another name")
    return stripped


class Labeler(Protocol):
    """Answers queries: an oracle, a person at a screen, another model.

    Attributes:
        name: under which the store keeps its answers.
        kind: "oracle", "person" or "model".
    """

    name: str
    kind: LabelerKind

    def label(self, queries: Sequence[Query]) -> Sequence[Answer | None]:
        """Answers a batch of queries, each in its place. Must not change them; may take as long as a person takes.

        Returns:
            For each query an answer: ranks of its segments, or `INCOMPARABLE`, which skips it for good and costs no
            label. None gives the query back to others, unanswered.
        """


def check_labeler(labeler: Labeler) -> None:
    """Refuses what does not follow the protocol.

    Raises:
        PrefrlError: it has no name, no kind or no `label`, or it is called oracle and is none.
    """
    name, kind = getattr(labeler, "name", None), getattr(labeler, "kind", None)
    if not isinstance(name, str) or not _is_name(name):
        raise PrefrlError(
            f"{type(labeler).__name__} is no labeler: its name must be 1 to {MOST_LETTERS} letters, got {name!r}"
        )
    if kind not in KINDS:
        raise PrefrlError(f"labeler {name!r}: {unknown('kind of labeler', str(kind), KINDS)}")
    if name.casefold() == ORACLE and kind != "oracle":
        raise PrefrlError(f"{name!r} names the labeler that knows the true reward; give this {kind} another name")
    if not callable(getattr(labeler, "label", None)):
        raise PrefrlError(f"labeler {name!r} has no label(queries), which returns an answer for each query")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MOST_LETTERS and text.isprintable() and text == text.strip()
