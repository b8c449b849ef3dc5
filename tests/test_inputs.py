import numpy as np
import pytest
import torch
from gymnasium import spaces

from prefrl.rewards.inputs import Inputs
from prefrl.segments import stacked
from prefrl.tensors import on_device

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
    rows = inputs.observations({"obs": images}, CPU)["obs"]
    assert np.array_equal(rows, np.moveaxis(images, -1, 1))
    assert inputs.shapes.images == {"obs": (channels, height, width)}


@pytest.mark.parametrize("shape", [(4, 36, 20), (4, 84, 84)])
def test_channels_that_come_first_stay_there(shape, rng):
    inputs = Inputs(spaces.Box(0, 255, shape, np.uint8), BOX)
    images = rng.integers(0, 256, (2, *shape), np.uint8)
    rows = inputs.observations({"obs": images}, CPU)["obs"]
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


GAME = spaces.Box(0, 255, (4, 84, 84), np.uint8)


def test_stacks_of_frames_travel_as_frames(rng):
    frames = rng.integers(0, 256, (12, 84, 84), np.uint8)
    stacks = stacked(frames, 4)[2:]
    tensor = on_device(stacks, CPU)
    np.testing.assert_array_equal(tensor, stacks)
    assert tensor.untyped_storage().nbytes() == frames[2:].nbytes
    frames[:] = 0
    assert tensor.any()  # they are no view on what goes on changing


@pytest.mark.parametrize(
    "take", [lambda a: a, lambda a: a[::2, 1:], lambda a: a[::-1], lambda a: a.T, lambda a: a[:0], lambda a: a[0, 0]]
)
def test_any_array_becomes_the_same_tensor(take, rng):
    array = take(rng.normal(size=(4, 5)))
    np.testing.assert_array_equal(on_device(array, CPU), array)


def test_what_several_environments_saw_is_one_batch_in_the_order_of_the_rollout(rng):
    inputs = Inputs(GAME, spaces.Discrete(3))
    frames = rng.integers(0, 256, (10, 2, 84, 84), np.uint8)
    seen = np.moveaxis(stacked(frames, 4), 1, 2)  # [T, N, 4, 84, 84]
    np.testing.assert_array_equal(inputs.observations({"obs": seen}, CPU)["obs"], seen.reshape(-1, 4, 84, 84))
    actions = rng.integers(0, 3, (7, 2))
    assert inputs.steps(actions) == 14
    assert inputs.actions(actions, CPU).argmax(1).tolist() == actions.reshape(-1).tolist()


@pytest.mark.parametrize("space", [VECTOR, GAME, spaces.Dict({"pose": VECTOR, "view": GAME})])
def test_the_steps_of_segments_are_one_batch(space, rng):
    space.seed(0)
    inputs = Inputs(space, BOX)
    pose = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(3)]
    view = [stacked(rng.integers(0, 256, (8, 84, 84), np.uint8), 4) for _ in range(3)]
    expected = {1: {"obs": pose}, 3: {"obs": view}}.get(len(space.shape or ()), {"pose": pose, "view": view})
    observed = [dict(zip(expected, arrays, strict=True)) for arrays in zip(*expected.values(), strict=True)]
    rows = inputs.of_segments(observed, CPU)
    assert rows.keys() == expected.keys()
    for name, tensor in rows.items():
        np.testing.assert_array_equal(tensor, np.concatenate(expected[name]))


def test_what_is_not_supported_is_refused_by_name():
    with pytest.raises(ValueError, match="Text actions"):
        Inputs(VECTOR, spaces.Text(5))
    with pytest.raises(ValueError, match="Graph observation 'obs'"):
        Inputs(spaces.Graph(VECTOR, None), BOX)
