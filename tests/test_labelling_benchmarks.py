"""The measurements of labeling, in small: nothing lost, nothing double, and figures that make sense."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

ROOT = Path(__file__).parents[1]


@pytest.fixture
def figures(tmp_path):
    """Runs a benchmark in a process of its own; what it writes."""

    def run(name, *options):
        out = tmp_path / "out.json"
        command = [sys.executable, f"benchmarks/{name}.py", *options, "--out", str(out)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        return json.loads(out.read_text())

    return run


@pytest.mark.usefixtures("chromium_program")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_crowd_loses_and_doubles_nothing(engine, request, figures):
    store = ["--store", request.getfixturevalue("postgresql_database")] if engine == "postgresql" else []
    found = figures("crowd", "--answers", "60", *store)
    assert (found["store"], found["answers"]) == (engine, 60)
    assert (found["lost"], found["double"], found["held_after_the_end"]) == (0, 0, 0)


def test_malformed_requests_find_and_make_no_file(figures):
    found = figures("malformed", "--requests", "200")
    assert found["new_files"] == []
    assert sum(found["statuses"].values()) == 200


@pytest.mark.parametrize("tool", ["window", "web"])
def test_labels_come_in_beside_a_trainer_that_goes_on(tool, request, figures):
    request.getfixturevalue("x_display" if tool == "window" else "chromium_program")
    found = figures(tool, "--env", "PointGoal", "--pairs", "4", "--pace-s", "0.2", "--blocks", "1", "--alone-s", "1")
    assert found["wrong_lost_or_double"] == 0
    assert found["key_to_next_pair_ms"]["keys"] == 4
    assert found["flat_out"]["labels_per_minute"] > 0
    assert min(found["trainer_steps_per_second_alone"] + found["trainer_steps_per_second_beside"]) > 0


@pytest.mark.usefixtures("x_display")
def test_kills_lose_and_double_nothing(figures):
    found = figures("kill9", "--rounds", "2")
    assert (found["lost"], found["double"]) == (0, 0)
    assert found["answers"] >= found["answers_told_of"] > 0
    assert found["step_after_it"] > found["step_at_the_last_kill"]


def test_a_behavior_is_taught_in_stages_from_labels_that_another_process_gives(tmp_path):
    folders = {"--runs": tmp_path / "runs", "--results": tmp_path / "results"}
    options = [str(part) for pair in folders.items() for part in pair] + ["--scale", "0.006"]
    command = [sys.executable, "benchmarks/behaviours.py", "HopperBackflip", *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    place = Path("behaviours", "HopperBackflip", "human-5", "seed-0")
    summary = json.loads((tmp_path / "results" / place / "summary.json").read_text())
    assert (summary["labels_answered"], summary["variant"], summary["rotations_mean"]) == (5, "human", 0)
    config = RunFolder(tmp_path / "runs" / place).config()
    assert (config.labeler, config.steps, config.agent.reset_step) == ("human", 24_000, 6_000)
    with PreferenceStore.existing(tmp_path / "runs" / place / "preferences.sqlite3") as store:
        assert len(store.records()) == 5
