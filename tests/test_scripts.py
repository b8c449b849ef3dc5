"""Every script trains, at a size that a test can afford."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from prefrl_envs.suite import tasks

SCRIPTS = sorted((Path(__file__).parents[1] / "scripts").glob("*.py"))
TINY = [
    "--steps", "1024", "--labels", "4", "--initial-steps", "512", "--query.round-steps", "256", "--agent.num-envs", "4",
    "--agent.n-steps", "64", "--agent.batch-size", "64", "--agent.n-epochs", "1",
    "--reward.initial-epochs", "1", "--eval-episodes", "1", "--threads", "1", "--horizon", "60",
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_trains(script, tmp_path, monkeypatch):
    if script.stem != "pong":  # a complete game takes as long as all the rest: one shows that it is played
        monkeypatch.setattr("prefrl.algorithms.outcome.play_games", lambda *_, **__: np.zeros(1))
    monkeypatch.setattr(sys, "argv", [str(script), *TINY, "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    if script.stem == "pong":
        assert -21 <= summary["score_mean"] <= 21
        assert summary["score_games"] == 1


def test_every_task_that_is_no_toy_has_one():
    expected = {row.id.removeprefix("prefrl/").removesuffix("-v0") for row in tasks() if "toy" not in row.tags}
    assert {task(script) for script in SCRIPTS} == expected


def task(script):
    """What a script trains."""
    return script.read_text().split('main(["train", "')[1].split('"')[0]
