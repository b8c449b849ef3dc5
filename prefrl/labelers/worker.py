"""The worker of a labeler that is no person: it claims queries in batches, labels them, and answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from numbers import Integral

from sqlalchemy.exc import SQLAlchemyError

from prefrl.core.errors import PrefrlError
from prefrl.core.repeating import repeating
from prefrl.labelers.base import Labeler, check_labeler
from prefrl.queries import Answer, Query
from prefrl.store import PreferenceStore

BATCH = 16  # queries that a labeler gets at once
LEASE_S = 120.0  # after which a query of a labeler that was killed is open to others
AGAIN_AFTER_S = 60.0  # after which a query that was given back is tried again
SHORTEST_PAUSE_S = 0.25  # while nothing is open; doubled up to the longest
LONGEST_PAUSE_S = 2.0


def introduce(store: PreferenceStore, labeler: Labeler) -> None:
    """Tells the store of which kind a labeler is.

    Raises:
        PrefrlError: it does not follow the protocol, or one of another kind has its name.
    """
    check_labeler(labeler)
    store.introduce(labeler.name, labeler.kind)


def work(store: PreferenceStore, labeler: Labeler, batch: int = BATCH) -> int:
    """Has queries answered until none is open to the labeler; returns how many were.

    A query that the labeler gives back is not claimed again.

    Args:
        batch: queries to claim and label at once, at most.

    Raises:
        PrefrlError: the labeler failed, or returned what is no answer; what it held is open again.
    """
    introduce(store, labeler)
    answered = 0
    given_back: set[str] = set()
    while claimed := claim(store, labeler, batch, given_back):
        refused = label(store, labeler, claimed)
        given_back.update(refused)
        answered += len(claimed) - len(refused)
    return answered


def serve_labels(
    store: PreferenceStore,
    labeler: Labeler,
    stopped: Callable[[], bool],
    *,
    finished: Callable[[], bool] = lambda: False,
    batch: int = BATCH,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Labels beside a trainer whatever it asks, and waits while nothing is open; returns how many were answered.

    A query that the labeler gives back is tried again after a minute, unless somebody else has answered it.

    Args:
        stopped: asked between two batches whether to leave.
        finished: asked while nothing is open whether nothing more will be.
        batch: queries to claim and label at once, at most.
        clock: seconds since any moment.
        sleep: waits for so many seconds.

    Raises:
        PrefrlError: the labeler failed, or returned what is no answer; what it held is open again.
    """
    introduce(store, labeler)
    answered = 0
    pause = SHORTEST_PAUSE_S
    given_back: dict[str, float] = {}  # when, by the query's id
    while not stopped():
        now = clock()
        given_back = {query_id: at for query_id, at in given_back.items() if now - at < AGAIN_AFTER_S}
        claimed = claim(store, labeler, batch, given_back)
        if claimed:
            refused = label(store, labeler, claimed)
            given_back |= dict.fromkeys(refused, clock())
            answered += len(claimed) - len(refused)
            pause = SHORTEST_PAUSE_S
        elif finished():
            break
        else:
            sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
    return answered


def claim(store: PreferenceStore, labeler: Labeler, batch: int, but_not: Collection[str] = ()) -> list[Query]:
    """Claims the oldest open queries, at most `batch`, but none with these ids."""
    claimed: list[Query] = []
    while len(claimed) < batch:
        query = store.claim(labeler.name, LEASE_S, but_not)
        if query is None:
            break
        claimed.append(query)
    return claimed


def label(store: PreferenceStore, labeler: Labeler, claimed: Sequence[Query], lease_s: float = LEASE_S) -> list[str]:
    """Has claimed queries labeled and takes the answers down; returns the ids of those that were given back.

    Whatever happens, each of them is answered or open again in the end.

    Raises:
        PrefrlError: the labeler failed, or returned what is no answer. Answers before that one are kept.
    """
    ids = [query.id for query in claimed]
    try:
        # Labeling may take longer than a lease.
        with repeating(lambda: store.extend(labeler.name, ids, lease_s), lease_s / 4, passing=SQLAlchemyError):
            answers = _ask(labeler, claimed)
        for query, answer in zip(claimed, answers, strict=True):
            if answer is not None:
                _check(labeler, query, answer)
                store.answer(query.id, labeler.name, answer)
    except BaseException:
        store.release(labeler.name, ids)
        raise
    given_back = [query.id for query, answer in zip(claimed, answers, strict=True) if answer is None]
    if given_back:
        store.release(labeler.name, given_back)
    return given_back


def _ask(labeler: Labeler, queries: Sequence[Query]) -> Sequence[Answer | None]:
    """Labels a batch; returns an answer, or None, for each query."""
    wanted = "label(queries) returns a list with an Answer, or None, for each query"
    try:
        answers = labeler.label(queries)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise PrefrlError(f"labeler {labeler.name!r} failed with {reason}; {wanted}") from error
    if not isinstance(answers, Sequence):
        raise PrefrlError(f"labeler {labeler.name!r} returned {_shown(answers)}; {wanted}")
    if len(answers) != len(queries):
        raise PrefrlError(
            f"labeler {labeler.name!r} returned {len(answers)} answers to {len(queries)} queries; {wanted}"
        )
    return answers


def _check(labeler: Labeler, query: Query, answer: Answer) -> None:
    """Refuses what is no answer to a query."""
    num_segments = len(query.segments)
    if not isinstance(answer, Answer):
        raise PrefrlError(
            f"labeler {labeler.name!r} answered {_shown(answer)}; return prefrl.queries.Answer with {num_segments} "
            "ranks, INCOMPARABLE, or None to give the query back"
        )
    if answer.ranks is not None and not _are_ranks(answer.ranks, num_segments):
        raise PrefrlError(
            f"labeler {labeler.name!r} answered a query of {num_segments} segments with the ranks "
            f"{_shown(answer.ranks)}; return a tuple with a whole number for each segment, 0 for the best"
        )


def _are_ranks(ranks: object, num_segments: int) -> bool:
    if not isinstance(ranks, Sequence) or len(ranks) != num_segments:
        return False
    return all(isinstance(rank, Integral) for rank in ranks)


def _shown(value: object) -> str:
    """A value in one short line."""
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
