import numpy as np
import pytest

from prefrl.metrics import (
    cohens_kappa,
    heldout_accuracy,
    krippendorff_alpha,
    normalized_return,
    pearson,
    ranks,
    spearman,
    wilson_interval,
)


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


def test_normalized_return_is_0_for_random_and_1_for_the_reference():
    assert normalized_return(5, 5, 25) == 0
    assert normalized_return(25, 5, 25) == 1
    assert normalized_return(15, 5, 25) == 0.5


@pytest.mark.parametrize(
    "count, of, low, high",
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0000),
    ],
)
def test_wilson_interval_of_the_literature(count, of, low, high):
    assert wilson_interval(count, of) == pytest.approx((low, high), abs=5e-5)


class TestCohensKappa:
    def test_by_hand(self):
        # Both yes 20, both no 15 of 50: observed 0.7; yes 25 and 30 times: expected 0.5.
        a = ["yes"] * 25 + ["no"] * 25
        b = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
        assert cohens_kappa(a, b) == pytest.approx(0.4)

    def test_edges(self):
        assert cohens_kappa([1, 2, 3], [1, 2, 3]) == 1
        assert cohens_kappa([1, 2], [2, 1]) == -1
        assert cohens_kappa([1, 1], [1, 1]) is None
        assert cohens_kappa([], []) is None
        with pytest.raises(ValueError, match="got 1 and 2"):
            cohens_kappa([1], [1, 2])


class TestKrippendorffAlpha:
    """The examples A, B and C of Krippendorff 2011."""

    @pytest.mark.parametrize(
        "raters, alpha",
        [
            (["0100000010", "1110010000"], 0.095),
            (["aabbdcccedda", "babbbccceddd"], 0.692),
            (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
        ],
    )
    def test_of_the_literature(self, raters, alpha):
        units = [[value for value in unit if value != "."] for unit in zip(*raters, strict=True)]
        assert krippendorff_alpha(units) == pytest.approx(alpha, abs=5e-4)

    def test_edges(self):
        assert krippendorff_alpha([[1, 1], [2, 2, 2]]) == 1
        assert krippendorff_alpha([[1, 1], [1, 1]]) is None
        assert krippendorff_alpha([[1], [2]]) is None
        assert krippendorff_alpha([]) is None
