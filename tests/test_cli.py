"""The commands as a person types them, in this process; one of them in a process of its own."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from commands import TINY, refused

import prefrl
from prefrl.cli import COMMANDS, main
from prefrl.core.errors import PrefrlError
from prefrl.rewards.ensemble import DESCRIPTION
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "point-goal"
    assert main(["train", "PointGoal", "--labels", "20", "--seed", "3", "--out", str(out), *TINY]) == 0
    return out


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


def test_a_folder_that_holds_a_run_is_not_overwritten(run, capsys):
    before = (run / "config.json").read_text()
    assert "already holds a run" in refused(capsys, "train", "PointGoal", "--out", str(run), *TINY)
    assert (run / "config.json").read_text() == before


def test_help_names_every_command(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("train", "resume", "evaluate", "play", "report", "envs", "fit"))


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
