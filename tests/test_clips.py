"""Videos come back as they went in: as many frames, as large, and nearly the same colors."""

import io

import av
import numpy as np
import pytest
from prefrl_envs.screens import pack

from prefrl import clips


def moving_square(frames=20, height=64, width=96):
    """[T, H, W, 3]: a red square that wanders over blue."""
    video = np.full((frames, height, width, 3), (30, 60, 160), dtype=np.uint8)
    for i, image in enumerate(video):
        image[16:40, 2 * i : 2 * i + 24] = (200, 60, 40)
    return video


def decode(source):
    with av.open(source) as container:
        rate = container.streams.video[0].average_rate
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]), rate


@pytest.mark.parametrize("shape", [(64, 96), (63, 95)], ids=["even", "odd"])
def test_webm_comes_back_with_the_same_frames_size_and_colours(shape):
    frames = moving_square(20, *shape)
    decoded, rate = decode(io.BytesIO(clips.webm(frames, fps=25)))
    assert decoded.shape == frames.shape
    assert rate == 25
    assert np.abs(decoded.astype(int) - frames).mean() < 6  # of 255
    assert np.abs(decoded[0, 20:36, 4:20].astype(int) - (200, 60, 40)).mean() < 12


def test_recorded_screens_are_enlarged_and_not_drawn(rng):
    screens = rng.integers(0, 255, (3, 5, 4, 3), np.uint8)
    frames = clips.frames_of(pack(screens), draw=None)
    assert frames.shape == (3, 10, 16, 3)
    np.testing.assert_array_equal(frames[:, ::2, ::4], screens)
    drawn = clips.frames_of(np.zeros((3, 2)), draw=lambda states: screens)
    np.testing.assert_array_equal(drawn, screens)


def test_single_pixels_of_a_screen_keep_their_colour():
    screens = np.full((4, 40, 40, 3), (144, 72, 17), np.uint8)
    for number, screen in enumerate(screens):
        screen[10, 5 + 3 * number] = (236, 236, 236)
    decoded, _ = decode(io.BytesIO(clips.webm(clips.frames_of(pack(screens), draw=None), fps=15)))
    middles = decoded[:, ::2, 1::4].astype(int)
    assert np.abs(middles - screens).max() < 60  # of 255; in the video's own pixels it would be 100


def test_the_same_frames_are_the_same_bytes():
    assert clips.webm(moving_square(), fps=25) == clips.webm(moving_square(), fps=25)


def test_a_single_frame_is_a_video():
    assert len(decode(io.BytesIO(clips.webm(moving_square(1), fps=10)))[0]) == 1


def test_a_rate_that_is_not_a_whole_number_is_kept():
    assert float(decode(io.BytesIO(clips.webm(moving_square(), fps=12.5)))[1]) == 12.5


@pytest.mark.parametrize("suffix, codec", [(".webm", "vp9"), (".mp4", "h264")])
def test_the_suffix_says_which_video_is_written(tmp_path, suffix, codec):
    path = tmp_path / "deep" / f"clip{suffix}"
    clips.write_video(path, moving_square(12), fps=30)
    assert len(decode(path)[0]) == 12
    with av.open(path) as container:
        assert container.streams.video[0].codec_context.name == codec


def test_mp4_of_odd_size_repeats_the_last_row_and_column(tmp_path):
    clips.write_video(tmp_path / "odd.mp4", moving_square(5, 63, 95), fps=30)
    assert decode(tmp_path / "odd.mp4")[0].shape == (5, 64, 96, 3)


def test_another_suffix_is_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"cannot write 'clip\.gif': a video ends in \.webm or \.mp4"):
        clips.write_video(tmp_path / "clip.gif", moving_square(), fps=30)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "frames",
    [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((4, 8, 8), np.uint8), np.zeros((4, 8, 8, 3), np.float32)],
    ids=["no frames", "no colors", "floats"],
)
def test_what_is_no_video_is_refused(frames):
    with pytest.raises(ValueError, match="uint8 frames, got"):
        clips.webm(frames, fps=30)


def test_an_environment_outside_the_suite_is_shown_at_the_default_rate():
    assert clips.shown_fps("elsewhere/Unknown-v0") == clips.DEFAULT_FPS
