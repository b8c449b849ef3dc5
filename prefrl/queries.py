"""Queries and answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

from prefrl.segments import Segment

LabelerKind = Literal["oracle", "person", "model"]
KINDS: tuple[LabelerKind, ...] = get_args(LabelerKind)


def usual_kind(labeler: str) -> LabelerKind:
    """The kind of a labeler of whom only the name is known."""
    return "oracle" if labeler == "oracle" else "person"


@dataclass(frozen=True)
class Answer:
    """A labeler's answer to one query.

    Attributes:
        ranks: one number a segment, in the query's order, 0 for the best; equal numbers are a tie.
            None: the segments cannot be compared; such an answer is no label and costs none.
    """

    ranks: tuple[int, ...] | None

    @property
    def comparable(self) -> bool:
        return self.ranks is not None

    @property
    def prefer_left(self) -> float:
        """Label of a pair: 1 if the first segment is preferred, 0 if the second, 0.5 for a tie.

        Raises:
            ValueError: the answer is not of a pair, or says that it cannot be compared.
        """
        if self.ranks is None or len(self.ranks) != 2:
            raise ValueError(f"a preference needs the ranks of two segments, got {self.ranks}")
        left, right = self.ranks
        return 0.5 if left == right else float(left < right)


LEFT = Answer((0, 1))
RIGHT = Answer((1, 0))
TIE = Answer((0, 0))
INCOMPARABLE = Answer(None)


@dataclass(frozen=True)
class Remarks:
    """Optional additions to an answer.

    Attributes:
        strength: how much better the better segment is, on the labeling tool's own scale.
        rating: [K] one number a segment, in the query's order, larger for better.
        note: in the labeler's own words.
        flag: something is wrong with a clip.
    """

    strength: float | None = None
    rating: tuple[float, ...] | None = None
    note: str | None = None
    flag: bool = False


class Past(NamedTuple):
    """Which of a store's queries a run has asked, when the store may be ahead of the run.

    After a kill the run asks again, from its checkpoint on, what it had asked: those queries are not past yet.

    Attributes:
        step, nonce: of what it asks next; what was asked before is past.
        known: so many of the first queries are past whatever their step: a run that could not go on where it was asks
            others than it had asked, and must not forget those.
    """

    step: int
    nonce: int
    known: int = 0


Pair = frozenset[str]
"""The ids of the segments of a query, in no order."""


@dataclass(frozen=True, eq=False)
class Query:
    """K segments to compare, two or more.

    Attributes:
        segments: in the order in which they are shown.
        step: environment steps the agent had done when the query was asked.
        nonce: tells apart queries about the same segments at the same step.
    """

    segments: tuple[Segment, ...]
    step: int
    nonce: int = 0

    def __post_init__(self) -> None:
        if len(self.segments) < 2:
            raise ValueError(f"a query compares at least 2 segments, got {len(self.segments)}")

    @cached_property
    def id(self) -> str:
        """Hash of the content: asking the same thing again, as a resumed run does, is the same query."""
        parts = [segment.id for segment in self.segments] + [str(self.step), str(self.nonce)]
        return hashlib.blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()

    @property
    def pair(self) -> Pair:
        """The segments that are compared, regardless of their order and of the step."""
        return frozenset(segment.id for segment in self.segments)


@dataclass(frozen=True, slots=True)
class AnsweredQuery:
    """One answer that counts, with the names of the segments that it is about and not the segments.

    Attributes:
        query_id: `Query.id`.
        step: environment steps the agent had done when the query was asked.
        segment_ids: [K] `Segment.id` of each segment, in the query's order.
    """

    query_id: str
    step: int
    segment_ids: tuple[str, ...]
    answer: Answer
    labeler: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """A query with its answer and who gave it."""

    query: Query
    answer: Answer
    labeler: str

    def without_segments(self) -> AnsweredQuery:
        """The same with the names of the segments only."""
        query = self.query
        names = tuple(segment.id for segment in query.segments)
        return AnsweredQuery(query.id, query.step, names, self.answer, self.labeler)


@dataclass(frozen=True)
class Record:
    """One answer as it was taken down, without the segments; withdrawn ones and repeats are records, too.

    Attributes:
        query_id: `Query.id`.
        step: environment steps the agent had done when the query was asked.
        answer: in the query's own order, whatever the sides on the screen.
        swapped: the segments were shown in reverse: of a pair, the query's first one on the right.
        repeat: the labeler saw the query a second time, for self-consistency; no label.
        seconds: that the labeler took, where known.
        answered_at: seconds since 1970.
        withdrawn_at: seconds since 1970; None: the answer counts.
        shown: [K] which of the query's segments was shown first, second, ...; None: as `swapped` says.
        kind: of the labeler.
    """

    query_id: str
    step: int
    labeler: str
    answer: Answer
    swapped: bool
    repeat: bool
    seconds: float | None
    answered_at: float
    withdrawn_at: float | None
    shown: tuple[int, ...] | None = None
    kind: LabelerKind = "person"
    remarks: Remarks = Remarks()
