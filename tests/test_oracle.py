"""Each irrationality against its formula: frequencies over many queries, within 4 standard deviations."""

import math

import numpy as np
import pytest

from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle, discounted_return
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Query
from prefrl.segments import Segment

MANY = 4000
PERFECT = OracleConfig()


def with_rewards(*rewards):
    return Segment("toy", {"obs": np.zeros((len(rewards), 1))}, np.zeros((len(rewards), 1)), np.array(rewards))


def query(*returns, nonce=0):
    """About segments of one step each."""
    return Query(tuple(with_rewards(value) for value in returns), step=0, nonce=nonce)


def many(*returns):
    first = query(*returns)
    return [Query(first.segments, step=0, nonce=nonce) for nonce in range(MANY)]


def answer_of(oracle, query):
    (answer,) = oracle.label([query])
    return answer


def frequency(oracle, queries, answer):
    return np.mean([each == answer for each in oracle.label(queries)])


def within(probability):
    """4 standard deviations of a frequency over MANY queries."""
    return pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / MANY) + 1e-12)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("left, right, answer", [(1, 0, LEFT), (-2, -1, RIGHT), (3, 3, TIE)])
def test_by_default_it_never_errs(left, right, answer):
    assert frequency(Oracle(PERFECT, seed=0), many(left, right), answer) == 1


def test_the_same_rewards_in_another_order_tie():
    rewards = np.random.default_rng(0).normal(size=60)
    a, b = with_rewards(*rewards), with_rewards(*rewards[::-1])
    assert answer_of(Oracle(PERFECT, seed=0), Query((a, b), step=0)) == TIE


@pytest.mark.parametrize("beta, left, right", [(1.0, 0.5, 0.0), (0.3, -1.0, 2.0), (4.0, 0.1, 0.0), (0.0, 5.0, 0.0)])
def test_rationality_is_boltzmann(beta, left, right):
    oracle = Oracle(OracleConfig(beta=beta), seed=1)
    assert frequency(oracle, many(left, right), LEFT) == within(sigmoid(beta * (left - right)))


def test_mistakes_come_with_their_probability():
    oracle = Oracle(OracleConfig(mistakes=0.1), seed=2)
    assert frequency(oracle, many(1, 0), RIGHT) == within(0.1)


def test_rationality_and_mistakes_add_up():
    oracle = Oracle(OracleConfig(beta=2.0, mistakes=0.2), seed=3)
    p = sigmoid(2.0)
    assert frequency(oracle, many(1, 0), LEFT) == within(0.8 * p + 0.2 * (1 - p))


def test_discounted_return_by_hand():
    segment = with_rewards(1.0, 10.0, 100.0)
    assert discounted_return(segment, 0.5) == 1 / 4 + 10 / 2 + 100
    assert discounted_return(segment, 1.0) == 111


def test_it_compares_by_what_it_is_told_to_where_that_is_not_the_true_reward():
    steps = np.zeros((2, 1))
    lost = Segment("toy", {"obs": steps}, steps, np.array([0.0, 3.0]), oracle_rewards=np.array([0.0, -7.0]))
    about = Query((lost, with_rewards(0.0, 1.0)), step=0)
    assert answer_of(Oracle(PERFECT, seed=0), about) == RIGHT
    assert lost.true_return == 3


def test_the_myopic_oracle_looks_at_the_end():
    early, late = with_rewards(3, 0, 0), with_rewards(0, 0, 2)
    about = Query((early, late), step=0)
    assert answer_of(Oracle(PERFECT, seed=0), about) == LEFT
    assert answer_of(Oracle(OracleConfig(discount=0.5), seed=0), about) == RIGHT


def test_rationality_is_about_discounted_returns():
    first = Query((with_rewards(2, 0), with_rewards(0, 0)), step=0)
    queries = [Query(first.segments, step=0, nonce=nonce) for nonce in range(MANY)]
    oracle = Oracle(OracleConfig(beta=1.0, discount=0.5), seed=4)
    assert frequency(oracle, queries, LEFT) == within(sigmoid(1.0))


