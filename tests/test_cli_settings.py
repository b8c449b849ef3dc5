"""The settings of `prefrl train` as a person types them: defaults, help, old names, and what is refused."""

import dataclasses
import re

import pytest
from commands import ALE_PONG, TINY, refused
from prefrl_envs.games import AtariOptions

from prefrl.cli import main
from prefrl.cli.training import settings, visible_score
from prefrl.presets import preset_config


@pytest.mark.parametrize(
    "options, steps",
    [
        ([], 65_536),
        (["--labeler", "human"], 16_384),  # somebody waits for the first pair
        (["--labeler", "human", "--steps", "100000"], 3_125),
        (["--labeler", "human", "--initial-steps", "50000"], 50_000),
    ],
)
def test_steps_before_learning(options, steps):
    assert settings(["Hopper", "--steps", "10000000", *options]).initial_steps == steps


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train", "Hoper"], "Did you mean"),
        (["train", "CartPole-v1", "--steps", "100000"], "--horizon"),
        (["train", "CartPole-v1"], "--steps"),
        (["train", "Hopper", "--labels", "1"], "labels must be 0 .* or at least 2, got 1"),
        (["train", "Hopper", "--labels", "-3"], "got -3"),
        (["train", "Hopper", "--preset", "paper"], "unknown preset 'paper'. Did you mean 'paper2017'"),
        (["train", "PointGoal", "--query.selection", "unifrom", *TINY], "Did you mean 'uniform'"),
        (["train", "PointGoal", "--reward.network", "cnn", *TINY], "network cnn reads images"),
        (["train", "PointGoal", "--device", "gpu", *TINY], "unknown device 'gpu'"),
        (["train", "PointGoal", "--horizon", "5"], "an episode of 5 steps is shorter than a clip"),
        (["train", "PointGoal", "--query.schedule-constant", "0"], "schedule_constant must be a number above 0"),
        (["train", "PointGoal", "--query.round-steps", "0"], "round_steps must be at least 1"),
        (["train", "PointGoal", "--agent.gamma", "2"], "gamma must be at most 1"),
        (["train", "CartPole", "--on-end", "reset"], "for environments outside the suite"),
        (
            ["train", "Hopper", "--atari.boxes", "paper"],
            "--atari.boxes.* are for the suite's Atari games, not for prefrl/Hopper-v0",
        ),
        (["train", "Hopper", "--atari.end-penalty", "-3"], "--atari.end-penalty.* not for prefrl/Hopper-v0"),
        (
            ["train", *ALE_PONG, "--atari.boxes", "paper"],
            "--atari.boxes.* are for the suite's .* not for ale_py:ALE/Pong-v5",
        ),
        (
            ["train", *ALE_PONG, "--preset", "paper2017"],
            "preset paper2017 reads the images of .* not those of ale_py:ALE/Pong",
        ),
        (["train", "PixelGoal", "--preset", "zoo"], "preset zoo reads the images of .* use --preset default"),
        (["train", "PointGoal", "--out", "/dev/null/run"], "Not a directory"),
        (["train", "PointGoal", "--store", "postgresql://ann:secret@host/name", *TINY], "holds a password.*PGPASSWORD"),
        (["train", "PointGoal", "--frobnicate"], "frobnicate"),
        (["train", "PointGoal", "--labels", "many"], "--labels cannot be 'many'; it takes INT"),
        (
            ["train", "Pong", "--atari.boxes", "ppaper"],
            "--atari.boxes cannot be 'ppaper'; it takes {default,paper}.* top bottom",
        ),
        (
            ["train", "Pong", "--atari.boxes", "0", "24", "0"],
            "--atari.boxes cannot be '0 24 0'; it takes {default,paper}",
        ),
        (["train", "Pong", "--atari.boxes"], "boxes are default, paper, or top bottom left right of each, got "),
        (["train", "Pong", "--atari.end-penalty", "inf"], "end_penalty is points .* from 0 up, got inf"),
        (
            ["train", "Pong", "--atari.end-penalty", "3", "--labels", "0"],
            "--atari.end-penalty is for the oracle, .* asks none",
        ),
        (
            ["train", "Pong", "--initial-steps", "100"],
            "100 steps before learning, in 16 .* raise --initial-steps",
        ),
        (["train", "Pong", "--game", "Asterix"], "Pong and --game Asterix are two environments; give one"),
        (
            ["train", "Hopper", "--agent.cnn", "nature"],
            "--agent.cnn nature reads images, and prefrl/Hopper-v0 has none",
        ),
        (
            ["train", "Pong", "--atari.boxes", "0", "24", "0", "161"],
            r"box \(0, 24, 0, 161\) lies outside the screen of Pong",
        ),
        (["train", "PongDeterministic-v9"], "Did you mean 'prefrl/Pong-v0'"),
        (["train", "--game", "ALE/Pong-v5"], r"Did you mean 'Pong'\?"),
        (["train", "--game", "EnduroLevel"], "a task of the suite: name prefrl/EnduroLevel-v0 without --game"),
        (["train", "Hopper", "--agent.log-std-init", "nan"], "log_std_init must be a number, got nan"),
        (["train", "Hopper", "--oracle.skip-below", "nan"], "skip_below must be a return, got nan"),
        (["train", "Hopper", "--seed", "99999999999"], "seed must be in"),
        (["train", "--game", "Pnog"], "ALE has no game 'Pnog' .* Did you mean 'Pong'. `prefrl envs` lists all"),
        (["train", "--labels", "20"], "(?i)required"),
        (["train"], "(?i)required"),
        (["trian"], "Did you mean 'train'"),
        (["resume", "nowhere"], "no run at nowhere"),
        (["evaluate", "nowhere"], "no run at nowhere"),
        (["label", "nowhere"], "no run at nowhere"),
        (["fit", "nowhere", "--env", "Hopper", "--out", "x"], "no store at nowhere"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing_behind(capsys, tmp_path, monkeypatch, arguments, message):
    import re

    monkeypatch.chdir(tmp_path)
    assert re.search(message, refused(capsys, *arguments))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [["--game", "Pnog"], ["Pong", "--atari.boxes", "no"], ["Pong", "--atari.boxes", "0", "9"]]
)
def test_what_is_allowed_is_said_in_few_words(capsys, arguments):
    assert len(refused(capsys, "train", *arguments)) < 210


