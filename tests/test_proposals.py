import numpy as np
import pytest
from gymnasium import spaces

from prefrl.algorithms.learner import RewardLearner
from prefrl.algorithms.proposals import describe, draw_pairs, propose, unasked_pairs
from prefrl.preferences.config import QueryConfig
from prefrl.rewards.config import RewardConfig
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.fitting import make_optimizer
from prefrl.rollouts import SegmentPool
from prefrl.selection import SELECTIONS
from prefrl.testing import random_segments

OBS, ACT = spaces.Box(-np.inf, np.inf, (4,)), spaces.Box(-1, 1, (2,))


@pytest.fixture
def reward(rng):
    ensemble = RewardEnsemble(OBS, ACT, RewardConfig(), seed=0)
    pool = SegmentPool("x", clip_steps=10, capacity_steps=10_000)
    pool.segments.extend(random_segments(30, rng))
    return RewardLearner(ensemble, make_optimizer(ensemble), pool)


def test_pairs_are_different_and_of_different_segments(rng):
    pairs = draw_pairs(5, 1000, rng)
    assert len(pairs) == 10
    assert len({frozenset(pair) for pair in pairs.tolist()}) == 10
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert set(pairs.ravel().tolist()) == set(range(5))


def test_candidates_are_described_by_their_members_returns(reward):
    segments = list(reward.pool.segments)
    candidates = describe(reward.ensemble, segments, np.array([[0, 3], [3, 1]]))
    raw = reward.ensemble.raw(*reward.ensemble.encode_segments([segments[3]])).sum(1).detach().numpy()
    assert candidates.returns.shape == (3, 2, 2)
    assert np.allclose(candidates.returns[:, 0, 1], raw, atol=1e-4)
    assert np.allclose(candidates.returns[:, 1, 0], raw, atol=1e-4)
    assert len(candidates.features) == 2


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_selection_proposes_deterministically(reward, selection):
    config = QueryConfig(selection=selection)
    first, again = (
        [q.id for q in propose(reward, 5, 100, 0, config, np.random.default_rng(3), fitted=True)] for _ in range(2)
    )
    assert first == again
    assert len(set(first)) == 5


def test_disagreement_picks_what_the_ensemble_disagrees_on_more_than_chance_does(reward):
    def spread(selection):
        config = QueryConfig(selection=selection)
        queries = propose(reward, 5, 0, 0, config, np.random.default_rng(0), fitted=True)
        segments = [segment for query in queries for segment in query.segments]
        returns = describe(reward.ensemble, segments, np.arange(10).reshape(5, 2)).returns
        return (1 / (1 + np.exp(returns[..., 1] - returns[..., 0]))).var(axis=0).mean()

    assert spread("disagreement") > spread("uniform")


def test_before_the_first_fit_pairs_are_drawn_uniformly(reward):
    by_chance = propose(reward, 5, 0, 0, QueryConfig(selection="uniform"), np.random.default_rng(0), fitted=True)
    unfitted = propose(reward, 5, 0, 0, QueryConfig(), np.random.default_rng(0), fitted=False)
    assert [q.id for q in by_chance] == [q.id for q in unfitted]


def test_too_few_segments_are_one_clear_line(reward, rng):
    reward.pool.segments.clear()
    with pytest.raises(ValueError, match="0 segments of 10 steps are too few to compare; raise `initial_steps`"):
        propose(reward, 5, 0, 0, QueryConfig(), rng, fitted=False)


def test_the_last_pair_that_was_not_asked_is_found(reward, rng):
    """Of 435 pairs one is left: candidates drawn at random would hardly ever hold it."""
    segments = list(reward.pool.segments)
    pairs = {frozenset((a.id, b.id)) for a in segments for b in segments if a is not b}
    last = pairs.pop()
    (query,) = propose(reward, 5, 0, 0, QueryConfig(), rng, fitted=True, asked=pairs)
    assert query.pair == last
    assert propose(reward, 5, 0, 0, QueryConfig(), rng, fitted=True, asked=pairs | {last}) == []


def test_segments_of_the_same_content_are_one(reward, rng):
    one, two = list(reward.pool.segments)[:2]
    assert len(unasked_pairs([one, one, two, two, one], set(), 10, rng)) == 1
    assert len(unasked_pairs([one, one], set(), 10, rng)) == 0


def test_a_selection_of_ones_own_may_pick_fewer(reward, rng):
    assert propose(reward, 5, 0, 0, QueryConfig(selection="test_proposals:nothing"), rng, fitted=True) == []


def nothing(candidates, num, rng):
    return np.empty(0, int)
