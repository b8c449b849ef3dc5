import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from prefrl.preferences.dataset import PreferenceDataset
from prefrl.queries import INCOMPARABLE, LEFT, TIE, Answer, Comparison, Query
from prefrl.rewards.config import RewardConfig
from prefrl.rewards.encoding import EncodedPreferences, bootstrap_weights, by_pair, by_query
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.segments import Segment
from prefrl.testing import image_segments, random_queries, random_segments

OBS, ACT = spaces.Box(-np.inf, np.inf, (4,)), spaces.Box(-1, 1, (2,))
DOT = spaces.Box(0, 255, (4, 16, 16), np.uint8), spaces.Discrete(2)


def encoded(comparisons, made=None, **options):
    data = EncodedPreferences(made or RewardEnsemble(OBS, ACT, RewardConfig(), seed=0), **options)
    data.update(PreferenceDataset.of(comparisons))
    return data


def answered(queries, answer=LEFT):
    return [Comparison(query, answer, "x") for query in queries]


def stacked(data):
    return data.vectors["obs"], data.actions, data.ranks, data.mask, data.weights


def test_bootstrap_weights_are_poisson_and_for_ever():
    weights = np.array([bootstrap_weights(str(i), 3) for i in range(20_000)])
    assert np.array_equal(weights[:10], [bootstrap_weights(str(i), 3) for i in range(10)])
    for number in range(4):
        share, expected = (weights == number).mean(), math.exp(-1) / math.factorial(number)
        assert abs(share - expected) < 4 * math.sqrt(expected / weights.size)
    assert abs(np.corrcoef(weights.T)[0, 1]) < 0.03  # the members' samples are independent


def test_bootstrap_weights_are_those_of_segments_that_had_a_lone_array():
    """The weights of a version whose segments had the array of a Box space, not a dict of it."""
    steps, vector = np.arange(3), np.arange(6, dtype=np.float32).reshape(3, 2)
    plain = Segment("toy", {"obs": vector}, steps, steps.astype(np.float32))
    drawn = replace(plain, render_states=vector, oracle_rewards=np.ones(3, np.float32))
    (comparison,) = answered([Query((plain, drawn), step=5)])
    assert comparison.query.id == "ecf75f5c54bd6fde6165fcded131c695"
    weights = bootstrap_weights(by_pair(comparison.without_segments()), 12)
    assert weights == [0, 2, 1, 0, 3, 2, 0, 3, 1, 1, 0, 2]


def test_a_pair_that_is_asked_twice_is_held_out_twice_or_not_at_all(rng):
    queries = random_queries(50, rng)
    again = [Query(query.segments[::-1], 1000 + query.step, 3) for query in queries]
    data, older = encoded(answered(queries + again)), encoded(answered(queries + again), heldout_by=by_query)
    assert torch.equal(data.weights[:50], data.weights[50:])
    assert not torch.equal(older.weights[:50], older.weights[50:])


def test_incomparable_pairs_are_dropped_and_ties_are_equal_ranks(rng):
    queries = random_queries(3, rng)
    answers = LEFT, INCOMPARABLE, TIE
    data = encoded([Comparison(query, answer, "x") for query, answer in zip(queries, answers, strict=True)])
    assert data.ranks.tolist() == [[0, 1], [0, 0]]
    assert data.vectors["obs"].shape == (4, 10, 4)


def test_data_grows_in_parts_as_it_would_at_once(comparisons, monkeypatch):
    whole = encoded(comparisons)
    monkeypatch.setattr("prefrl.rewards.encoding.ENCODED_AT_ONCE", 7)
    dataset, parts = PreferenceDataset.of(comparisons), encoded([])
    later = dataset.answered[30:]
    dataset.keep(range(30))
    parts.update(dataset)
    parts.update(dataset)
    dataset.add(later)
    parts.update(dataset)
    assert all(torch.equal(a, b) for a, b in zip(stacked(whole), stacked(parts), strict=True))


