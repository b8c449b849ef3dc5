import numpy as np
import pytest

from prefrl.selection import SELECTIONS, Candidates, k_center, most_disagreed, most_uncertain, uniform


def candidates(differences, features=None):
    """[M][P] differences of returns."""
    left = np.array(differences, float)
    returns = np.stack([left, np.zeros_like(left)], axis=-1)
    return Candidates(returns, lambda: np.zeros((left.shape[1], 1)) if features is None else np.array(features, float))


def test_most_disagreed_asks_where_the_members_contradict_each_other():
    pairs = candidates([[5, 0, 3], [5, 0, -3], [5, 0, 3]])
    assert most_disagreed(pairs, 1, np.random.default_rng(0)).tolist() == [2]


def test_disagreement_is_of_preferences_not_of_returns():
    # The members are far apart on pair 0, but agree on who wins; they disagree on pair 1.
    pairs = candidates([[20, 1], [90, -1]])
    assert most_disagreed(pairs, 1, np.random.default_rng(0)).tolist() == [1]


def test_most_uncertain_asks_where_the_mean_preference_is_nearest_to_a_half():
    pairs = candidates([[4, 0.1, -4], [4, 0.1, -4]])
    assert most_uncertain(pairs, 1, np.random.default_rng(0)).tolist() == [1]


def test_k_center_takes_one_pair_of_each_cluster():
    features = [[0, 0], [0.1, 0], [10, 0], [10.1, 0], [0, 10], [0, 10.1]]
    picked = k_center(candidates(np.zeros((1, 6)), features), 3, np.random.default_rng(0))
    assert sorted(int(i) // 2 for i in picked) == [0, 1, 2]


def test_ties_are_broken_by_the_generator():
    pairs = candidates(np.zeros((3, 50)))
    first = {tuple(most_disagreed(pairs, 3, np.random.default_rng(seed))) for seed in range(5)}
    assert len(first) == 5


@pytest.mark.parametrize("select", SELECTIONS.values(), ids=SELECTIONS)
class TestEverySelection:
    def test_is_deterministic_under_its_seed_and_picks_different_pairs(self, select):
        rng = np.random.default_rng(7)
        pairs = candidates(rng.normal(size=(3, 40)), rng.normal(size=(40, 4)))
        picked = select(pairs, 10, np.random.default_rng(1))
        assert picked.tolist() == select(pairs, 10, np.random.default_rng(1)).tolist()
        assert len(set(picked.tolist())) == 10

    def test_can_take_everything_but_no_more(self, select):
        pairs = candidates(np.zeros((2, 4)))
        assert sorted(select(pairs, 4, np.random.default_rng(0)).tolist()) == [0, 1, 2, 3]
        with pytest.raises(ValueError, match="cannot pick 5 pairs out of 4"):
            select(pairs, 5, np.random.default_rng(0))


def test_uniform_reaches_every_pair():
    pairs = candidates(np.zeros((1, 5)))
    rng = np.random.default_rng(0)
    assert {int(uniform(pairs, 1, rng)[0]) for _ in range(100)} == set(range(5))
