import os
import subprocess
import sys

import cv2
import gymnasium as gym
import numpy as np
import pytest
from prefrl_envs.atari import AtariGame, agent_frames, boxes_of, paint_over
from prefrl_envs.enduro import ALONGSIDE, SPEED, EnduroLevel, levelness
from prefrl_envs.games import END_PENALTY, SCORE_BOXES, AtariOptions, Box, roms
from prefrl_envs.suite import canonical_id, find, game_id, tasks

PAPER = [row.kwargs["game"] for row in tasks() if row.scored]


def test_the_papers_seven_games_have_boxes_in_both_sets():
    assert PAPER == ["BeamRider", "Breakout", "Enduro", "Pong", "Qbert", "Seaquest", "SpaceInvaders"]
    assert all(list(boxes) == PAPER for boxes in SCORE_BOXES.values())
    assert set(END_PENALTY) == set(PAPER) - {"Pong"}


@pytest.mark.parametrize("game", PAPER)
def test_the_default_boxes_cover_the_papers_to_a_margin_that_is_empty(game):
    """A pixel that the paper hides and the default shows is black, or of one color, from the start on."""
    env = AtariGame(game, boxes="paper", show_score=True)
    env.reset(seed=0)
    default, paper = np.ones((2, 210, 160, 3), np.uint8)
    paint_over(default, boxes_of(game, "default", (210, 160)))
    paint_over(paper, env.boxes)
    only_paper = (paper == 0).all(-1) & (default == 1).all(-1)
    assert len(np.unique(env.render()[only_paper], axis=0)) <= 1


def test_an_observation_is_the_painted_screen_grey_small_and_stacked():
    env = AtariGame("Pong")
    obs, _ = env.reset(seed=3)
    for _ in range(30):
        before = obs
        obs, *_ = env.step(2)
        screen = env.render()
        assert screen.shape == (210, 160, 3)
        assert (screen[:24] == 0).all()
        small = cv2.resize(cv2.cvtColor(screen, cv2.COLOR_RGB2GRAY), (84, 84), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(obs[-1], small)
        np.testing.assert_array_equal(obs[:3], before[1:])


def test_the_first_observation_repeats_the_first_frame():
    obs, _ = AtariGame("Pong").reset(seed=0)
    assert (obs == obs[0]).all()
    assert obs.any()


def test_a_screen_is_the_maximum_of_the_last_two_of_four_frames():
    env, console = AtariGame("Breakout", boxes=[]), AtariGame("Breakout", boxes=[])
    env.reset(seed=5)
    console.reset(seed=5)
    for action in (1, 2, 3, 0):
        env.step(action)
        frames = []
        for _ in range(4):
            console.ale.act(console.ale.getMinimalActionSet()[action])
            frames.append(console.ale.getScreenRGB())
        np.testing.assert_array_equal(env.render(), np.maximum(frames[2], frames[3]))


def test_games_follow_one_another_and_nothing_says_so():
    """A random player of Breakout loses all lives in about 180 steps."""
    env = gym.make("prefrl/Breakout-v0", max_episode_steps=150)
    obs, _ = env.reset(seed=0)
    rng, scores, running, at = np.random.default_rng(0), [], 0.0, 0
    for step in range(1, 601):
        before = obs
        obs, reward, terminated, truncated, info = env.step(rng.integers(4))
        assert not terminated
        assert truncated == (step % 150 == 0)
        assert reward == info["true_reward"]
        np.testing.assert_array_equal(obs[:3], before[1:])
        running += reward
        if "game_score" in info:
            scores.append(info["game_score"])
            assert running == info["game_score"]
            assert info["oracle_reward"] == reward - END_PENALTY["Breakout"]
            assert env.unwrapped.ale.getEpisodeFrameNumber() <= 30
            running, at = 0.0, step
        else:
            assert "oracle_reward" not in info
        if truncated:
            np.testing.assert_array_equal(env.reset()[0], obs)
    assert len(scores) >= 2
    assert at % 150


def test_pongs_end_costs_nothing_and_a_penalty_is_an_option():
    assert AtariGame("Pong").end_penalty == 0
    assert AtariGame("Pong", end_penalty=7.5).end_penalty == 7.5
    assert AtariGame("Asterix").end_penalty == 0


def test_a_game_starts_after_0_to_30_no_ops_that_the_seed_draws():
    env = AtariGame("Pong")
    waited = {}
    for seed in (7, 8, 9):
        env.reset(seed=seed)
        waited[seed] = env.ale.getEpisodeFrameNumber()
    assert waited == {7: 2, 8: 27, 9: 0}


def test_a_seed_starts_a_game_and_none_goes_on():
    env = AtariGame("Pong")
    first, _ = env.reset(seed=1)
    moved, *_ = env.step(2)
    np.testing.assert_array_equal(env.reset()[0], moved)
    np.testing.assert_array_equal(env.reset(seed=1)[0], first)


def test_two_that_nobody_seeded_differ():
    starts = [AtariGame("Pong") for _ in range(4)]
    for env in starts:
        env.reset()
    assert len({env.ale.getEpisodeFrameNumber() for env in starts}) > 1


def test_people_may_be_shown_the_score_and_agents_never():
    hidden, shown = AtariGame("Breakout"), AtariGame("Breakout", show_score=True)
    observations = [env.reset(seed=0)[0] for env in (hidden, shown)]
    np.testing.assert_array_equal(*observations)
    assert not hidden.render()[:17].any()
    assert shown.render()[:17].any()


def test_a_box_with_a_colour_hides_that_colour_alone():
    screens = np.zeros((1, 4, 4, 3), np.uint8)
    screens[0, 1, 1], screens[0, 1, 2], screens[0, 3, 3] = (1, 2, 3), (9, 9, 9), (1, 2, 3)
    paint_over(screens, [Box(0, 3, 0, 4, color=(1, 2, 3))])
    assert np.argwhere(screens[0].any(-1)).tolist() == [[1, 2], [3, 3]]


def test_frames_are_the_same_one_by_one_and_together():
    screens = np.random.default_rng(0).integers(256, size=(3, 210, 160, 3), dtype=np.uint8)
    together = agent_frames(screens)
    assert together.shape == (3, 84, 84)
    np.testing.assert_array_equal(together, np.concatenate([agent_frames(screens[i : i + 1]) for i in range(3)]))


@pytest.mark.parametrize("boxes", [(), (0, 24, 0, 160), ((0, 24, 0),)])
def test_options_that_are_no_boxes_are_refused_before_there_is_a_screen(boxes):
    with pytest.raises(ValueError, match="boxes are default, paper, or top bottom left right of each, got "):
        AtariOptions(boxes=boxes)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"boxes": [(0, 24, 0, 161)]}, r"box \(0, 24, 0, 161\) lies outside the screen of Pong: .* 210 rows and 160"),
        ({"boxes": [(30, 24, 0, 160)]}, r"box \(30, 24, 0, 160\) is empty"),
        ({"boxes": [(-1, 24, 0, 160)]}, "lies outside"),
        ({"boxes": "papr"}, "unknown boxes 'papr'. Known: paper, default"),
        ({"boxes": [0, 24, 0, 160]}, r"such as .* got \[0, 24, 0, 160\]"),
        ({"end_penalty": -1.0}, "from 0 up, got -1"),
        ({"end_penalty": float("inf")}, "from 0 up, got inf"),
        ({"end_penalty": float("nan")}, "from 0 up, got nan"),
        ({"game": "Pnog"}, "ALE has no game 'Pnog' for one player. Did you mean 'Pong'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        AtariGame(**({"game": "Pong"} | options))
    assert "\n" not in str(error.value)


def test_a_missing_rom_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="the ROM of Pong is missing or damaged .*pong.bin.* pip install") as error:
        AtariGame("Pong")
    assert "\n" not in str(error.value)


