import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from prefrl.config import RewardConfig
from prefrl.metrics import pearson
from prefrl.queries import INCOMPARABLE, LEFT, TIE, Comparison, Query
from prefrl.rewards.ensemble import Ensemble
from prefrl.rewards.fitting import (
    ComparisonData,
    assess,
    bootstrap_weights,
    by_pair,
    by_query,
    fit,
    make_optimizer,
    predicted_returns,
)
from prefrl.testing import answered_by, image_segments, random_queries, random_segments, steps_of

OBS, ACT = spaces.Box(-np.inf, np.inf, (4,)), spaces.Box(-1, 1, (2,))
DOT = spaces.Box(0, 255, (4, 16, 16), np.uint8), spaces.Discrete(2)
GAME = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Discrete(2)


def ensemble(**config):
    return Ensemble(OBS, ACT, RewardConfig(**config), seed=0)


def image_comparisons(oracle, number, rng, **kwargs):
    segments = image_segments(2 * number, rng, **kwargs)
    pairs = zip(segments[::2], segments[1::2], strict=True)
    return answered_by(oracle, [Query(pair, step) for step, pair in enumerate(pairs)])


def fitted(made, comparisons, epochs):
    data = ComparisonData(made)
    data.add(comparisons)
    return data, fit(made, make_optimizer(made), data, epochs, torch.Generator().manual_seed(0))


def test_learns_what_the_comparisons_are_about(rng, oracle):
    made = ensemble()
    _, stats = fitted(made, answered_by(oracle, random_queries(300, rng)), 20)
    segments = random_segments(100, rng)
    predicted = made(*steps_of(segments)).reshape(100, -1).sum(1)
    assert stats.train_loss < 0.3 < math.log(2)
    assert stats.heldout_accuracy is not None
    assert stats.heldout_accuracy > 0.85
    correlation = pearson(predicted, [segment.true_return for segment in segments])
    assert correlation is not None
    assert correlation > 0.9


