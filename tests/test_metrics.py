import numpy as np
import pytest

from prefrl.metrics import heldout_accuracy, normalised_return, pearson, ranks, spearman


def test_pearson_by_hand():
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert pearson([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)


def test_a_constant_has_no_correlation():
    assert pearson([1, 1, 1], [1, 2, 3]) is None
    assert spearman([1, 2, 3], [5, 5, 5]) is None


def test_ranks_share_their_mean_on_ties():
    assert ranks(np.array([10, 30, 20, 20])).tolist() == [0, 3, 1.5, 1.5]


def test_spearman_sees_order_only():
    values = np.array([0.1, 1.0, 2.0, 10.0])
    assert spearman(values, np.exp(values)) == pytest.approx(1.0)


def test_heldout_accuracy_counts_only_what_a_member_never_trained_on():
    difference = np.array([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])  # [M, D]
    labels = np.array([1.0, 1.0, 0.5])
    weights = np.array([[0, 1], [0, 0], [0, 0]])  # [D, M]
    # member 0 holds out comparisons 0 (right) and 1 (wrong), member 1 holds out 1 (right); 2 is a tie
    assert heldout_accuracy(difference, labels, weights) == pytest.approx(2 / 3)


def test_heldout_accuracy_of_nothing_is_none():
    assert heldout_accuracy(np.zeros((1, 1)), np.ones(1), np.ones((1, 1))) is None


def test_normalised_return_is_0_for_random_and_1_for_the_reference():
    assert normalised_return(5, 5, 25) == 0
    assert normalised_return(25, 5, 25) == 1
    assert normalised_return(15, 5, 25) == 0.5
