"""Quality of labels: their number, speed, balance, consistency, and agreement."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefrl.metrics import cohens_kappa, krippendorff_alpha, wilson_interval
from prefrl.queries import Answer, Record


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence."""
        return wilson_interval(self.count, self.of) if self.of else None


@dataclass(frozen=True)
class Quality:
    """Quality of the answers of one labeler, or of all.

    Attributes:
        answers: that stand; repeats are counted beside them.
        left: answers of pairs that preferred what was on the left of the screen, of those that preferred one.
        ties: answers that all segments are as good.
        skipped: answers that the segments cannot be compared.
        seconds: median and 90th percentile of the time per answer, where known.
        consistent: repeats that were answered as the first time.
        withdrawn: answers taken back.
    """

    answers: int
    left: Share
    ties: int
    skipped: int
    seconds: tuple[float, float] | None
    consistent: Share
    withdrawn: int


@dataclass(frozen=True)
class Agreement:
    """Agreement about the queries that at least two labelers compared; skipped queries do not count as compared.

    What is agreed about is each pair of a query's segments: first better, second better, or a tie.

    Attributes:
        labelers: who compared any of these.
        queries: how many there are.
        kappa: Cohen's, where these labelers are two.
        alpha: Krippendorff's, nominal. Both are None where there is nothing to compare.
    """

    labelers: int
    queries: int
    kappa: float | None
    alpha: float | None


def by_labeler(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The records of each labeler, who answered most first."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.labeler].append(record)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def quality(records: Sequence[Record]) -> Quality:
    """The numbers of some records, of one labeler or of several."""
    standing = [record for record in records if record.withdrawn_at is None]
    first = [record for record in standing if not record.repeat]
    given = {(record.query_id, record.labeler): record.answer for record in first}
    repeats = [r for r in standing if r.repeat and (r.query_id, r.labeler) in given]
    sides = [verdicts(on_screen(record)) for record in first]
    seconds = [record.seconds for record in first if record.seconds is not None]
    return Quality(
        answers=len(first),
        left=Share(sides.count((1,)), sides.count((1,)) + sides.count((-1,))),
        ties=sum(side is not None and not any(side) for side in sides),
        skipped=sides.count(None),
        seconds=(float(np.median(seconds)), float(np.quantile(seconds, 0.9))) if seconds else None,
        consistent=Share(sum(_alike(r.answer, given[r.query_id, r.labeler]) for r in repeats), len(repeats)),
        withdrawn=len(records) - len(standing),
    )


def on_screen(record: Record) -> Answer:
    """The answer in the order in which the labeler saw the segments: of a pair, left before right."""
    ranks = record.answer.ranks
    if ranks is None:
        return record.answer
    if record.shown is not None:
        return Answer(tuple(ranks[position] for position in record.shown))
    return Answer(ranks[::-1]) if record.swapped else record.answer


def verdicts(answer: Answer) -> tuple[int, ...] | None:
    """[P] of each pair of segments, in order: 1 if its first is better, -1 if its second, 0 for a tie; None: a skip."""
    if answer.ranks is None:
        return None
    return tuple((first < second) - (first > second) for first, second in itertools.combinations(answer.ranks, 2))


def _alike(one: Answer, other: Answer) -> bool:
    return verdicts(one) == verdicts(other)


def agreement(records: Sequence[Record]) -> Agreement:
    """Computes the agreement of labelers; repeats and withdrawn answers do not count."""
    compared: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for record in records:
        pairs = verdicts(record.answer)
        if record.withdrawn_at is None and not record.repeat and pairs is not None:
            compared[record.query_id][record.labeler] = pairs
    shared = [given for given in compared.values() if len(given) > 1]
    labelers = sorted({labeler for given in shared for labeler in given})
    kappa = None
    if len(labelers) == 2:
        one, other = (list(itertools.chain(*(given[labeler] for given in shared))) for labeler in labelers)
        kappa = cohens_kappa(one, other)
    units = [unit for given in shared for unit in zip(*given.values(), strict=True)]
    return Agreement(len(labelers), len(shared), kappa, krippendorff_alpha(units))
