import numpy as np
import pytest

from prefrl.preferences.dataset import PreferenceDataset
from prefrl.queries import INCOMPARABLE, LEFT, TIE, Answer, Comparison, Query
from prefrl.testing import random_segments

RANKING = Answer((2, 0, 1, 1))


@pytest.fixture
def comparisons(rng):
    """Of a pair, of four segments, of a pair that cannot be compared, and of another pair."""
    segments = random_segments(10, rng)
    queries = [Query(tuple(segments[a:b]), a) for a, b in ((0, 2), (2, 6), (6, 8), (8, 10))]
    return [
        Comparison(query, answer, "ann")
        for query, answer in zip(queries, (LEFT, RANKING, INCOMPARABLE, TIE), strict=True)
    ]


def names(queries):
    return [[segment.id for segment in query.segments] for query in queries]


def test_incomparable_queries_are_left_out(comparisons):
    dataset = PreferenceDataset.of(comparisons)
    assert [each.answer for each in dataset.answered] == [LEFT, RANKING, TIE]


def test_batches_have_what_the_learner_made_of_the_segments_and_the_ranks_beside(comparisons):
    dataset = PreferenceDataset.of(comparisons)
    (batch,) = dataset.batches([1, 0], 5, names)
    assert batch.encoded == names([comparisons[1].query, comparisons[0].query])
    assert batch.ranks.tolist() == [[2, 0, 1, 1], [0, 1, 0, 0]]
    assert batch.mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert [each.labeler for each in batch.answered] == ["ann", "ann"]
    assert [list(each.segment_ids) for each in batch.answered] == batch.encoded


def test_batches_are_as_wide_as_their_widest_query(comparisons):
    dataset = PreferenceDataset.of(comparisons)
    assert [batch.ranks.shape for batch in dataset.batches([0, 2, 1], 2, len)] == [(2, 2), (1, 4)]


def test_segments_are_read_when_a_batch_asks_for_them(comparisons):
    queries, read = {c.query.id: c.query for c in comparisons}, []

    def read_some(ids):
        read.append(list(ids))
        return {query_id: queries[query_id] for query_id in ids}

    dataset = PreferenceDataset(read_some)
    dataset.add(comparison.without_segments() for comparison in comparisons)
    assert not read
    batches = dataset.batches(range(3), 2, len)
    assert next(batches).encoded == 2
    assert read == [[comparisons[0].query.id, comparisons[1].query.id]]


def test_numbers_are_never_given_again(comparisons):
    dataset = PreferenceDataset.of(comparisons)
    dataset.keep([1])
    dataset.add([comparisons[0].without_segments()])
    assert dataset.numbers == [1, 3]
    assert [each.answer for each in dataset.answered] == [RANKING, LEFT]


def test_a_query_can_be_learned_from_by_several_labelers(comparisons):
    again = Comparison(comparisons[0].query, TIE, "bob")
    dataset = PreferenceDataset.of([comparisons[0], again])
    (batch,) = dataset.batches(range(2), 2, names)
    assert batch.encoded == names([again.query] * 2)
    assert np.array_equal(batch.ranks, [[0, 1], [0, 0]])
