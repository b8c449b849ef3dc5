import copy
import math
from itertools import combinations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from prefrl.metrics import pearson
from prefrl.preferences.dataset import PreferenceDataset
from prefrl.queries import LEFT, TIE, Answer, Comparison, Query
from prefrl.rewards.config import RewardConfig
from prefrl.rewards.encoding import EncodedPreferences, bootstrap_weights, by_pair
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.fitting import assess, fit, make_optimizer, predicted_returns
from prefrl.testing import answered_by, image_segments, random_queries, random_segments, steps_of

OBS, ACT = spaces.Box(-np.inf, np.inf, (4,)), spaces.Box(-1, 1, (2,))
DOT = spaces.Box(0, 255, (4, 16, 16), np.uint8), spaces.Discrete(2)
GAME = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Discrete(2)


def ensemble(**config):
    return RewardEnsemble(OBS, ACT, RewardConfig(**config), seed=0)


def image_comparisons(oracle, number, rng, **kwargs):
    segments = image_segments(2 * number, rng, **kwargs)
    pairs = zip(segments[::2], segments[1::2], strict=True)
    return answered_by(oracle, [Query(pair, step) for step, pair in enumerate(pairs)])


def encoded(made, comparisons):
    data = EncodedPreferences(made)
    data.update(PreferenceDataset.of(comparisons))
    return data