@pytest.mark.parametrize("left, right, skipped", [(1, 2, True), (1, 5, False), (5, 1, False), (3, 3, False)])
def test_it_skips_when_both_are_below(left, right, skipped):
    answer = answer_of(Oracle(OracleConfig(skip_below=3), seed=0), query(left, right))
    assert (answer == INCOMPARABLE) == skipped


def test_skipping_looks_at_undiscounted_returns():
    config = OracleConfig(skip_below=3, discount=0.1)
    assert answer_of(Oracle(config, seed=0), Query((with_rewards(4, 0), with_rewards(0, 0)), step=0)) == LEFT


@pytest.mark.parametrize("left, right, answer", [(1.0, 1.9, TIE), (1.9, 1.0, TIE), (1.0, 2.1, RIGHT), (2.1, 1.0, LEFT)])
def test_it_ties_when_they_differ_by_little(left, right, answer):
    assert answer_of(Oracle(OracleConfig(tie_within=1.0), seed=0), query(left, right)) == answer


def test_ties_overrule_noise_and_mistakes_and_skips_overrule_ties():
    noisy = OracleConfig(beta=0.1, mistakes=0.5, tie_within=1.0)
    assert frequency(Oracle(noisy, seed=5), many(0.0, 0.5), TIE) == 1
    skipping = OracleConfig(tie_within=1.0, skip_below=2.0)
    assert answer_of(Oracle(skipping, seed=0), query(0.0, 0.5)) == INCOMPARABLE


def test_without_a_tie_threshold_a_noisy_oracle_decides_equals_by_a_coin():
    oracle = Oracle(OracleConfig(beta=1.0), seed=6)
    assert frequency(oracle, many(1, 1), LEFT) == within(0.5)
    assert frequency(oracle, many(1, 1), TIE) == 0


def test_ranks_of_more_than_two():
    assert answer_of(Oracle(PERFECT, seed=0), query(1, 5, 3)).ranks == (2, 0, 1)
    assert answer_of(Oracle(PERFECT, seed=0), query(1, 5, 5, 0)).ranks == (1, 0, 0, 2)
    assert answer_of(Oracle(OracleConfig(mistakes=1.0), seed=0), query(1, 5, 3)).ranks == (0, 2, 1)
    assert answer_of(Oracle(OracleConfig(tie_within=1.5), seed=0), query(1, 5, 6)).ranks == (1, 0, 0)


def test_noisy_ranks_are_plackett_luce():
    returns, beta = (0.0, 1.0, 0.5), 1.5
    oracle = Oracle(OracleConfig(beta=beta), seed=7)
    weight = [math.exp(beta * value) for value in returns]
    best_1_then_2 = weight[1] / sum(weight) * weight[2] / (weight[0] + weight[2])
    ranks = [each.ranks for each in oracle.label(many(*returns))]
    assert np.mean([each == (2, 0, 1) for each in ranks]) == within(best_1_then_2)
    assert np.mean([each[0] == 0 for each in ranks]) == within(weight[0] / sum(weight))


def test_answers_depend_on_seed_and_query_alone():
    config = OracleConfig(beta=1.0, mistakes=0.1)
    queries = [query(0.3, 0.0, nonce=nonce) for nonce in range(200)]
    forward = [answer_of(Oracle(config, seed=8), each) for each in queries]
    oracle = Oracle(config, seed=8)
    backward = oracle.label(queries[::-1])
    assert forward == backward[::-1]
    assert forward != Oracle(config, seed=9).label(queries)


@pytest.mark.parametrize("wrong", [
    {"beta": -1.0}, {"discount": 0.0}, {"discount": 1.1},
    {"mistakes": -0.1}, {"mistakes": 1.1}, {"tie_within": -1.0},
])  # fmt: skip
def test_settings_that_make_no_sense_are_refused_in_one_line(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))) as refused:
        OracleConfig(**wrong)
    assert "\n" not in str(refused.value)