def test_a_missing_rom_is_one_clear_line_and_leaves_nothing_behind(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    said = refused(capsys, "train", "Pong", "--out", str(tmp_path / "run"))
    assert "the ROM of Pong is missing or damaged" in said
    assert "pip install" in said
    assert not list(tmp_path.iterdir())


def shown_by(capsys, *arguments):
    """What a request for help prints."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert not stop.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "typed, shown",
    [
        ("Hopper", {"clip-steps": 60, "agent.ent-coef": 0.01}),
        ("Pong", {"clip-steps": 25, "agent.n-epochs": 4}),
        ("--game Asterix --preset paper2017", {"clip-steps": 25, "reward.std": 0.05}),
        ("Hopper --agent sac", {"agent.tau": 0.005}),
        ("", {"clip-steps": 50}),
        ("Hoper", {"clip-steps": 50}),
    ],
)
def test_help_shows_the_defaults_of_the_environment_and_the_preset(capsys, typed, shown):
    said = " ".join(re.sub("[│╭╰─]", " ", shown_by(capsys, "train", *typed.split(), "--help-all")).split())
    for name, default in shown.items():
        assert re.search(rf"--{name} \w+ [^()]*\(default: {re.escape(str(default))}\)", said), name


@pytest.mark.parametrize("typed", ["", "Hopper", "Pong --preset wide", "Hopper --agent sac"])
def test_help_shows_what_a_beginner_sets(capsys, typed):
    lines = shown_by(capsys, "train", *typed.split(), "--help").splitlines()
    assert len(lines) < 40
    assert any("--labels" in line for line in lines)
    assert not any("--agent." in line for line in lines)


@pytest.mark.parametrize(
    "old, new",
    [
        ("--n-steps 64", "--agent.n-steps"),
        ("--agent sac --tau 0.1", "--agent.tau"),
        ("--learning-rate 1e-3", "--agent.learning-rate"),
        ("--no-ortho-init", "--agent.ortho-init"),
        ("--reward-lr 1e-3", "--reward.learning-rate"),
        ("--l2 0.1", "--reward.l2"),
        ("--round-steps=512", "--query.round-steps"),
        ("--mistake 0.1", "--oracle.mistakes"),
        ("--boxes paper", "--atari.boxes"),
    ],
)
def test_an_old_name_is_answered_with_the_new_one(capsys, old, new):
    assert f"Did you mean {new}?" in refused(capsys, "train", "Hopper", *old.split())


def test_a_game_without_known_boxes_is_said_to_show_its_score():
    config = preset_config("default", "prefrl/Asterix-v0", labels=0)
    assert "Asterix shows its score" in visible_score(config.task)
    hidden = dataclasses.replace(config, atari=AtariOptions(boxes=((0, 10, 0, 160),)))
    assert visible_score(hidden.task) is None
    assert visible_score(preset_config("default", "prefrl/Pong-v0", labels=0).task) is None


def test_ales_own_environment_is_said_to_show_its_score():
    assert visible_score(settings([*ALE_PONG, "--atari.boxes", "default"]).task) == (
        "ale_py:ALE/Pong-v5 shows its score to agent and reward model; the suite's own is `game` pong"
    )
    assert visible_score(settings(["Hopper"]).task) is None


def test_a_game_takes_the_place_of_an_environment(capsys):
    assert settings(["--game", "space_invaders"]).env_id == "prefrl/SpaceInvaders-v0"
    assert "or else --game" in refused(capsys, "train")


def test_labels_and_steps_that_are_not_given_are_the_environments():
    assert (settings(["Pong"]).labels, settings(["Pong", "--labels", "800"]).labels) == (5500, 800)
    assert (settings(["Hopper"]).labels, settings(["Hopper"]).steps) == (700, 1_000_000)
