"""The fixtures that we give to others do what they say."""

import numpy as np

from prefrl.testing import answered_by, random_queries


def test_segments_are_random_but_the_same_every_time(segments, rng):
    assert len(segments) == 20
    assert segments[0].id != segments[1].id
    assert np.array_equal(segments[0].true_rewards, segments[0].obs["obs"][:, 0])


def test_comparisons_are_answered_by_an_oracle_that_never_errs(comparisons):
    for comparison in comparisons:
        left, right = (segment.true_return for segment in comparison.query.segments)
        assert comparison.answer.prefer_left == float(left > right)


def test_the_tiny_store_has_ten_answers(tiny_store):
    assert tiny_store.counts().labels == len(tiny_store.answered()) == 10


def test_more_of_the_same_can_be_made(rng, oracle):
    assert len(answered_by(oracle, random_queries(7, rng, length=3))[6].query.segments[0]) == 3
