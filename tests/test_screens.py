"""Screens packed and unpacked, and how large they are shown."""

import numpy as np
import pytest
from prefrl_envs.screens import enlarged, fitted, pack, stack, unpack

ATARI = (160, 210)


def banded(number, rng, height=210, width=160):
    """Screens as a console draws them: bands of a few rows each."""
    colors = rng.integers(0, 255, (number, -(-height // 6), width, 3), np.uint8)
    return colors.repeat(6, axis=1)[:, :height]


@pytest.mark.parametrize("height, width", [(210, 160), (250, 160), (7, 3), (1, 1)])
def test_a_screen_survives_exactly(rng, height, width):
    screens = np.concatenate([
        banded(3, rng, height, width),
        rng.integers(0, 255, (2, height, width, 3), np.uint8),
        np.zeros((1, height, width, 3), np.uint8),
    ])  # fmt: skip
    packed = pack(screens)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal([unpack(row) for row in packed], screens)


def test_each_is_packed_for_itself(rng):
    screens = banded(4, rng)
    np.testing.assert_array_equal(unpack(pack(screens[2:3])[0]), unpack(pack(screens)[2]))


def test_what_a_console_draws_becomes_small(rng):
    court = np.full((1, 210, 160, 3), (144, 72, 17), np.uint8)
    court[:, :24] = 0
    court[:, 100:116, 140:144] = (92, 186, 92)
    court[:, 60:64, 70:72] = 236
    assert pack(court).shape[1] < 200


def test_packs_of_other_lengths_are_stacked(rng):
    screens = np.concatenate([banded(2, rng), np.zeros((2, 210, 160, 3), np.uint8)])
    stacked = stack([pack(screens[:2]), pack(screens[2:])])
    assert stacked.shape[:2] == (2, 2)
    np.testing.assert_array_equal([unpack(row) for row in stacked.reshape(4, -1)], screens)


@pytest.mark.parametrize("box, pixel", [
    ((320, 210), (2, 1)),
    ((604, 483), (3, 2)),  # the window at 1280x720
    ((640, 480), (4, 2)),
    ((640, 640), (4, 3)),
    ((1812, 1450), (11, 6)),  # on a 4K screen
])  # fmt: skip
def test_pixels_are_whole_and_about_as_wide_as_on_a_television(box, pixel):
    assert fitted(ATARI, box) == ((160 * pixel[0], 210 * pixel[1]), True)


def test_a_box_too_small_for_whole_pixels_is_filled():
    assert fitted(ATARI, (256, 256)) == ((256, 168), False)
    assert fitted(ATARI, (10, 1)) == ((2, 1), False)


def test_enlarged_pixels_are_blocks():
    screens = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    large = enlarged(screens, 4, 2)
    assert large.shape == (2, 4, 12, 3)
    np.testing.assert_array_equal(large[:, ::2, ::4], screens)
    np.testing.assert_array_equal(large[:, 1::2, 3::4], screens)