def test_in_training_the_two_clips_of_a_pair_are_standardised_together():
    """By statistics of its own each clip would have mean 0, and what tells a dark one from a bright one be gone."""
    made, normalised = Ensemble(*GAME, RewardConfig(network="paper_cnn"), seed=0), []
    first = next(layer for layer in made.network.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    first.register_forward_hook(lambda *called: normalised.append(called[-1].detach().clone()))
    clips = torch.randint(100, (1, 2, 5, 4, 84, 84), generator=torch.Generator().manual_seed(0))
    clips[:, 1] += 100
    made.network.train()
    predicted_returns(made, {"obs": clips.to(torch.uint8)}, torch.zeros(1, 2, 5, 2))
    (both,) = normalised
    channels = both.transpose(0, 1).flatten(1)
    assert torch.allclose(channels.mean(1), torch.zeros(48), atol=1e-3)
    assert torch.allclose(channels.std(1), torch.ones(48), atol=1e-2)
    dark, bright = both.unflatten(0, (2, 5)).mean((1, 3, 4))
    assert torch.allclose(dark, -bright, atol=1e-3)
    assert (bright - dark).abs().median() > 0.5


def test_the_same_generator_gives_the_same_model(comparisons, segments):
    first, second = ensemble(), ensemble()
    fitted(first, comparisons, 2)
    fitted(second, comparisons, 2)
    assert np.array_equal(first(*steps_of(segments)), second(*steps_of(segments)))


def test_bootstrap_weights_are_poisson_and_for_ever():
    weights = np.array([bootstrap_weights(str(i), 3) for i in range(20_000)])
    assert np.array_equal(weights[:10], [bootstrap_weights(str(i), 3) for i in range(10)])
    for number in range(4):
        share, expected = (weights == number).mean(), math.exp(-1) / math.factorial(number)
        assert abs(share - expected) < 4 * math.sqrt(expected / weights.size)
    assert abs(np.corrcoef(weights.T)[0, 1]) < 0.03  # the members' samples are independent


def test_a_member_never_trains_on_what_it_holds_out(comparisons):
    """Flipping the answers that member 0 holds out changes the others, not member 0."""
    held = [bootstrap_weights(by_pair(c.query), 2)[0] == 0 for c in comparisons]
    flipped = [
        Comparison(c.query, type(c.answer)(c.answer.ranks[::-1]) if out else c.answer, c.labeler)
        for c, out in zip(comparisons, held, strict=True)
    ]
    # Without adaptation: held-out losses steer each member's own L2 coefficient.
    first, second = (ensemble(members=2, l2_low=0.0, l2_high=math.inf) for _ in range(2))
    fitted(first, comparisons, 3)
    fitted(second, flipped, 3)
    pairs = list(zip(first.network.parameters(), second.network.parameters(), strict=True))
    assert all(torch.equal(a[0], b[0]) for a, b in pairs)
    assert not any(torch.equal(a[1], b[1]) for a, b in pairs)


def test_l2_grows_where_the_model_overfits_and_shrinks_where_it_does_not(rng, comparisons):
    made = ensemble(l2=1e-4)
    _, stats = fitted(made, comparisons[:20], 40)  # 20 comparisons are soon learned by heart
    assert stats.l2 > 1e-4
    at_chance = ensemble(l2=1e-3, reward_lr=0.0)  # held-out and training loss are about the same
    fitted(at_chance, answered_by_chance(rng), 5)
    assert (at_chance.l2 < 1e-3).all()


def test_l2_that_is_off_stays_off(comparisons):
    made = ensemble(l2=0.0)
    _, stats = fitted(made, comparisons[:20], 40)  # where it would grow
    assert stats.l2 == 0


def test_a_pair_that_is_asked_twice_is_held_out_twice_or_not_at_all(rng):
    queries = random_queries(50, rng)
    again = [Query(query.segments[::-1], 1000 + query.step, 3) for query in queries]
    data, older = ComparisonData(ensemble()), ComparisonData(ensemble(), by_query)
    for kept in (data, older):
        kept.add([Comparison(query, LEFT, "x") for query in queries + again])
    assert torch.equal(data.weights[:50], data.weights[50:])
    assert not torch.equal(older.weights[:50], older.weights[50:])


def answered_by_chance(rng):
    return [Comparison(query, LEFT if rng.random() < 0.5 else TIE, "dice") for query in random_queries(200, rng)]


def test_incomparable_pairs_are_dropped_and_ties_are_halves(rng):
    queries = random_queries(3, rng)
    data = ComparisonData(ensemble())
    data.add([Comparison(query, answer, "x") for query, answer in zip(queries, (LEFT, INCOMPARABLE, TIE), strict=True)])
    assert data.prefer_left.tolist() == [1.0, 0.5]
    assert data.vectors["obs"].shape == (2, 2, 10, 4)


def test_data_grows_in_parts_as_it_would_at_once(comparisons):
    whole, parts = ComparisonData(ensemble()), ComparisonData(ensemble())
    whole.add(comparisons)
    parts.add(comparisons[:30])
    parts.add([])
    parts.add(comparisons[30:])
    assert torch.equal(whole.vectors["obs"], parts.vectors["obs"])
    assert torch.equal(whole.weights, parts.weights)


def test_keeps_only_the_latest_where_asked(comparisons):
    data = ComparisonData(ensemble())
    data.add(comparisons)
    expected = data.prefer_left[-10:].clone()
    data.keep(range(len(data) - 10, len(data)))
    assert len(data) == len(data.actions) == len(data.weights) == 10
    assert torch.equal(data.prefer_left, expected)


def test_a_pass_over_a_sample_sees_no_more_than_that(comparisons):
    made = ensemble(fit_sample=10, fit_batch=5)
    data, stats = fitted(made, comparisons, 3)
    latest = ComparisonData(made)
    latest.add(comparisons[-3:])
    assert stats == assess(made, latest)
    optimizer = make_optimizer(made)
    fit(made, optimizer, data, 3, torch.Generator().manual_seed(0))
    assert {int(state["step"]) for state in optimizer.state.values()} == {3 * 2}


def test_segments_of_other_lengths_are_refused(rng, comparisons):
    data = ComparisonData(ensemble())
    data.add(comparisons)
    left, right = random_segments(2, rng, length=7)
    with pytest.raises(ValueError, match=r"segments of \[7, 10\] steps cannot be trained on together"):
        data.add([Comparison(Query((left, right), 0), LEFT, "x")])


def test_assessing_changes_nothing(comparisons, segments):
    made = ensemble()
    data, stats = fitted(made, comparisons, 1)
    before = made(*steps_of(segments))
    assert assess(made, data) == stats
    assert np.array_equal(made(*steps_of(segments)), before)


def test_a_member_trained_beside_another_is_the_member_trained_alone(comparisons):
    both, alone = ensemble(members=2), ensemble(members=1)
    with torch.no_grad():
        for one, two in zip(alone.network.parameters(), both.network.parameters(), strict=True):
            one.copy_(two[:1])
    fitted(both, comparisons, 2)
    fitted(alone, comparisons, 2)
    for one, two in zip(alone.network.parameters(), both.network.parameters(), strict=True):
        assert torch.allclose(one[0], two[0], atol=1e-5)


def test_a_fit_leaves_the_arithmetic_of_the_process_as_it_was(comparisons):
    fitted(ensemble(), comparisons, 1)
    assert np.float32(1e-40) * np.float32(0.5) > 0  # denormal numbers are numbers again


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_learns_from_images(rng, oracle, precision):
    made = Ensemble(*DOT, RewardConfig(reward_lr=1e-2, l2=1e-4, fit_batch=16), seed=0, precision=precision)
    fitted(made, image_comparisons(oracle, 100, rng, length=5), 8)
    segments = image_segments(100, rng, length=5)
    correlation = pearson(made.returns(segments), [segment.true_return for segment in segments])
    assert correlation is not None
    assert correlation > 0.9


@pytest.fixture
def game_comparisons(rng, oracle):
    """10 comparisons of clips of 4 steps of 84x84."""
    return image_comparisons(oracle, 10, rng, length=4, size=84)


def paper_ensemble(seed=0):
    return Ensemble(*GAME, RewardConfig(network="paper_cnn", hidden=(64,), fit_batch=4), seed)


def test_dropout_is_drawn_from_the_generator_of_the_fit(game_comparisons):
    segments = [segment for comparison in game_comparisons for segment in comparison.query.segments]
    returns = []
    for before in (3, 4):
        torch.manual_seed(before)
        made = paper_ensemble()
        state = torch.get_rng_state()
        fitted(made, game_comparisons, 1)
        assert torch.equal(torch.get_rng_state(), state)
        returns.append(made.returns(segments))
    assert np.array_equal(*returns)


def test_only_a_fit_is_in_training_mode(game_comparisons):
    made = paper_ensemble()
    assert not made.network.training
    data, _ = fitted(made, game_comparisons, 1)
    state = {name: value.clone() for name, value in made.state().items()}
    assess(made, data)
    made.returns([segment for comparison in game_comparisons for segment in comparison.query.segments])
    assert all(torch.equal(value, state[name]) for name, value in made.state().items())


def test_a_fit_goes_on_from_a_saved_state_as_if_never_interrupted(game_comparisons):
    made, resumed = paper_ensemble(), paper_ensemble(seed=1)
    data, again = ComparisonData(made), ComparisonData(resumed)
    optimizer, other = make_optimizer(made), make_optimizer(resumed)
    data.add(game_comparisons)
    again.add(game_comparisons)
    fit(made, optimizer, data, 1, torch.Generator().manual_seed(0))
    resumed.load_state({name: value.clone() for name, value in made.state().items()})
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    stats = [
        fit(ensemble, adam, known, 1, torch.Generator().manual_seed(1))
        for ensemble, adam, known in ((made, optimizer, data), (resumed, other, again))
    ]
    assert stats[0] == stats[1]
    assert all(torch.equal(value, resumed.state()[name]) for name, value in made.state().items())


def test_images_of_dict_observations_come_beside_vectors(rng, oracle):
    comparisons = image_comparisons(oracle, 3, rng)
    space = spaces.Dict({"pose": spaces.Box(-1, 1, (2,)), "view": DOT[0]})
    data = ComparisonData(Ensemble(space, DOT[1], RewardConfig(), seed=0))
    poses = {s.id: rng.normal(size=(10, 2)).astype(np.float32) for c in comparisons for s in c.query.segments}

    def with_pose(segment):
        return replace(segment, obs={"pose": poses[segment.id], "view": segment.obs})

    pairs = [tuple(map(with_pose, comparison.query.segments)) for comparison in comparisons]
    data.add([Comparison(Query(pair, 0), LEFT, "x") for pair in pairs])
    data.keep([1, 2])
    (batch,) = data.batches(torch.tensor([1, 0]), 2)
    assert np.array_equal(batch.obs["view"], [[s.obs["view"] for s in pair] for pair in (pairs[2], pairs[1])])
    assert np.array_equal(batch.obs["pose"], [[s.obs["pose"] for s in pair] for pair in (pairs[2], pairs[1])])
