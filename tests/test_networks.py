import pytest
import torch

from prefrl.rewards.inputs import InputShapes
from prefrl.rewards.networks import cnn, find_network, mlp

VECTORS = InputShapes({"obs": 3}, {}, 2)
IMAGES = InputShapes({"pose": 3}, {"view": (4, 84, 84)}, 2)


def test_mlp_is_the_paper_s():
    network = mlp(VECTORS, (64, 64), 3)
    weights = [tuple(p.shape) for name, p in network.named_parameters() if name.endswith("weight")]
    assert weights == [(3, 5, 64), (3, 64, 64), (3, 64, 1)]
    assert network({"obs": torch.zeros(7, 3)}, torch.zeros(7, 2)).shape == (3, 7)


@pytest.mark.parametrize("make, obs", [(mlp, {"obs": (3,)}), (cnn, {"pose": (3,), "view": (4, 84, 84)})])
def test_members_share_nothing(make, obs):
    """The prediction of one member has gradients in its own block of every parameter, and in no other."""
    network = make(VECTORS if make is mlp else IMAGES, (8,), 3)
    generator = torch.Generator().manual_seed(0)
    rows = {name: torch.rand(5, *shape, generator=generator) for name, shape in obs.items()}
    network(rows, torch.rand(5, 2, generator=generator))[1].sum().backward()
    for parameter in network.parameters():
        per_member = parameter.grad.reshape(3, -1).abs().sum(1)
        assert per_member[0] == per_member[2] == 0
        assert per_member[1] > 0


def test_one_block_of_the_stack_is_a_plain_network():
    network = mlp(VECTORS, (64,), 3)
    first, last = network.head[0], network.head[2]
    obs, actions = torch.rand(7, 3), torch.rand(7, 2)
    hidden = torch.nn.functional.leaky_relu(torch.cat([obs, actions], 1) @ first.weight[2] + first.bias[2], 0.01)
    alone = (hidden @ last.weight[2] + last.bias[2]).squeeze(-1)
    assert torch.allclose(network({"obs": obs}, actions)[2], alone, atol=1e-6)


@pytest.mark.parametrize("size", [8, 16, 84])
def test_cnn_reads_images_of_any_size_beside_vectors(size):
    shapes = InputShapes({"pose": 3}, {"view": (4, size, size)}, 2)
    obs = {"pose": torch.zeros(5, 3), "view": torch.zeros(5, 4, size, size)}
    assert cnn(shapes, (64,), 3)(obs, torch.zeros(5, 2)).shape == (3, 5)


def test_auto_follows_the_observation():
    assert find_network("auto", VECTORS) is mlp
    assert find_network("auto", IMAGES) is cnn


def test_a_network_for_other_inputs_is_refused():
    with pytest.raises(ValueError, match="network mlp reads vectors, but .'view'. are images; use cnn"):
        mlp(IMAGES, (64,), 3)
    with pytest.raises(ValueError, match="network cnn reads images, but the observation has none; use mlp"):
        cnn(VECTORS, (64,), 3)


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match="unknown network 'mpl'. Did you mean 'mlp'"):
        find_network("mpl", VECTORS)