def fitted(made, comparisons, epochs):
    data = encoded(made, comparisons)
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
    made, normalized = RewardEnsemble(*GAME, RewardConfig(network="paper_cnn"), seed=0), []
    first = next(layer for layer in made.network.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    first.register_forward_hook(lambda *called: normalized.append(called[-1].detach().clone()))
    clips = torch.randint(100, (2, 5, 4, 84, 84), generator=torch.Generator().manual_seed(0))
    clips[1] += 100
    made.network.train()
    predicted_returns(made, {"obs": clips.to(torch.uint8)}, torch.zeros(2, 5, 2))
    (both,) = normalized
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


def test_a_member_never_trains_on_what_it_holds_out(comparisons):
    """Flipping the answers that member 0 holds out changes the others, not member 0."""
    held = [bootstrap_weights(by_pair(c.without_segments()), 2)[0] == 0 for c in comparisons]
    flipped = [
        Comparison(c.query, type(c.answer)(c.answer.ranks[::-1]) if out else c.answer, c.labeler)
        for c, out in zip(comparisons, held, strict=True)
    ]
    # Without adaptation: held-out losses steer each member's own L2 coefficient.
    first, second = (ensemble(members=2, l2_low=0.0, l2_high=1e9) for _ in range(2))
    fitted(first, comparisons, 3)
    fitted(second, flipped, 3)
    pairs = list(zip(first.network.parameters(), second.network.parameters(), strict=True))
    assert all(torch.equal(a[0], b[0]) for a, b in pairs)
    assert not any(torch.equal(a[1], b[1]) for a, b in pairs)


def test_l2_grows_where_the_model_overfits_and_shrinks_where_it_does_not(rng, comparisons):
    made = ensemble(l2=1e-4)
    _, stats = fitted(made, comparisons[:20], 40)  # 20 comparisons are soon learned by heart
    assert stats.l2 > 1e-4
    at_chance = ensemble(l2=1e-3, learning_rate=0.0)  # held-out and training loss are about the same
    fitted(at_chance, answered_by_chance(rng), 5)
    assert (at_chance.l2 < 1e-3).all()


def test_l2_that_is_off_stays_off(comparisons):
    made = ensemble(l2=0.0)
    _, stats = fitted(made, comparisons[:20], 40)  # where it would grow
    assert stats.l2 == 0


def answered_by_chance(rng):
    return [Comparison(query, LEFT if rng.random() < 0.5 else TIE, "dice") for query in random_queries(200, rng)]


def test_a_pass_over_a_sample_sees_no_more_than_that(comparisons):
    made = ensemble(fit_sample=10, batch_size=5)
    data, stats = fitted(made, comparisons, 3)
    assert stats == assess(made, encoded(made, comparisons[-3:]))
    optimizer = make_optimizer(made)
    fit(made, optimizer, data, 3, torch.Generator().manual_seed(0))
    assert {int(state["step"]) for state in optimizer.state.values()} == {3 * 2}


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
    made = RewardEnsemble(*DOT, RewardConfig(learning_rate=1e-2, l2=1e-4, batch_size=16), seed=0, precision=precision)
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
    return RewardEnsemble(*GAME, RewardConfig(network="paper_cnn", hidden=(64,), batch_size=4), seed)


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
    data, again = encoded(made, game_comparisons), encoded(resumed, game_comparisons)
    optimizer, other = make_optimizer(made), make_optimizer(resumed)
    fit(made, optimizer, data, 1, torch.Generator().manual_seed(0))
    resumed.load_state({name: value.clone() for name, value in made.state().items()})
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    stats = [
        fit(ensemble, adam, known, 1, torch.Generator().manual_seed(1))
        for ensemble, adam, known in ((made, optimizer, data), (resumed, other, again))
    ]
    assert stats[0] == stats[1]
    assert all(torch.equal(value, resumed.state()[name]) for name, value in made.state().items())


def rankings(rng, number, sizes=(4,)):
    """The oracle's rankings of segments that no other query has, of these sizes in turn."""
    queries = []
    for step in range(number):
        queries.append(Query(tuple(random_segments(sizes[step % len(sizes)], rng)), step))
    return queries


@pytest.mark.parametrize("sizes", [(4,), (2, 4, 3)])
def test_learns_from_rankings_of_any_number_of_segments(rng, oracle, sizes):
    made = ensemble()
    data, stats = fitted(made, answered_by(oracle, rankings(rng, 150, sizes)), 20)
    assert len(data) == 150
    assert stats.heldout_accuracy is not None
    assert stats.heldout_accuracy > 0.85
    segments = random_segments(100, rng)
    correlation = pearson(made.returns(segments), [segment.true_return for segment in segments])
    assert correlation is not None
    assert correlation > 0.9


def test_a_ranking_is_learned_from_as_the_mean_of_its_pairs(rng, oracle):
    (query,) = rankings(rng, 1)
    (answer,) = oracle.label([query])
    made = ensemble(members=1)
    pairs = [
        Comparison(Query((a, b), 0), Answer((rank_a, rank_b)), "x")
        for (a, rank_a), (b, rank_b) in combinations(zip(query.segments, answer.ranks, strict=True), 2)
    ]
    whole, parts = encoded(made, [Comparison(query, answer, "x")]), encoded(made, pairs)
    whole.weights, parts.weights = torch.ones(1, 1), torch.ones(6, 1)
    ranked, paired = assess(made, whole), assess(made, parts)
    assert ranked.train_loss == pytest.approx(paired.train_loss)
    assert ranked.train_accuracy == pytest.approx(paired.train_accuracy)
    whole.weights, parts.weights = torch.zeros(1, 1), torch.zeros(6, 1)
    ranked, paired = assess(made, whole), assess(made, parts)
    assert ranked.heldout_loss == pytest.approx(paired.heldout_loss)
    assert ranked.heldout_accuracy == pytest.approx(paired.heldout_accuracy)


def test_ties_within_a_ranking_count_for_no_accuracy(rng):
    (query,) = rankings(rng, 1)
    made = ensemble(members=1)
    data = encoded(made, [Comparison(query, Answer((0, 0, 0, 0)), "x")])
    data.weights = torch.zeros(1, 1)
    assert assess(made, data).heldout_accuracy is None


def test_a_ranking_among_pairs_leaves_the_bits_of_those_before_it(comparisons, rng):
    """Wider tables of ranks change nothing for pairs."""
    first, second = ensemble(), ensemble()
    data, wide = encoded(first, comparisons), EncodedPreferences(second)
    dataset = PreferenceDataset.of([*comparisons, Comparison(rankings(rng, 1)[0], Answer((0, 1, 2, 3)), "x")])
    wide.update(dataset)
    dataset.keep(range(len(comparisons)))
    wide.update(dataset)
    assert wide.ranks.shape == (len(comparisons), 4)
    for made, known in ((first, data), (second, wide)):
        fit(made, make_optimizer(made), known, 2, torch.Generator().manual_seed(0))
    assert all(torch.equal(value, second.state()[name]) for name, value in first.state().items())
