import math

import pytest
import torch

from prefrl.losses import bradley_terry_loss


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
