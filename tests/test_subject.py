"""What labelers know of a run: what its trainer says, and whether it is still there."""

import json

import pytest
from prefrl_envs.task import TaskConfig

from prefrl.labelers.subject import NOTHING_SAID, Subject, Trainer
from prefrl.runs.lock import only_trainer


@pytest.fixture
def subject(tmp_path):
    return Subject(task=TaskConfig("prefrl/Hopper-v0"), folder=tmp_path)


@pytest.fixture
def status(tmp_path):
    """Writes one."""
    return lambda **said: (tmp_path / "status.json").write_text(json.dumps(said))


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
    assert subject.trainer() == Trainer(10, 100, 5, 6, 1, running=False)
    assert not subject.trainer().content
    assert Trainer(labels=6, labels_wanted=6).content
    assert not Trainer(labels=0, labels_wanted=0).content


def test_a_run_has_ended_when_its_steps_are_done(subject, status):
    status(step=99, steps=100)
    assert not subject.trainer().ended
    status(step=100, steps=100, labels=5, labels_wanted=6)
    assert subject.trainer().ended
    assert not NOTHING_SAID.ended


def test_who_trains_is_seen(subject, status):
    status(step=10)
    assert subject.trainer().running is False
    with only_trainer(subject.folder):
        assert subject.trainer().running
    assert subject.trainer().running is False