def test_what_the_dataset_forgets_is_forgotten(comparisons):
    data, dataset = encoded([]), PreferenceDataset.of(comparisons)
    data.update(dataset)
    dataset.keep([3, 5, 90])
    data.update(dataset)
    left = encoded([comparisons[3], comparisons[5], comparisons[90]])
    assert len(data) == 3
    assert all(torch.equal(a, b) for a, b in zip(stacked(data), stacked(left), strict=True))
    dataset.keep([])
    data.update(dataset)
    assert len(data) == len(data.actions) == 0
    dataset.add(each.without_segments() for each in comparisons[:2])
    data.update(dataset)
    assert all(torch.equal(a, b) for a, b in zip(stacked(data), stacked(encoded(comparisons[:2])), strict=True))


def test_segments_of_other_lengths_are_refused(rng, comparisons):
    left, right = random_segments(2, rng, length=7)
    with pytest.raises(ValueError, match=r"segments of \[7, 10\] steps cannot be trained on together"):
        encoded([*comparisons, Comparison(Query((left, right), 0), LEFT, "x")])


def test_queries_of_different_sizes_share_a_batch(rng):
    """Each query finds its own segments, and nothing is computed for those that it does not have."""
    segments = random_segments(9, rng)
    queries = [Query(tuple(segments[a:b]), a) for a, b in ((0, 2), (2, 6), (6, 9))]
    answers = LEFT, Answer((3, 0, 1, 1)), Answer((0, 2, 1))
    data = encoded([Comparison(query, answer, "x") for query, answer in zip(queries, answers, strict=True)])
    batches = list(data.batches(torch.tensor([2, 0, 1]), 2))
    assert [len(batch.actions) for batch in batches] == [5, 4]
    for batch, shown in zip(batches, ([2, 0], [1]), strict=True):
        for places, mask, ranks, number in zip(batch.places, batch.mask, batch.ranks, shown, strict=True):
            found = batch.obs["obs"][places[mask]]
            assert np.array_equal(found, np.stack([segment.obs["obs"] for segment in queries[number].segments]))
            assert tuple(ranks[mask].tolist()) == answers[number].ranks


def test_a_ranking_after_pairs_widens_what_is_there(rng, comparisons):
    data, dataset = encoded([]), PreferenceDataset.of(comparisons)
    data.update(dataset)
    four = Comparison(Query(tuple(random_segments(4, rng)), 0), Answer((0, 1, 2, 3)), "x")
    both = PreferenceDataset.of([*comparisons, four])
    data.update(both)
    assert data.mask.sum(1).tolist() == [2] * len(comparisons) + [4]
    assert data.ranks[-1].tolist() == [0, 1, 2, 3]


def test_images_of_dict_observations_come_beside_vectors(rng):
    segments = image_segments(7, rng)
    space = spaces.Dict({"pose": spaces.Box(-1, 1, (2,)), "view": DOT[0]})
    poses = rng.normal(size=(7, 10, 2)).astype(np.float32)
    both = [replace(s, obs={"pose": pose, "view": s.obs["obs"]}) for s, pose in zip(segments, poses, strict=True)]
    queries = [Query(tuple(both[a:b]), 0) for a, b in ((0, 2), (2, 5), (5, 7))]
    dataset = PreferenceDataset.of(
        Comparison(query, Answer(tuple(range(len(query.segments)))), "x") for query in queries
    )
    data = EncodedPreferences(RewardEnsemble(space, DOT[1], RewardConfig(), seed=0))
    data.update(dataset)
    dataset.keep([1, 2])
    data.update(dataset)
    (batch,) = data.batches(torch.tensor([1, 0]), 2)
    expected = [*queries[2].segments, *queries[1].segments]
    for name in ("view", "pose"):
        assert np.array_equal(batch.obs[name], [segment.obs[name] for segment in expected])
