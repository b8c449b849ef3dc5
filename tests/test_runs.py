import json
import sys
from types import SimpleNamespace

import pytest

from prefrl.config import RlhfConfig
from prefrl.processor import cpu_name
from prefrl.runs import RunFolder
from prefrl.runs.files import write_json
from prefrl.runs.progress import COLUMNS, ProgressRow
from prefrl.runs.provenance import peak_memory_mb, versions
from prefrl.runs.summary import Summary

CONFIG = RlhfConfig(env_id="x", labels=10, steps=100_000, seed=0)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(CONFIG)
    return folder


def test_keeps_its_configuration(run):
    assert run.config() == CONFIG


def test_a_folder_that_holds_a_run_is_refused_and_left_alone(run):
    before = run.config_file.read_text()
    with pytest.raises(ValueError, match="already holds a run: `prefrl resume .*` goes on with it"):
        run.create(RlhfConfig(env_id="y", labels=10, steps=100_000, seed=0))
    assert run.config_file.read_text() == before


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="is not an empty folder"):
        RunFolder(tmp_path).create(CONFIG)
    with pytest.raises(ValueError, match="is not an empty folder"):
        RunFolder(tmp_path / "thesis.tex").create(CONFIG)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_no_run_and_a_damaged_one_are_one_clear_line(tmp_path, run):
    with pytest.raises(ValueError, match="no run at"):
        RunFolder(tmp_path / "nowhere").config()
    for text, what in (
        ("{", "Expecting property name"),
        ("[]", "it holds list"),
        ('{"env_id": "prefrl/Hopper-v0"}', "setting 'labels' is missing from RlhfConfig"),
        (json.dumps(json.loads(run.config_file.read_text()) | {"threads": 0}), "threads must be at least 1, got 0"),
    ):
        run.config_file.write_text(text)
        with pytest.raises(ValueError, match=f"{run.config_file} cannot be used: {what}"):
            run.config()


def test_rows_after_a_checkpoint_are_forgotten_and_a_torn_one_too(run):
    for step in (100, 200, 300):
        run.append(ProgressRow(step=step, true_return=1.5, labels=3))
    with run.progress.open("a") as file:
        file.write("400,1.")  # killed while writing
    run.forget_rows_after(200)
    lines = run.progress.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "100", "200"]
    assert lines[1].startswith("100,1.5,,3,")


def test_a_row_that_is_none_is_named_and_nothing_is_changed(run):
    run.append(ProgressRow(step=100))
    before = run.progress.read_text() + "q,1.5,,3" + "," * (len(COLUMNS) - 4) + "\n"
    run.progress.write_text(before)
    with pytest.raises(ValueError, match=r"progress.csv is damaged: .*'q'"):
        run.forget_rows_after(100)
    assert run.progress.read_text() == before


def test_there_is_no_summary_before_the_end(run):
    with pytest.raises(ValueError, match="prefrl resume"):
        run.summary()
    write_json(run.summary_file, {"steps": 5})
    with pytest.raises(ValueError, match="is damaged: it has no 'labels'"):
        run.has_ended(CONFIG)
    write_json(run.summary_file, {"steps": 5, "labels": 2})
    assert run.summary() == Summary(steps=5, labels=2)


def test_a_json_file_is_complete_or_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_artifacts_name_the_versions_and_the_processor():
    assert {"mujoco", "gymnasium", "torch", "python"} <= set(versions())
    assert "cores" in cpu_name()


@pytest.mark.parametrize("platform, expected", [("linux", 3072), ("darwin", 3), ("win32", None)])
def test_peak_memory_in_the_unit_of_each_system(monkeypatch, platform, expected):
    """Kilobytes on Linux, bytes on macOS."""
    usage = SimpleNamespace(getrusage=lambda who: SimpleNamespace(ru_maxrss=3 * 2**20), RUSAGE_SELF=0)
    monkeypatch.setitem(sys.modules, "resource", usage)
    monkeypatch.setattr(sys, "platform", platform)
    assert peak_memory_mb() == expected
