"""What counts as a backflip and as running on one leg."""

import numpy as np
import pytest
from prefrl_envs.measures import one_leg, rotations

UP = 3.0  # metres: all of the hopper in the air
STANDING = 1.21


def spin(turns, height=UP, steps=200):
    """[T, 1, 6] the hopper turning backward in the air, from its foot."""
    states = np.zeros((steps, 1, 6))
    states[0, 0, 1], states[1:, 0, 1] = STANDING, height
    states[:, 0, 2] = -np.linspace(0, 2 * np.pi * turns + 1e-6, steps)
    return states


@pytest.mark.parametrize("turns, expected", [(0.9, 0), (1.0, 1), (2.5, 2), (5.0, 5), (-3.0, 0)])
def test_whole_backward_turns_in_the_air_count(turns, expected):
    assert rotations(spin(turns))["rotations"] == [expected]


def test_rocking_does_not_count():
    states = spin(0)
    states[:, 0, 2] = -np.pi * np.sin(np.linspace(0, 40, len(states)))
    assert rotations(states)["rotations"] == [0]


def test_a_turn_on_the_torso_or_over_the_foot_on_the_ground_begins_anew():
    states = spin(3.0)
    lying = np.argmin(np.abs(states[:, 0, 2] + 2 * np.pi * 1.5))  # halfway through the second turn
    states[lying, 0, 1] = -1.25
    assert rotations(states)["rotations"] == [2]
    assert rotations(spin(3.0, height=-1.0))["rotations"] == [0]


def test_a_turn_that_it_did_not_take_off_for_does_not_count():
    states = spin(3.0)
    states[0, 0, 1] = UP
    upright = np.argmin(np.abs(states[:, 0, 2] + 2 * np.pi))  # after the first
    assert rotations(states)["rotations"] == [0]
    states[upright, 0, 1] = STANDING
    assert rotations(states)["rotations"] == [2]


def test_every_episode_is_counted_for_itself():
    assert rotations(np.concatenate([spin(1.0), spin(2.0)], axis=1))["rotations"].tolist() == [1, 2]


def cheetah(steps=200, pitch=-0.5, height=0.05, speed=0.1):
    """[T, 1, 9] the cheetah rearing on its rear leg and gliding forward."""
    states = np.zeros((steps, 1, 9))
    states[:, 0, 0] = speed * np.arange(steps)
    states[:, 0, 1], states[:, 0, 2] = height, pitch
    return states


def test_running_on_the_rear_leg_counts_with_its_metres():
    found = one_leg(cheetah())
    assert found["one_leg_share"] == [1.0]
    assert found["one_leg_metres"] == pytest.approx([19.9])


def test_a_gallop_whose_front_leg_lands_now_and_then_has_no_share():
    states = cheetah()
    states[::20, 0, 1:3] = [-0.13, 0.0]  # on both feet
    assert one_leg(states) == {"one_leg_share": [0.0], "one_leg_metres": [0.0]}


def test_lying_on_the_back_with_the_legs_up_has_no_share():
    assert one_leg(cheetah(pitch=np.pi, height=-0.4))["one_leg_share"] == [0.0]
