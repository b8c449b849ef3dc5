import pytest
import torch

from prefrl.rewards.inputs import InputShapes
from prefrl.rewards.networks import cnn, find_network, mlp, paper_cnn

VECTORS = InputShapes({"obs": 3}, {}, 2)
IMAGES = InputShapes({"pose": 3}, {"view": (4, 84, 84)}, 2)
GAME = InputShapes({}, {"obs": (4, 84, 84)}, 6)


def test_mlp_is_the_paper_s():
    network = mlp(VECTORS, (64, 64), 3)
    weights = [tuple(p.shape) for name, p in network.named_parameters() if name.endswith("weight")]
    assert weights == [(3, 5, 64), (3, 64, 64), (3, 64, 1)]
    assert network({"obs": torch.zeros(7, 3)}, torch.zeros(7, 2)).shape == (3, 7)


def random_rows(shapes, number):
    """Observations and actions as the network gets them."""
    generator = torch.Generator().manual_seed(0)
    vectors = {name: torch.rand(number, size, generator=generator) for name, size in shapes.vectors.items()}
    images = {
        name: torch.randint(256, (number, *shape), dtype=torch.uint8, generator=generator)
        for name, shape in shapes.images.items()
    }
    return vectors | images, torch.rand(number, shapes.action, generator=generator)


@pytest.mark.parametrize("make, shapes", [(mlp, VECTORS), (cnn, IMAGES), (paper_cnn, GAME)])
def test_members_share_nothing(make, shapes):
    """The prediction of one member has gradients in its own block of every parameter, and in no other."""
    network = make(shapes, (8,), 3).train()
    network(*random_rows(shapes, 5))[1].square().sum().backward()
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


@pytest.mark.parametrize("hidden", [(64,), ()])
def test_one_member_that_reads_images_is_a_plain_network(hidden):
    """Its weights are those of inputs joined one after the other, filter by filter, as in every saved model."""
    network = cnn(IMAGES, hidden, 3).eval()
    obs, actions = random_rows(IMAGES, 7)
    read = network.trunks[0](obs["view"]).unflatten(1, (3, -1))[:, 2].flatten(1)
    rows = torch.cat([obs["pose"], actions, read], 1)
    for layer in network.head:
        rows = rows @ layer.weight[2] + layer.bias[2] if hasattr(layer, "weight") else layer(rows)
    assert torch.allclose(network(obs, actions)[2], rows.squeeze(-1), atol=1e-5)


@pytest.mark.parametrize("size", [8, 16, 84])
def test_cnn_reads_images_of_any_size_beside_vectors(size):
    shapes = InputShapes({"pose": 3}, {"view": (4, size, size)}, 2)
    assert cnn(shapes, (64,), 3)(*random_rows(shapes, 5)).shape == (3, 5)


def test_paper_cnn_is_the_paper_s():
    network = paper_cnn(GAME, (64,), 3)
    weights = [tuple(p.shape) for name, p in network.named_parameters() if p.ndim > 2 and name.endswith("weight")]
    convolutions, dense = weights[:4], weights[4:]
    assert convolutions == [(48, 4, 7, 7), (48, 16, 5, 5), (48, 16, 3, 3), (48, 16, 3, 3)]
    assert dense == [(3, 16 * 7 * 7, 64), (3, 64, 1)]


def test_paper_cnn_reads_no_action():
    network = paper_cnn(GAME, (64,), 3).eval()
    obs, actions = random_rows(GAME, 5)
    assert torch.equal(network(obs, actions), network(obs, 1 - actions))


def test_in_training_both_clips_of_a_pair_are_judged_by_the_same_thinned_network():
    network = paper_cnn(GAME, (64,), 3).train()
    obs, actions = random_rows(GAME, 5)
    twice = {name: torch.cat([rows, rows]) for name, rows in obs.items()}
    first, second = network(twice, torch.cat([actions, actions])).split(5, dim=1)
    assert torch.allclose(first, second, atol=1e-5)
    again = network(twice, torch.cat([actions, actions]))[:, :5]
    assert not torch.allclose(first, again, atol=1e-2)  # the next step trains another


@pytest.mark.parametrize("make", [cnn, paper_cnn])
def test_in_evaluation_a_reward_does_not_depend_on_what_else_is_evaluated(make):
    network = make(GAME, (64,), 3)
    obs, actions = random_rows(GAME, 6)
    network.train()(obs, actions)  # there are statistics now
    network.eval()
    alone = network({"obs": obs["obs"][2:3]}, actions[2:3])
    assert torch.allclose(network(obs, actions)[:, 2:3], alone, atol=1e-5)


def test_auto_follows_the_observation():
    assert find_network("auto", VECTORS) is mlp
    assert find_network("auto", IMAGES) is cnn


def test_a_network_for_other_inputs_is_refused():
    with pytest.raises(ValueError, match="network mlp reads vectors, but .'view'. are images; use cnn"):
        mlp(IMAGES, (64,), 3)
    with pytest.raises(ValueError, match="network cnn reads images, but the observation has none; use mlp"):
        cnn(VECTORS, (64,), 3)
    with pytest.raises(ValueError, match=r"network paper_cnn reads 4 frames of 84x84, not .*'pose': 3"):
        paper_cnn(IMAGES, (64,), 3)


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match="unknown network 'mpl'. Did you mean 'mlp'"):
        find_network("mpl", VECTORS)
