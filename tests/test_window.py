"""The window's pure parts: where things stand, what plays, what is said; no display, no pygame."""

import itertools
import subprocess
import sys

import pytest

from prefrl.labelers.sizes import CLIP_BYTES, CLIP_SECONDS, LEAST_HEIGHT, frame_height
from prefrl.labelers.subject import NOTHING_SAID, Trainer
from prefrl.labelers.window.actions import CAPS, EXPLAINED, LABELS, Action, action_of
from prefrl.labelers.window.figures import emptiness, figures, short
from prefrl.labelers.window.layout import ASPECT, Box, arrange
from prefrl.labelers.window.playback import REST_S, SLOW, Glow, Playback
from prefrl.labelers.window.view import ButtonState, Screen, View

SIZES = [(1280, 720), (1920, 1080), (3840, 2160), (900, 600), (700, 1000), (2560, 1080)]


def inside(inner, outer):
    return (
        outer.left <= inner.left
        and outer.top <= inner.top
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


def overlap(a, b):
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_in_the_window_and_nothing_lies_on_anything_else(size):
    layout = arrange(*size)
    boxes = [layout.question, *layout.clips, *layout.buttons.values(), layout.figures]
    assert set(layout.buttons) == set(Action)
    assert all(inside(box, layout.window) for box in boxes)
    assert not [pair for pair in itertools.combinations(boxes, 2) if overlap(*pair)]


@pytest.mark.parametrize("size", SIZES)
def test_the_clips_are_alike_and_in_the_middle(size):
    layout = arrange(*size)
    left, right = layout.clips
    assert left[1:] == right[1:]
    assert left.width / left.height == pytest.approx(ASPECT, rel=0.01)
    assert abs(left.left - (size[0] - right.right)) <= 1


def test_two_clips_fill_a_wide_screen():
    left, right = arrange(1280, 720).clips
    assert left.width + right.width > 0.94 * 1280
    assert left.height > 0.65 * 720


def test_a_screen_of_four_thousand_pixels_looks_the_same_only_finer():
    small, large = arrange(1280, 720), arrange(3840, 2160)
    assert large.unit == 3 * small.unit
    for one, three in zip(small.buttons.values(), large.buttons.values(), strict=True):
        assert all(abs(3 * a - b) <= 3 for a, b in zip(one, three, strict=True))


def test_clicks_reach_buttons_and_clips():
    layout = arrange(1280, 720)
    for action, box in layout.buttons.items():
        assert layout.action_at(box.center) is action
    assert [layout.action_at(clip.center) for clip in layout.clips] == [Action.LEFT, Action.RIGHT]
    assert layout.action_at((2, 2)) is None


def test_a_box_holds_its_first_pixel_and_not_the_one_after_its_last():
    box = Box(10, 20, 5, 5)
    assert box.holds((10, 20))
    assert not box.holds((15, 20))
    assert box.grown(1) == (9, 19, 7, 7)


@pytest.mark.parametrize(
    "keys, action",
    [
        (("left", "1", "[1]"), Action.LEFT),
        (("right", "2", "[2]"), Action.RIGHT),
        (("down", "3", "[3]"), Action.TIE),
        (("0", "s", "[0]"), Action.SKIP),
        (("u",), Action.UNDO),
        (("space",), Action.REPLAY),
        (("p",), Action.PAUSE),
        (("f",), Action.SLOW),
        (("h",), Action.HELP),
        (("q",), Action.LEAVE),
        (("up", "x", "escape", ""), None),
    ],
)
def test_keys(keys, action):
    assert {action_of(key) for key in keys} == {action}


def test_every_action_has_a_key_a_word_and_an_explanation():
    assert set(CAPS) == set(LABELS) == set(EXPLAINED) == set(Action)


def test_a_clip_plays_at_its_speed_rests_at_its_end_and_begins_again():
    playback = Playback(fps=10)
    playback.start(5)
    playback.advance(100.0)
    frames = []
    for tenth in range(12):
        playback.advance(100.05 + tenth / 10)
        frames.append(playback.frame)
    rest = round(10 * REST_S)
    assert frames == ([0, 1, 2, 3, 4] + rest * [4] + [0, 1, 2])[:12]


def test_slow_motion_pause_and_replay():
    playback = Playback(fps=10)
    playback.start(100)
    playback.advance(0.0)
    playback.advance(1.0001)
    assert playback.frame == 10
    playback.slow = True
    playback.advance(2.0001)
    assert playback.frame == 10 + int(10 * SLOW)
    assert playback.until_next_frame() <= 1 / (10 * SLOW)
    playback.paused = True
    playback.advance(50.0)
    assert playback.frame == 10 + int(10 * SLOW)
    playback.replay()
    playback.advance(51.0)
    assert (playback.frame, playback.paused, playback.slow) == (0, False, True)


def test_a_clip_of_one_frame_plays():
    playback = Playback(fps=40)
    playback.start(1)
    for now in (0.0, 0.5, 3.0):
        playback.advance(now)
        assert playback.frame == 0
        assert playback.until_next_frame() > 0


def test_a_light_goes_out():
    glow = Glow(seconds=2.0)
    assert glow.strength(1.0) == 0
    glow.light("left", 10.0)
    assert [glow.strength(now) for now in (10.0, 11.0, 12.0, 20.0)] == [1.0, 0.5, 0.0, 0.0]


def test_figures_say_what_is_known():
    assert figures(0, 0.0, 3, NOTHING_SAID) == ["0 answers", "3 waiting"]
    assert figures(1, 30.0, 3, NOTHING_SAID) == ["1 answer", "3 waiting"]  # a pace of one answer is none
    trainer = Trainer(step=120_400, steps=1_000_000)
    assert figures(1200, 9.6, 0, trainer) == ["1,200 answers", "10 a minute", "0 waiting", "step 120k of 1M"]


@pytest.mark.parametrize("number, said", [(999, "999"), (9_999, "9,999"), (20_500, "20k"), (1_250_000, "1.25M")])
def test_large_numbers_are_short(number, said):
    assert short(number) == said


NOT_RUNNING = "`prefrl resume runs/x` goes on with it; then new pairs appear here by themselves."


@pytest.mark.parametrize(
    "trainer, said",
    [
        (NOTHING_SAID, ("Waiting for the trainer", "New pairs appear here by themselves.")),
        (Trainer(step=5, steps=10, running=True), ("Waiting for the trainer", "New pairs appear here by themselves.")),
        (Trainer(step=5, steps=10, waiting_for=5, running=False), ("Training is not running", NOT_RUNNING)),
        (
            Trainer(step=10, steps=10, labels=5, labels_wanted=6, running=False),
            ("The run has ended", "The agent has made all of its steps, and asks nothing more. Thank you."),
        ),
        (
            Trainer(step=5, steps=10, labels=6, labels_wanted=6, running=True),
            ("That was the last one", "This run has all the labels it needs. Thank you."),
        ),
    ],
)
def test_why_nothing_is_open(trainer, said):
    assert emptiness(trainer, "prefrl resume runs/x") == said
    assert trainer.may_ask == (said[0] == "Waiting for the trainer")


def test_clips_are_drawn_as_large_as_they_are_shown_where_that_is_fast():
    assert frame_height(480, 60, seconds_per_pixel=1e-9) == 480


def test_large_windows_and_long_clips_are_bounded_by_memory():
    height = frame_height(2000, 60, seconds_per_pixel=1e-12, aspect=ASPECT)
    assert 0.97 * CLIP_BYTES < 60 * 3 * ASPECT * height**2 <= 1.01 * CLIP_BYTES


def test_slow_machines_draw_smaller_but_not_tiny():
    slow = frame_height(720, 60, seconds_per_pixel=60e-9, aspect=ASPECT)
    assert 60 * 60e-9 * slow * slow * ASPECT == pytest.approx(CLIP_SECONDS, rel=0.02)
    assert frame_height(720, 60, seconds_per_pixel=1e-3) == LEAST_HEIGHT
    assert frame_height(200, 60, seconds_per_pixel=1e-3) == 200


def test_a_size_is_kept_while_it_is_about_right():
    assert frame_height(720, 60, seconds_per_pixel=60e-9, aspect=ASPECT, before=360) == 360
    assert frame_height(550, 60, seconds_per_pixel=1e-9, before=360) == 550
    assert frame_height(300, 60, seconds_per_pixel=1e-9, before=360) == 300  # the window has become smaller


def test_how_a_button_looks():
    view = View(Screen.PAIR, "?", hovered=Action.PAUSE, pressed=Action.TIE, active=frozenset({Action.SLOW}))
    looks = [view.state(action) for action in (Action.TIE, Action.PAUSE, Action.SLOW, Action.LEFT)]
    assert looks == [ButtonState.PRESSED, ButtonState.HOVERED, ButtonState.ACTIVE, ButtonState.RESTING]


def test_all_of_this_needs_no_pygame():
    names = ("actions", "figures", "layout", "playback", "view")
    code = "; ".join(f"import prefrl.labelers.window.{name}" for name in names)
    check = "import sys; assert 'pygame' not in sys.modules"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True, capture_output=True)
