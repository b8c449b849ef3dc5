import pytest
import torch

from prefrl.rewards.images import Centred, Halved, SharedDropout


def images(*values):
    """[B, 1, 2, 2] uint8 images of one grey each."""
    return torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2)


def test_the_background_is_the_mean_of_all_images_that_were_trained_on():
    layer = Centred((1, 2, 2))
    layer(images(10, 20))
    layer(images(90, 100, 110, 120))
    assert torch.allclose(layer.background, torch.full((1, 2, 2), 75.0))
    layer.eval()
    assert layer(images(75)).abs().max() == 0
    layer(images(200))
    assert layer.count == 6  # evaluation changes nothing


def test_dropout_has_one_mask_for_a_batch_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = SharedDropout(0.5)(torch.ones(3, 20_000))
    assert torch.equal(dropped[0], dropped[2])
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.mean() == pytest.approx(1.0, abs=0.03)


def test_nothing_is_dropped_in_evaluation():
    rows = torch.rand(3, 5)
    assert torch.equal(SharedDropout(0.5).eval()(rows), rows)


def test_half_the_size_keeps_what_is_bright():
    image = torch.full((1, 1, 85, 84), 90, dtype=torch.uint8)
    image[0, 0, 5, 8] = 236
    halved = Halved(85, 84)
    half = halved(image)
    assert half.shape == (1, 1, 42, 42)
    assert half[0, 0, 2, 4] == 236
    assert (half == 90).sum() == 42 * 42 - 1
    assert halved(half) is half