def test_every_other_game_of_ale_has_a_row_of_its_own():
    assert roms()["SpaceInvaders"] == "space_invaders"
    assert len(roms()) > 90
    row = find("prefrl/Asterix-v0")
    assert (row.kwargs["game"], row.scored, row.horizon, "paper" in row.tags) == ("Asterix", True, 1000, False)
    assert canonical_id("asterix") == "prefrl/Asterix-v0"
    assert game_id("space_invaders") == game_id("SpaceInvaders") == game_id("prefrl/SpaceInvaders-v0")
    with pytest.raises(ValueError, match="ALE has no game 'Asterx' .* Did you mean 'Asterix'"):
        game_id("Asterx")
    for name in ("ALE/Asterix-v5", "AsterixNoFrameskip-v4", "asterix-ram-v0", "A sterix"):
        with pytest.raises(ValueError, match="Did you mean 'Asterix'"):
            game_id(name)
    with pytest.raises(ValueError, match="Did you mean 'prefrl/Asterix-v0'"):
        canonical_id("Asterx")


def test_another_game_with_a_screen_of_its_own_height():
    env = gym.make("prefrl/AirRaid-v0", boxes=[(220, 250, 0, 160)])
    obs, _ = env.reset(seed=0)
    assert obs.shape == (4, 84, 84)
    assert env.unwrapped.render().shape == (250, 160, 3)


def test_any_process_knows_every_game_and_loads_ale_only_to_play():
    code = "import prefrl_envs, gymnasium as gym, sys; print('ale_py' in sys.modules); gym.make('prefrl/Asterix-v0')"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert not done.stderr


@pytest.mark.parametrize(
    "difference, alongside, expected",
    [
        (0, True, 1.0),
        (0, False, 0.5),
        (-12, True, 0.5),  # half as fast as the others
        (12, True, 0.5),
        (-24, True, 0.0),  # standing
        (39, True, 0.0),  # racing
    ],
)
def test_levelness_by_hand(difference, alongside, expected):
    memory = np.zeros(128, np.uint8)
    memory[SPEED], memory[ALONGSIDE] = np.uint8(difference % 256), 120 * alongside
    assert levelness(memory) == expected


def test_holding_the_others_speed_beats_standing_and_racing():
    def mean_levelness(drive):
        env = EnduroLevel()
        env.reset(seed=0)
        rewards = []
        for _ in range(200):
            ahead = int(env.ale.getRAM()[SPEED].astype(np.int8))
            _, reward, _, _, info = env.step(drive(ahead))
            assert reward == 0
            rewards.append(info["true_reward"])
        return np.mean(rewards)

    standing, racing, level = map(mean_levelness, (lambda _: 0, lambda _: 1, lambda ahead: int(ahead < 0)))
    assert level > 2 * max(standing, racing)


def test_a_day_of_keeping_level_has_no_score(monkeypatch):
    monkeypatch.setattr("prefrl_envs.atari.MAX_FRAMES", 400)
    for kind, told in ((AtariGame, True), (EnduroLevel, False)):
        env = kind("Enduro")
        env.reset(seed=0)
        assert any("game_score" in env.step(0)[4] for _ in range(110)) is told


def test_keeping_level_takes_no_penalty():
    with pytest.raises(ValueError, match="no failure in EnduroLevel"):
        EnduroLevel(end_penalty=5.0)
