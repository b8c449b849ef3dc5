"""The commands as a person types them, in this process; one of them in a process of its own."""

import dataclasses
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from prefrl_envs.games import AtariOptions

import prefrl
from prefrl.cli import COMMANDS, main
from prefrl.cli.training import settings, visible_score
from prefrl.core.errors import PrefrlError
from prefrl.presets import preset_config
from prefrl.rewards.ensemble import DESCRIPTION
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

TINY = [
    "--steps", "3072", "--initial-steps", "512", "--query.round-steps", "512", "--checkpoint-steps", "1024",
    "--agent.num-envs", "4", "--agent.n-steps", "64", "--agent.batch-size", "64", "--agent.n-epochs", "1",
    "--reward.initial-epochs", "2", "--eval-episodes", "2", "--threads", "1",
]  # fmt: skip
ALE_PONG = ["ale_py:ALE/Pong-v5", "--horizon", "1000", "--steps", "100000"]  # of another shape than the suite's own


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "point-goal"
    assert main(["train", "PointGoal", "--labels", "20", "--seed", "3", "--out", str(out), *TINY]) == 0
    return out


def refused(capsys, *arguments):
    """What a command that must fail says, on one line."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return said


def test_train_leaves_a_run_with_a_report(run):
    assert (run / "report.html").stat().st_size > 10_000
    config = json.loads((run / "config.json").read_text())
    assert (config["env_id"], config["labels"], config["seed"]) == ("prefrl/PointGoal-v0", 20, 3)
    assert config["query"]["round_steps"] == 512


def test_the_environment_may_stand_anywhere_and_decides_the_defaults(tmp_path):
    out = tmp_path / "run"
    assert main(["train", "--labels", "0", "--out", str(out), "--seed", "5", *TINY[:2], *TINY[6:], "ChainWalk"]) == 0
    config = json.loads((out / "config.json").read_text())
    assert (config["env_id"], config["seed"], config["clip_steps"]) == ("prefrl/ChainWalk-v0", 5, 10)
    assert json.loads((out / "summary.json").read_text())["reward_model"] is None


def test_a_store_has_the_answers_of_one_run(tmp_path, capsys):
    shared = ["--store", f"sqlite:///{tmp_path / 'shared.sqlite3'}"]
    first, second = str(tmp_path / "first"), tmp_path / "second"
    short = ["--labels", "20", *TINY, *shared]
    assert main(["train", "PointGoal", "--out", first, *short]) == 0
    capsys.readouterr()
    said = refused(capsys, "train", "PointGoal", "--seed", "1", "--out", str(second), *short)
    assert f"another run, prefrl/PointGoal-v0 with seed 0 in {first}; give each its own" in said
    assert not second.exists()
    assert main(["resume", first, "--labels", "24"]) == 0


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


def test_evaluate_prints_the_summary_as_json(run, capsys):
    assert main(["evaluate", str(run)]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == 20


def test_report_is_drawn_again(run, capsys):
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").exists()


@pytest.mark.parametrize("suffix", ["webm", "mp4"])
def test_play_writes_a_video(run, tmp_path, suffix):
    import av

    video = tmp_path / f"agent.{suffix}"
    assert main(["play", str(run), "--video", str(video), "--steps", "12"]) == 0
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_play_without_a_display_says_what_to_do(run, capsys, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "write a video with --video" in refused(capsys, "play", str(run))
    assert "no run at" in refused(capsys, "play", str(run / "nowhere"))


def test_play_shows_an_episode_and_leaves_the_display(run, monkeypatch):
    import pygame

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert main(["play", str(run), "--steps", "3"]) == 0
    assert not pygame.display.get_init()


def test_label_without_a_display_names_the_page(run, capsys, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    said = refused(capsys, "label", str(run))
    assert f"there is no display to open a window on; `prefrl serve {run}`" in said


def test_label_refuses_the_oracles_name_before_a_window_opens(run, capsys):
    said = refused(capsys, "label", str(run), "--name", "Oracle", "--question", "Which is nicer?")
    assert said.endswith("'Oracle' is the name of the labeler that is no person; choose another name")
    with PreferenceStore.existing(RunFolder(run).store) as store:
        assert store.question == "Which is better?"  # what is refused changes nothing


def test_label_needs_a_store_and_a_share_of_repeats(run, tmp_path, capsys):
    assert "from 0 to 1, got 5.0" in refused(capsys, "label", str(run), "--repeat", "5")
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    assert "no store at" in refused(capsys, "label", str(tmp_path))


def test_resume_extends_a_finished_run(run, capsys):
    assert "give more --steps or --labels" in refused(capsys, "resume", str(run))
    assert "a run only grows" in refused(capsys, "resume", str(run), "--steps", "100")
    too_short = refused(capsys, "resume", str(run), "--steps", "5000", "--horizon", "4")
    assert "an episode of 4 steps is shorter than a clip" in too_short
    assert main(["resume", str(run), "--steps", "4096", "--labels", "24"]) == 0
    assert json.loads((run / "summary.json").read_text())["steps"] >= 4096
    assert main(["resume", str(run), "--labels", "26"]) == 0
    assert main(["resume", str(run), "--steps", "5120", "--horizon", "100"]) == 0
    assert json.loads((run / "config.json").read_text())["horizon"] == 100
    assert json.loads((run / "summary.json").read_text())["labels_answered"] == 26


def test_a_fresh_agent_goes_on_from_all_that_was_compared(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "PointGoal", "--labels", "20", "--out", str(out), *TINY]) == 0
    made_for = json.loads((out / "config.json").read_text())["steps"]
    capsys.readouterr()
    without_steps = refused(capsys, "resume", str(out), "--fresh-agent")
    assert f"a fresh agent needs steps to learn in; give more --steps than the run's {made_for}" in without_steps
    assert main(["resume", str(out), "--steps", str(made_for + 1024), "--fresh-agent"]) == 0
    assert f"after {made_for:,} steps a fresh agent begins" in capsys.readouterr().err
    assert json.loads((out / "config.json").read_text())["agent"]["reset_step"] == made_for
    assert json.loads((out / "summary.json").read_text())["labels_answered"] == 20

    (out / "summary.json").unlink()  # as of a run that was stopped before its end
    unfinished = refused(capsys, "resume", str(out), "--steps", "9999", "--fresh-agent")
    assert f"`prefrl resume {out}` goes on, and a fresh agent may begin after" in unfinished


def test_fit_learns_from_the_store_alone(run, tmp_path, capsys):
    store, out = str(run / "preferences.sqlite3"), str(tmp_path / "reward")
    assert main(["fit", store, "--env", "PointGoal", "--out", out, "--epochs", "5"]) == 0
    stats = json.loads(capsys.readouterr().out)
    assert stats["comparisons"] >= 20
    assert (tmp_path / "reward" / DESCRIPTION).exists()
    assert "already holds a reward model" in refused(capsys, "fit", store, "--env", "PointGoal", "--out", out)
    assert "not of prefrl/ChainWalk-v0" in refused(capsys, "fit", store, "--env", "ChainWalk", "--out", f"{out}2")
    untaught = refused(capsys, "fit", str(run), "--env", "PointGoal", "--out", f"{out}2", "--epochs", "0")
    assert "epochs must be at least 1, got 0" in untaught
    assert f"{run} holds a run" in refused(capsys, "fit", str(run), "--env", "PointGoal", "--out", str(run))


def test_an_agent_that_diverges_is_one_clear_line(tmp_path, capsys):
    train = (
        "train",
        "PointGoal",
        "--labels",
        "0",
        "--agent.learning-rate",
        "1e9",
        "--out",
        str(tmp_path / "run"),
        *TINY,
    )
    assert main(list(train)) == 2
    *_, line = capsys.readouterr().err.strip().splitlines()
    assert line.endswith("the policy diverged: its weights are not finite numbers any more; lower its learning rate")


def test_envs_lists_the_suite(capsys):
    assert main(["envs"]) == 0
    said = capsys.readouterr().out
    assert "prefrl/Hopper-v0" in said
    assert "forward speed" in said
    assert "Asterix" in said


def test_another_environment_is_made_fixed_horizon(tmp_path):
    out = tmp_path / "run"
    assert (
        main(
            [
                "train",
                "CartPole-v1",
                "--horizon",
                "60",
                "--labels",
                "10",
                "--clip-steps",
                "10",
                "--out",
                str(out),
                *TINY,
            ]
        )
        == 0
    )
    assert len((out / "progress.csv").read_text().splitlines()) > 5


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


def test_a_folder_that_holds_a_run_is_not_overwritten(run, capsys):
    before = (run / "config.json").read_text()
    assert "already holds a run" in refused(capsys, "train", "PointGoal", "--out", str(run), *TINY)
    assert (run / "config.json").read_text() == before


def test_help_names_every_command(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("train", "resume", "evaluate", "play", "report", "envs", "fit"))


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


def test_only_what_a_user_did_wrong_is_one_line(capsys, monkeypatch):
    def fails_with(error):
        def command() -> int:
            raise error

        return lambda: command

    monkeypatch.setitem(COMMANDS, "envs", SimpleNamespace(load=fails_with(PrefrlError("lower `query.pool_steps`"))))
    assert refused(capsys, "envs") == "prefrl envs: lower --query.pool-steps"
    monkeypatch.setitem(COMMANDS, "envs", SimpleNamespace(load=fails_with(ValueError("could not be broadcast"))))
    with pytest.raises(ValueError, match="broadcast"):
        main(["envs"])


def test_every_command_is_there_and_says_what_it_does(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert callable(command.load())
        assert f"  {name:<10}{command.summary}" in said


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"prefrl {prefrl.__version__}\n"


def test_ctrl_c_saves_and_resume_goes_on(tmp_path):
    import signal

    out = tmp_path / "run"
    command = [sys.executable, "-m", "prefrl.cli", "train", "PointGoal", "--labels", "20", "--out", str(out), *TINY]
    command[command.index("3072")] = "12000"
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "true return" in line:
            process.send_signal(signal.SIGINT)
            break
    said = process.stderr.read()
    assert process.wait() == 130
    assert "prefrl resume" in said
    saved = max(int(path.name.removeprefix("step-")) for path in (out / "checkpoints").iterdir())
    assert saved > 0
    assert not (out / "summary.json").exists()
    assert main(["resume", str(out)]) == 0
    assert json.loads((out / "summary.json").read_text())["steps"] >= 12_000


def test_a_game_without_known_boxes_is_said_to_show_its_score():
    config = preset_config("default", "prefrl/Asterix-v0", labels=0)
    assert "Asterix shows its score" in visible_score(config.task)
    hidden = dataclasses.replace(config, atari=AtariOptions(boxes=((0, 10, 0, 160),)))
    assert visible_score(hidden.task) is None
    assert visible_score(preset_config("default", "prefrl/Pong-v0", labels=0).task) is None


def test_ales_own_environment_is_said_to_show_its_score():
    assert visible_score(settings([*ALE_PONG, "--atari.boxes", "default"]).task) == (
        "ale_py:ALE/Pong-v5 shows its score to agent and reward model; the suite's own is --game pong"
    )
    assert visible_score(settings(["Hopper"]).task) is None


def test_a_game_takes_the_place_of_an_environment(capsys):
    assert settings(["--game", "space_invaders"]).env_id == "prefrl/SpaceInvaders-v0"
    assert "or else --game" in refused(capsys, "train")


def test_labels_and_steps_that_are_not_given_are_the_environments():
    assert (settings(["Pong"]).labels, settings(["Pong", "--labels", "800"]).labels) == (5500, 800)
    assert (settings(["Hopper"]).labels, settings(["Hopper"]).steps) == (700, 1_000_000)


def test_an_environment_of_ones_own_module_is_resumed_in_another_process(tmp_path):
    (tmp_path / "my_module.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('MyTask-v0', entry_point='prefrl_envs.toy:ChainWalk', max_episode_steps=40)\n"
    )
    train = ["train", "my_module:MyTask-v0", "--horizon", "40", "--clip-steps", "10", "--labels", "10", "--out", "run"]
    command = [sys.executable, "-m", "prefrl.cli"]
    subprocess.run([*command, *train, *TINY], check=True, cwd=tmp_path)
    resumed = subprocess.run([*command, "resume", "run", "--steps", "4096", "--threads", "2"], cwd=tmp_path)
    assert resumed.returncode == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["steps"], config["threads"]) == (4096, 2)


def test_what_an_environment_of_a_run_is_no_more_is_one_line(run, tmp_path, capsys):
    config = json.loads((run / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"env_id": "Gone-v0"}))
    assert "Gone-v0" in refused(capsys, "resume", str(tmp_path), "--steps", "9999")


def test_a_run_of_another_machine_is_resumed_on_this_ones_device(run, tmp_path, capsys):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"device": "mps"}))
    more = ["resume", str(copy), "--steps", str(config["steps"] + 512)]
    assert "this machine has no mps device; use --device auto or cpu" in refused(capsys, *more)
    assert main([*more, "--device", "cpu"]) == 0
    assert json.loads((copy / "config.json").read_text())["device"] == "cpu"


def test_while_the_policy_is_judged_the_first_ctrl_c_leaves_and_resume_judges_it(tmp_path, monkeypatch):
    import os
    import signal

    from prefrl.algorithms import rlhf

    out, finish = tmp_path / "run", rlhf.finish

    def interrupted(*_):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(rlhf, "finish", interrupted)
    assert main(["train", "PointGoal", "--labels", "20", "--out", str(out), *TINY]) == 130
    assert not (out / "summary.json").exists()
    monkeypatch.setattr(rlhf, "finish", finish)
    assert main(["resume", str(out)]) == 0
    assert (out / "summary.json").exists()


def test_play_goes_on_beyond_the_horizon_where_asked(run, tmp_path):
    import av

    video = tmp_path / "agent.webm"
    assert main(["play", str(run), "--video", str(video), "--steps", "130"]) == 0
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 130
