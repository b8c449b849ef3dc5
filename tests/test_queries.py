import numpy as np
import pytest

from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Query
from prefrl.segments import Segment


def a_segment(reward):
    return Segment("toy", {"obs": np.zeros((2, 1))}, np.zeros((2, 1)), np.full(2, reward))


@pytest.mark.parametrize("answer, label", [(LEFT, 1.0), (RIGHT, 0.0), (TIE, 0.5), (Answer((1, 3)), 1.0)])
def test_prefer_left_by_hand(answer, label):
    assert answer.comparable
    assert answer.prefer_left == label


@pytest.mark.parametrize("answer", [INCOMPARABLE, Answer((0, 1, 2))])
def test_prefer_left_is_of_pairs_that_compare(answer):
    with pytest.raises(ValueError, match="two segments"):
        _ = answer.prefer_left


def test_a_skip_does_not_compare():
    assert not INCOMPARABLE.comparable


def test_asking_the_same_again_is_the_same_query():
    assert Query((a_segment(0), a_segment(1)), step=8).id == Query((a_segment(0), a_segment(1)), step=8).id


@pytest.mark.parametrize("other", [
    Query((a_segment(1), a_segment(0)), step=8),  # shown the other way round
    Query((a_segment(0), a_segment(1)), step=9),
    Query((a_segment(0), a_segment(1)), step=8, nonce=1),
    Query((a_segment(0), a_segment(1), a_segment(1)), step=8),
])  # fmt: skip
def test_any_difference_is_another_query(other):
    assert other.id != Query((a_segment(0), a_segment(1)), step=8).id


def test_one_segment_cannot_be_compared():
    with pytest.raises(ValueError, match="at least 2 segments, got 1"):
        Query((a_segment(0),), step=0)
