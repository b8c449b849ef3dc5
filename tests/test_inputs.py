import numpy as np
import pytest
import torch
from gymnasium import spaces

from prefrl.rewards.inputs import Inputs

CPU = torch.device("cpu")
VECTOR, BOX = spaces.Box(-np.inf, np.inf, (3,)), spaces.Box(-1, 1, (2,))


def encode_actions(space, actions):
    return Inputs(VECTOR, space).actions(np.array(actions), CPU).tolist()


def test_box_actions_are_their_numbers():
    assert encode_actions(BOX, [[0.5, -1.0]]) == [[0.5, -1.0]]


@pytest.mark.parametrize("actions", [[0, 2], [[0], [2]]])
def test_discrete_actions_are_one_hot(actions):
    assert encode_actions(spaces.Discrete(3), actions) == [[1, 0, 0], [0, 0, 1]]


def test_discrete_actions_may_start_anywhere():
    assert encode_actions(spaces.Discrete(3, start=5), [6]) == [[0, 1, 0]]


def test_multidiscrete_actions_are_one_hot_each():
    assert encode_actions(spaces.MultiDiscrete([2, 3]), [[1, 2]]) == [[0, 1, 0, 0, 1]]


def test_multibinary_actions_are_their_bits():
    assert encode_actions(spaces.MultiBinary(3), [[1, 0, 1]]) == [[1, 0, 1]]


@pytest.mark.parametrize("shape", [(36, 20, 3), (84, 84, 1)])
def test_channels_that_come_last_are_put_first(shape, rng):
    height, width, channels = shape
    inputs = Inputs(spaces.Box(0, 255, shape, np.uint8), BOX)
    images = rng.integers(0, 256, (2, *shape), np.uint8)
    rows = inputs.observations(images, CPU)["obs"]
    assert np.array_equal(rows, np.moveaxis(images, -1, 1))
    assert inputs.shapes.images == {"obs": (channels, height, width)}


@pytest.mark.parametrize("shape", [(4, 36, 20), (4, 84, 84)])
def test_channels_that_come_first_stay_there(shape, rng):
    inputs = Inputs(spaces.Box(0, 255, shape, np.uint8), BOX)
    images = rng.integers(0, 256, (2, *shape), np.uint8)
    rows = inputs.observations(images, CPU)["obs"]
    assert rows.dtype == torch.uint8
    assert np.array_equal(rows, images)
    assert inputs.shapes.images == {"obs": shape}


def test_dict_observations_are_taken_apart():
    space = spaces.Dict({"pose": VECTOR, "mode": spaces.Discrete(4), "view": spaces.Box(0, 255, (8, 8, 1), np.uint8)})
    inputs = Inputs(space, BOX)
    assert inputs.shapes.vectors == {"pose": 3, "mode": 4}
    assert inputs.shapes.images == {"view": (1, 8, 8)}
    obs = inputs.observations(
        {"pose": np.ones((2, 3)), "mode": np.array([0, 3]), "view": np.zeros((2, 8, 8, 1), np.uint8)}, CPU
    )
    assert obs["mode"].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_what_is_not_supported_is_refused_by_name():
    with pytest.raises(ValueError, match="Text actions"):
        Inputs(VECTOR, spaces.Text(5))
    with pytest.raises(ValueError, match="Graph observation 'obs'"):
        Inputs(spaces.Graph(VECTOR, None), BOX)
