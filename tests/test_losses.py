import math

import pytest
import torch

from prefrl.losses import bradley_terry_loss, pairwise_ranking_loss, plackett_luce_loss


def loss(difference, prefer_a, noise=0.0):
    return bradley_terry_loss(
        torch.tensor([float(difference)]), torch.zeros(1), torch.tensor([float(prefer_a)]), noise
    ).item()


@pytest.mark.parametrize(
    "prefer_a, expected",
    [
        (1.0, 0.126928),  # the model agrees: -ln sigmoid(2)
        (0.0, 2.126928),  # it does not
        (0.5, 1.126928),  # a tie is the mean of the two
    ],
)
def test_bradley_terry_by_hand(prefer_a, expected):
    assert loss(2, prefer_a) == pytest.approx(expected, abs=1e-6)


def test_bradley_terry_ignores_a_constant_added_to_every_return():
    a, b, prefer = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]), torch.tensor([1.0, 0.0])
    assert torch.allclose(bradley_terry_loss(a, b, prefer), bradley_terry_loss(a + 7, b + 7, prefer), atol=1e-6)


def test_response_noise_by_hand():
    p = 1 / (1 + math.exp(-2))
    assert loss(2, 1, noise=0.1) == pytest.approx(-math.log(0.9 * p + 0.05), abs=1e-6)
    assert loss(2, 0, noise=0.1) == pytest.approx(-math.log(0.9 * (1 - p) + 0.05), abs=1e-6)


def test_response_noise_bounds_the_loss_and_its_gradient_of_a_hopeless_prediction():
    difference = torch.tensor([-200.0], requires_grad=True)
    value = bradley_terry_loss(difference, torch.zeros(1), torch.ones(1), noise=0.1)
    value.sum().backward()
    assert value.item() == pytest.approx(-math.log(0.05), abs=1e-5)
    assert difference.grad is not None
    assert torch.isfinite(difference.grad).all()


def test_bradley_terry_refuses_to_broadcast():
    with pytest.raises(ValueError, match="three equal shapes"):
        bradley_terry_loss(torch.zeros(3), torch.zeros(3, 1), torch.zeros(3))


RETURNS = torch.tensor([[2.0, 0.0, 1.0]])
ALL = torch.ones(1, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    "ranks, expected",
    [
        ([0, 2, 1], (0.126928 + 0.313262 + 0.313262) / 3),  # the model agrees: differences of 2, 1 and 1
        ([2, 0, 1], (2.126928 + 1.313262 + 1.313262) / 3),  # turned round
        ([0, 1, 1], (0.126928 + 0.313262 + 0.813262) / 3),  # the worse two tie
    ],
)
def test_all_pairs_of_a_ranking_by_hand(ranks, expected):
    value = pairwise_ranking_loss(RETURNS, torch.tensor([ranks]), ALL)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_only_the_order_of_ranks_counts():
    close, far = (pairwise_ranking_loss(RETURNS, torch.tensor([ranks]), ALL) for ranks in ([0, 1, 1], [1, 7, 7]))
    assert torch.equal(close, far)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_ranking_of_two_is_bradley_terry_to_the_bit(noise):
    generator = torch.Generator().manual_seed(0)
    returns = 5 * torch.randn(3, 101, 2, generator=generator)
    ranks = torch.randint(2, (101, 2), generator=generator)
    prefer_left = torch.tensor([0.5 if a == b else float(a < b) for a, b in ranks]).expand(3, -1)
    first, second = (returns.clone().requires_grad_() for _ in range(2))
    ranking = pairwise_ranking_loss(first, ranks, torch.ones_like(ranks, dtype=torch.bool), noise)
    pairs = bradley_terry_loss(second[..., 0], second[..., 1], prefer_left, noise)
    assert torch.equal(ranking, pairs)
    gradients = torch.autograd.grad(ranking.sum(), first)[0], torch.autograd.grad(pairs.sum(), second)[0]
    assert torch.equal(*gradients)


@pytest.mark.parametrize("loss", [pairwise_ranking_loss, plackett_luce_loss])
def test_segments_that_a_query_does_not_have_change_nothing(loss):
    returns, ranks = torch.tensor([[0.3, -1.0]]), torch.tensor([[1, 0]])
    padded = torch.tensor([[0.3, -1.0, 50.0, 0.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False, False]])
    value = loss(padded, torch.tensor([[1, 0, 0, 0]]), mask)
    assert torch.equal(value, loss(returns, ranks, mask[:, :2]))
    value.sum().backward()
    assert padded.grad is not None
    assert padded.grad[0, 2:].tolist() == [0, 0]
    assert torch.isfinite(padded.grad).all()


def test_plackett_luce_by_hand():
    e = math.exp(1)
    first_of_three, first_of_two = e**2 / (e**2 + 1 + e), e / (e + 1)
    value = plackett_luce_loss(RETURNS, torch.tensor([[0, 2, 1]]), ALL)
    assert value.item() == pytest.approx(-math.log(first_of_three * first_of_two), abs=1e-6)


def test_plackett_luce_at_chance_is_log_of_the_number_of_orders():
    value = plackett_luce_loss(torch.zeros(2, 1, 3), torch.tensor([[5, 0, 3]]), ALL)
    assert value.flatten().tolist() == pytest.approx([math.log(6)] * 2, abs=1e-6)


def test_plackett_luce_of_two_is_bradley_terry():
    generator = torch.Generator().manual_seed(0)
    returns = 5 * torch.randn(3, 101, 2, generator=generator)
    ranks = torch.tensor([[0, 1], [1, 0]])[torch.randint(2, (101,), generator=generator)]
    pairs = bradley_terry_loss(returns[..., 0], returns[..., 1], (1.0 - ranks[:, 0]).expand(3, -1))
    value = plackett_luce_loss(returns, ranks, torch.ones_like(ranks, dtype=torch.bool))
    assert torch.allclose(value, pairs, rtol=0, atol=1e-6)


def test_plackett_luce_refuses_ties():
    with pytest.raises(ValueError, match="needs rankings without ties"):
        plackett_luce_loss(RETURNS, torch.tensor([[0, 1, 1]]), ALL)


@pytest.mark.parametrize("loss", [pairwise_ranking_loss, plackett_luce_loss])
def test_losses_of_rankings_refuse_to_broadcast(loss):
    with pytest.raises(ValueError, match=r"mask \[B, K\], got \(1, 3\), \(3,\), \(1, 3\)"):
        loss(RETURNS, torch.tensor([0, 1, 2]), ALL)
