"""The example of docs/extending/labeler.md, complete, as it stands there."""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prefrl.queries import Query
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore
from prefrl.testing import random_segments

PAGE = (Path(__file__).parents[1] / "docs" / "extending" / "labeler.md").read_text(encoding="utf-8")
(MODULE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
IN_THE_LOOP, TRAINER, BESIDE = re.findall(r"```sh\nprefrl (.*?)\n```", PAGE)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_labeler.py").write_text(MODULE, encoding="utf-8")
    return tmp_path


def command(line):
    return [sys.executable, "-m", "prefrl.cli", *shlex.split(line)]


def who_answered(run):
    with PreferenceStore.existing(run.store) as store:
        return store.labels(), {(each.labeler, each.kind) for each in store.records()}


def test_it_ranks_any_number_of_segments_by_their_effort(rng):
    names: dict = {}
    exec(compile(MODULE, "my_labeler.py", "exec"), names)
    easy, hard, other = random_segments(3, rng)
    easy.actions[:], hard.actions[:], other.actions[:] = 0, 2, 0
    (answer,) = names["LessEffort"]().label([Query((hard, easy, other), 0)])
    assert answer.ranks == (2, 0, 0)


def test_inside_the_loop(folder):
    subprocess.run(command(IN_THE_LOOP), cwd=folder, check=True, capture_output=True)
    run = RunFolder(folder / "runs" / "effort")
    assert run.summary().labels_answered == 100
    assert who_answered(run) == (100, {("less effort", "model")})


def test_beside_a_trainer_that_waits(folder):
    run = RunFolder(folder / "runs" / "beside")
    trainer = subprocess.Popen(command(TRAINER), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not run.status_file.exists():  # it waits
            assert trainer.poll() is None
            time.sleep(0.1)
        labeled = subprocess.run(command(BESIDE), cwd=folder, check=True, capture_output=True, text=True, timeout=300)
        assert labeled.stdout == "answers saved: 100\n"
        assert trainer.wait(timeout=300) == 0
    finally:
        trainer.kill()
        trainer.wait()
    assert who_answered(run) == (100, {("less effort", "model")})
