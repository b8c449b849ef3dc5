"""What labelers know of a run: what its trainer says, and whether it is still there."""

import json
import os
import sys
import time

import pytest

from prefrl.algorithms.rlhf import only_trainer
from prefrl.labelers.subject import NOTHING_SAID, QUIET_S, Subject, Trainer
from prefrl.runs import RunFolder


@pytest.fixture
def subject(tmp_path):
    return Subject(env_id="prefrl/Hopper-v0", horizon=None, on_end="absorb", folder=tmp_path)


@pytest.fixture
def status(tmp_path):
    """Writes one, as old as it is said to be."""
    path = tmp_path / "status.json"

    def write(age=0.0, **said):
        path.write_text(json.dumps(said))
        os.utime(path, 2 * (time.time() - age,))

    return write


@pytest.mark.parametrize(
    "text",
    [None, '{"step": NaN, "steps": Infinity}', "", "{", "[]", '"step"', '{"step": "soon"}', '{"step": null}', "\xff"],
)
def test_a_status_that_is_missing_or_damaged_says_nothing(subject, text):
    if text is not None:
        (subject.folder / "status.json").write_bytes(text.encode("latin-1"))
    assert subject.trainer() == NOTHING_SAID


def test_a_status_is_read_and_knows_when_all_labels_are_given(subject, status):
    status(step=10, steps=100, labels=5, labels_wanted=6, waiting_for=1, seconds=2.5)
    assert subject.trainer() == Trainer(10, 100, 5, 6, 1, running=True)
    assert not subject.trainer().content
    assert Trainer(labels=6, labels_wanted=6).content
    assert not Trainer(labels=0, labels_wanted=0).content


def test_a_run_has_ended_when_its_steps_are_done(subject, status):
    status(step=99, steps=100)
    assert not subject.trainer().ended
    status(step=100, steps=100, labels=5, labels_wanted=6)
    assert subject.trainer().ended
    assert not NOTHING_SAID.ended


def test_a_trainer_that_says_nothing_any_more_is_gone(subject, status):
    status(age=QUIET_S - 10, step=10, waiting_for=5)
    assert subject.trainer().running
    status(age=QUIET_S + 10, step=10, waiting_for=5)
    assert subject.trainer().running is False
    status(age=-3600, step=10)  # of a machine whose clock is ahead
    assert subject.trainer().running


def test_a_trainer_in_a_long_fit_is_quiet_and_seen_by_its_lock(subject, status):
    status(age=1e6, step=10)
    with only_trainer(RunFolder(subject.folder)):
        # Linux alone shows who holds a lock; elsewhere one that is quiet for so long counts as gone.
        assert subject.trainer().running == (sys.platform == "linux")
    assert subject.trainer().running is False


def test_to_look_takes_no_lock(subject, status, monkeypatch):
    status(age=1e6, step=10)
    with only_trainer(RunFolder(subject.folder)):
        pass
    if sys.platform != "win32":
        monkeypatch.setattr("fcntl.flock", lambda *_: pytest.fail("a trainer that starts now would be refused"))
    assert subject.trainer().running is False
