import numpy as np
import pytest
import torch

from prefrl.rewards.images import Halved
from prefrl.rewards.memory import PackedImages
from prefrl.testing import image_segments


def kept(pairs, device="cpu"):
    memory = PackedImages(torch.device(device))
    for left, right in pairs:
        memory.append([left, right])
    return memory


@pytest.fixture
def pairs(rng):
    clips = [segment.obs["obs"] for segment in image_segments(8, rng)]
    return list(zip(clips[::2], clips[1::2], strict=True))


def test_stacks_come_back_as_they_were(pairs):
    taken = kept(pairs).take([2, 0])
    assert taken.dtype == torch.uint8
    assert np.array_equal(taken, [*pairs[2], *pairs[0]])


def test_images_that_are_no_stacks_come_back_too(rng):
    clips = rng.integers(0, 256, (2, 5, 8, 8, 3), np.uint8)
    assert np.array_equal(kept([clips]).take([0]), clips)


def test_a_stack_beside_what_is_none_comes_back(rng, pairs):
    """The clip of an environment that started afresh in the middle of it."""
    started = rng.integers(0, 256, pairs[0][0].shape, np.uint8)
    assert np.array_equal(kept([(pairs[0][0], started)]).take([0]), (pairs[0][0], started))


def test_every_frame_is_kept_once_and_compressed(pairs):
    stacks = sum(clip.nbytes for pair in pairs for clip in pair)
    assert 0 < kept(pairs).nbytes < stacks / 8


def test_only_the_latest_are_kept(pairs):
    memory = kept(pairs)
    memory.keep(range(len(pairs) - 2, len(pairs)))
    assert len(memory) == 2
    assert np.array_equal(memory.take([0, 1]), [clip for pair in pairs[2:] for clip in pair])


def test_queries_may_have_any_number_of_clips(pairs):
    clips = [clip for pair in pairs for clip in pair]
    memory = PackedImages(torch.device("cpu"))
    memory.append(clips[:3])
    memory.append(clips[3:5])
    assert np.array_equal(memory.take([1, 0]), [*clips[3:5], *clips[:3]])


def test_no_more_is_kept_than_is_asked_for(rng, pairs):
    """Halved before they are stacked or after: the same."""
    half = Halved(16, 16)
    memory = PackedImages(torch.device("cpu"), half)
    started = rng.integers(0, 256, pairs[0][0].shape, np.uint8)
    for left, right in [*pairs, (pairs[0][0], started)]:
        memory.append([left, right])
    assert torch.equal(memory.take(range(5)), half(kept([*pairs, (pairs[0][0], started)]).take(range(5))))
    assert memory.nbytes < kept([*pairs, (pairs[0][0], started)]).nbytes


def test_the_channels_of_a_pixel_lie_together(pairs):
    images = kept(pairs).take([0]).flatten(0, 1)
    assert images.is_contiguous(memory_format=torch.channels_last)
