import pytest
import torch

from prefrl.rewards.inputs import InputShapes
from prefrl.rewards.networks import cnn, find_network, mlp

VECTORS = InputShapes({"obs": 3}, {}, 2)
IMAGES = InputShapes({"pose": 3}, {"view": (4, 84, 84)}, 2)


def test_mlp_is_the_paper_s():
    network = mlp(VECTORS, (64, 64))
    assert [tuple(p.shape) for p in network.parameters() if p.ndim == 2] == [(64, 5), (64, 64), (1, 64)]
    assert network({"obs": torch.zeros(7, 3)}, torch.zeros(7, 2)).shape == (7,)


@pytest.mark.parametrize("size", [8, 16, 84])
def test_cnn_reads_images_of_any_size_beside_vectors(size):
    shapes = InputShapes({"pose": 3}, {"view": (4, size, size)}, 2)
    obs = {"pose": torch.zeros(5, 3), "view": torch.zeros(5, 4, size, size)}
    assert cnn(shapes, (64,))(obs, torch.zeros(5, 2)).shape == (5,)


def test_auto_follows_the_observation():
    assert find_network("auto", VECTORS) is mlp
    assert find_network("auto", IMAGES) is cnn


def test_a_network_for_other_inputs_is_refused():
    with pytest.raises(ValueError, match="network mlp reads vectors, but .'view'. are images; use cnn"):
        mlp(IMAGES, (64,))
    with pytest.raises(ValueError, match="network cnn reads images, but the observation has none; use mlp"):
        cnn(VECTORS, (64,))


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match="unknown network 'mpl'. Did you mean 'mlp'"):
        find_network("mpl", VECTORS)
