"""The walk of docs/extending/suite.md: its package, installed, and one that is broken beside it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from prefrl.store import PreferenceStore

PAGE = Path(__file__).parents[1] / "docs" / "extending" / "suite.md"

DRAWS = """
import numpy as np
from prefrl.labelers.web.drawing import DrawingProcess
from prefrl_envs import TaskConfig

if __name__ == "__main__":
    draw = DrawingProcess(TaskConfig("windy/Boat-v0"))
    print(len(draw(np.zeros((10, 2), np.float32))) > 0)
    draw.close()
"""


@pytest.fixture(scope="module")
def prefrl(tmp_path_factory):
    """Runs prefrl, or Python code, in an empty folder where the page's package is installed."""
    source, target, folder = (tmp_path_factory.mktemp(name) for name in ("source", "target", "work"))
    files = re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == ["pyproject.toml", "windy.py"]
    for name, content in files:
        (source / name).write_text(content)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", target, source], check=True, capture_output=True)

    def run(*arguments, code=None, paths=()):
        command = ["-c", code] if code else ["-m", "prefrl.cli", *arguments]
        path = os.pathsep.join(map(str, (*paths, target, *sys.path)))
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
        return subprocess.run(
            [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    run.folder = folder
    return run


@pytest.fixture
def broken(tmp_path):
    """A folder with a package, installed, whose suite names a module that there is not."""
    info = tmp_path / "broken_suite-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-suite\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[prefrl.suites]\nbroken = no_such_module:SUITE\n")
    return tmp_path


def test_its_task_is_listed_after_ours(prefrl):
    done = prefrl("envs")
    rows = [line.split()[0] for line in done.stdout.splitlines() if "-v0 " in line]
    assert (rows[0], rows[-1]) == ("prefrl/Hopper-v0", "windy/Boat-v0")
    assert not done.stderr


def test_it_trains_by_its_name_and_its_clips_are_drawn(prefrl):
    done = prefrl("train", "boat", "--labels", "20", "--steps", "4096", "--eval-episodes", "2", "--out", "run")
    assert done.returncode == 0, done.stderr
    config = json.loads((prefrl.folder / "run" / "config.json").read_text())
    assert (config["env_id"], config["agent"]["gamma"], config["clip_steps"]) == ("windy/Boat-v0", 0.9, 10)
    with PreferenceStore.existing(prefrl.folder / "run" / "preferences.sqlite3") as store:
        assert store.labels() == 20
        segment = store.answered()[0].query.segments[0]
        assert segment.render_states.shape == (10, 2)
    assert "video/webm" in (prefrl.folder / "run" / "report.html").read_text(encoding="utf-8")
    played = prefrl("play", "run", "--video", "boat.webm", "--steps", "10")
    assert played.returncode == 0, played.stderr
    assert (prefrl.folder / "boat.webm").stat().st_size > 0


def test_a_process_that_draws_for_people_knows_it(prefrl):
    (prefrl.folder / "draws.py").write_text(DRAWS)
    done = prefrl(code="import runpy; runpy.run_path('draws.py', run_name='__main__')")
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize("first", ["windy", "prefrl_envs", "prefrl"])
def test_whichever_is_imported_first_gymnasium_makes_it(prefrl, first):
    done = prefrl(code=f"import {first}, prefrl_envs, gymnasium as gym; print(prefrl_envs.find('windy/Boat-v0').id)")
    assert done.stdout.strip() == "windy/Boat-v0", done.stderr
    assert not done.stderr


def test_a_broken_suite_beside_it_is_one_line_that_names_its_package(prefrl, broken):
    done = prefrl("envs", paths=[broken])
    problem = (
        "the suite 'broken' of broken-suite 0.3 cannot be used: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert done.stderr == f"prefrl: {problem}\n"
    assert done.returncode == 0
    assert "windy/Boat-v0" in done.stdout
    assert "prefrl/Hopper-v0" in done.stdout
    unknown = prefrl(code="import prefrl_envs; prefrl_envs.entry('broken/Task-v0')", paths=[broken])
    assert unknown.stderr.rstrip().endswith(f"; {problem}")
