import subprocess
import sys

import numpy as np
import pytest

from prefrl.segments import (
    Segment,
    as_dict,
    flattened,
    map_arrays,
    stack_observations,
    stacked,
    unflattened,
    unstacked,
)


def a_segment(env_id="toy", rewards=(1.0, 2.0, 3.0), render_states=None, oracle_rewards=None):
    steps = len(rewards)
    return Segment(
        env_id=env_id,
        obs={"obs": np.arange(steps * 2, dtype=np.float32).reshape(steps, 2)},
        actions=np.zeros((steps, 1), np.float32),
        true_rewards=np.array(rewards, np.float32),
        render_states=render_states,
        oracle_rewards=oracle_rewards,
    )


def dict_segment():
    obs = {"velocity": np.ones((3, 2)), "position": np.zeros((3, 4), np.float32)}
    return Segment(env_id="toy", obs=obs, actions=np.arange(3), true_rewards=np.zeros(3))


def test_length_and_return():
    assert len(a_segment()) == 3
    assert a_segment().true_return == 6.0


def test_the_same_content_has_the_same_id_in_another_process():
    code = "from tests.test_segments import a_segment; print(a_segment().id)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={
        "PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7",
    })  # fmt: skip
    assert other.stdout.strip() == a_segment().id


@pytest.mark.parametrize("other", [
    a_segment(env_id="toy2"),
    a_segment(rewards=(1.0, 2.0, 4.0)),
    a_segment(rewards=(1.0, 2.0)),
    a_segment(render_states=np.zeros((3, 1))),
    a_segment(oracle_rewards=np.zeros(3)),
])  # fmt: skip
def test_any_difference_in_content_is_another_id(other):
    assert other.id != a_segment().id


def test_an_id_of_old_stays_the_same():
    assert a_segment(render_states=np.ones((3, 2))).id == "4317094f0f1cda0daa69179ee1067121"


T = 3
VECTOR = np.arange(2 * T, dtype=np.float32).reshape(T, 2)


@pytest.mark.parametrize("obs, expected", [
    ({"obs": VECTOR}, "c3361a09902a5bb006630f17e33c30f9"),
    ({"obs": stacked(np.arange(20, dtype=np.uint8).reshape(5, 2, 2), 3)}, "30c0182b76a07053d66328e1d9d6f4ca"),
    ({"obs": np.arange(T)}, "9ea316e582489c1c385627d6d87dcd6b"),
    ({"velocity": VECTOR, "position": 2 * VECTOR[:, :1]}, "25f2038a295a2fe8f41fe2a572fad337"),
    ({"obs": VECTOR, "goal": VECTOR[:, :1]}, "3f7a2a98fdc9ee9b2237d1565a54e1d3"),
])  # fmt: skip
def test_ids_are_those_of_segments_that_had_a_lone_array(obs, expected):
    """The ids of a version whose segments had the array of a Box or Discrete space, not a dict of it."""
    assert Segment("toy", obs, np.arange(T), np.arange(T, dtype=np.float32)).id == expected


def test_how_screens_were_packed_does_not_matter():
    segment = a_segment(render_states=np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert segment.recorded
    assert segment.id == a_segment(render_states=np.zeros((3, 9), np.uint8)).id
    assert not a_segment(render_states=np.zeros((3, 9))).recorded
    assert not a_segment().recorded


def test_the_id_tells_apart_equal_bytes_of_another_type():
    as_ints = Segment("toy", {"obs": np.zeros((2, 1), np.int32)}, np.zeros(2), np.zeros(2))
    as_floats = Segment("toy", {"obs": np.zeros((2, 1), np.float32)}, np.zeros(2), np.zeros(2))
    assert as_ints.id != as_floats.id


def test_a_view_has_the_id_of_its_copy():
    obs = np.arange(12.0).reshape(6, 2)
    view = Segment("toy", {"obs": obs[::2]}, np.zeros(3), np.zeros(3))
    copy = Segment("toy", {"obs": obs[::2].copy()}, np.zeros(3), np.zeros(3))
    assert view.id == copy.id


@pytest.mark.parametrize("segment", [
    a_segment(), a_segment(render_states=np.ones((3, 5))), a_segment(oracle_rewards=np.ones(3)), dict_segment(),
])  # fmt: skip
def test_from_arrays_undoes_arrays(segment):
    again = Segment.from_arrays(segment.env_id, segment.arrays())
    assert again.id == segment.id
    assert again.obs.keys() == segment.obs.keys()


def test_the_order_of_a_dict_observation_does_not_matter():
    segment = dict_segment()
    turned = Segment("toy", dict(reversed(segment.obs.items())), segment.actions, segment.true_rewards)
    assert turned.id == segment.id


def test_a_lone_array_is_named_and_a_dict_stays():
    array, named = np.ones(2), {"a": np.ones(2)}
    assert as_dict(array)["obs"] is array
    assert as_dict(named) is named


@pytest.mark.parametrize("obs, names", [
    ({"obs": VECTOR}, ["seen"]),
    ({"b": VECTOR, "a": VECTOR}, ["seen.a", "seen.b"]),
    ({"obs": VECTOR, "goal": VECTOR}, ["seen.goal", "seen.obs"]),
])  # fmt: skip
def test_unflattened_inverts_flattened(obs, names):
    flat = flattened("seen", obs)
    assert list(flat) == names
    assert unflattened("seen", flat | {"actions": VECTOR}) == obs
    with pytest.raises(KeyError):
        unflattened("obs", flat)


def test_stack_observations_adds_a_first_axis():
    stacked = stack_observations([{"a": np.zeros(3), "b": np.zeros(())}] * 4)
    assert {key: value.shape for key, value in stacked.items()} == {"a": (4, 3), "b": (4,)}


def test_map_arrays_reaches_every_array():
    assert map_arrays({"a": np.ones(2), "b": np.ones(3)}, np.sum) == {"a": 2, "b": 3}


def test_stacked_frames_are_the_latest_ones_oldest_first():
    frames = np.arange(7)[:, None, None] * np.ones((1, 2, 3), int)
    obs = stacked(frames, 4)
    assert obs.shape == (4, 4, 2, 3)
    assert obs[:, :, 0, 0].tolist() == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]
    assert np.shares_memory(obs, frames)


def test_unstacking_gives_the_frames_back():
    frames = np.random.default_rng(0).integers(0, 255, (9, 5, 5), np.uint8)
    np.testing.assert_array_equal(unstacked(stacked(frames, 4)), frames)


def test_what_is_no_stack_is_not_unstacked():
    assert unstacked(np.random.default_rng(0).integers(0, 255, (6, 4, 5, 5), np.uint8)) is None
    assert unstacked(np.zeros((6, 4))) is None
