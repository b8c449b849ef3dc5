"""Labelers by name: which there are, and what is said of a function that makes none."""

import subprocess
import sys
from pathlib import Path

import pytest
from prefrl_envs.task import TaskConfig

from prefrl.cli import main
from prefrl.config import RlhfConfig
from prefrl.labelers.loading import load_labeler, make_labeler
from prefrl.labelers.oracle import Oracle
from prefrl.queries import LEFT
from prefrl.runs import RunFolder
from prefrl.runs.lock import only_trainer
from prefrl.runs.status import Status
from prefrl.store import PreferenceStore
from prefrl.testing import random_queries

SHORT = [
    "--labels", "20", "--steps", "2048", "--initial-steps", "512", "--query.round-steps", "512",
    "--checkpoint-steps", "1024", "--agent.num-envs", "4", "--agent.n-steps", "64", "--agent.batch-size", "64",
    "--agent.n-epochs", "1",
    "--reward.initial-epochs", "2", "--eval-episodes", "2", "--threads", "1", "--clip-steps", "10",
]  # fmt: skip


class First:
    """Prefers what is shown first."""

    name, kind = "first", "model"

    def label(self, queries):
        return [LEFT] * len(queries)


class Stubborn(First):
    """Answers nothing of the right kind."""

    def label(self, queries):
        return ["left"] * len(queries)


def needs_a_key():
    raise KeyError("API_KEY")


def pretends():
    labeler = First()
    labeler.name = "oracle"
    return labeler


A_NUMBER = 3


@pytest.fixture
def asked(tmp_path, rng):
    """A run's folder in which people are asked about 20 pairs, and nobody trains."""
    run = RunFolder(tmp_path / "run")
    run.create(RlhfConfig(env_id="prefrl/PointGoal-v0", labels=20, steps=100_000, seed=0, labeler="human"))
    with PreferenceStore(run.store) as store:
        store.ask(random_queries(20, rng))
    return run


def refused(capsys, *arguments):
    """What a command that must fail says, on one line."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err.strip()
    return said.splitlines()[-1]


def config(labeler, labels=20):
    return RlhfConfig(env_id="prefrl/PointGoal-v0", labels=labels, steps=100_000, seed=0, labeler=labeler)


def test_labelers_have_names():
    assert isinstance(make_labeler(config("oracle")), Oracle)
    assert make_labeler(config("human")) is None
    assert isinstance(make_labeler(config("test_labelers:First")), First)


@pytest.mark.parametrize(
    "name, message",
    [
        ("test_labelers:Frist", "cannot load 'test_labelers:Frist'"),
        ("no_such_module:First", "cannot load 'no_such_module:First'"),
        ("first", "a labeler is named module:function, got 'first'"),
        (":First", "a labeler is named module:function"),
        ("test_labelers:A_NUMBER", "test_labelers:A_NUMBER is no function; it must be one that returns a labeler"),
        ("test_labelers:needs_a_key", "failed with KeyError: 'API_KEY'; it is called without arguments"),
        ("test_labelers:refused", "failed with TypeError: .*; it is called without arguments and returns a labeler"),
        ("test_labelers:pretends", "test_labelers:pretends returned no labeler: 'oracle' names the labeler"),
        ("builtins:dict", "builtins:dict returned no labeler: dict is no labeler: its name must be"),
    ],
)
def test_what_is_no_labeler_is_one_clear_line(name, message):
    with pytest.raises(ValueError, match=message) as refused:
        load_labeler(name)
    assert "\n" not in str(refused.value)


class TestInTheLoop:
    def test_train_learns_from_it_and_resume_goes_on_with_it(self, tmp_path):
        out = tmp_path / "run"
        train = ["train", "PointGoal", "--labeler", "test_labelers:First", "--out", str(out), *SHORT]
        assert main(train) == 0
        assert main(["resume", str(out), "--labels", "25"]) == 0
        with PreferenceStore.existing(out / "preferences.sqlite3") as store:
            assert store.labels() == 25
            assert {(each.labeler, each.kind) for each in store.records()} == {("first", "model")}

    @pytest.mark.parametrize(
        "labeler, message",
        [
            ("humn", "unknown labeler 'humn'. Did you mean 'human'.* Known: oracle, human, module:function"),
            ("test_labelers:Frist", "cannot load 'test_labelers:Frist'"),
            ("test_labelers:pretends", "returned no labeler"),
        ],
    )
    def test_it_is_checked_before_training_begins(self, tmp_path, capsys, monkeypatch, labeler, message):
        import re

        out = tmp_path / "run"
        said = refused(capsys, "train", "PointGoal", "--labeler", labeler, "--out", str(out), *SHORT)
        assert re.search(message, said)
        assert not out.exists()

    def test_without_labels_there_is_nothing_to_label(self, capsys):
        said = refused(capsys, "train", "PointGoal", "--labeler", "test_labelers:First", "--labels", "0")
        assert "test_labelers:First has nothing to label with --labels 0" in said

    def test_a_wrong_answer_ends_the_run_in_one_clear_line(self, tmp_path, capsys):
        out = tmp_path / "run"
        said = refused(capsys, "train", "PointGoal", "--labeler", "test_labelers:Stubborn", "--out", str(out), *SHORT)
        assert "labeler 'first' answered 'left'; return prefrl.queries.Answer with 2 ranks" in said


class TestBesideATrainer:
    def test_it_answers_until_the_run_has_its_labels(self, asked, capsys):
        asked.write_status(Status(step=1000, steps=100_000, labels=20, labels_wanted=20, waiting_for=0))
        assert main(["label", str(asked.path), "--by", "test_labelers:First"]) == 0
        said = capsys.readouterr()
        assert said.out == "answers saved: 20\n"
        assert said.err == "first labels PointGoal; Ctrl-C ends it, and every answer is saved\n"
        with PreferenceStore.existing(asked.store) as store:
            assert {(each.labeler, each.kind) for each in store.records()} == {("first", "model")}

    def test_a_run_that_has_ended_without_them_asks_no_more_once_its_trainer_has_left(self, asked):
        from prefrl.labelers.subject import Subject

        asked.write_status(Status(step=100_000, steps=100_000, labels=3, labels_wanted=20, waiting_for=0))
        subject = Subject(task=TaskConfig("prefrl/PointGoal-v0"), folder=asked.path)
        assert subject.trainer().finished
        with only_trainer(asked.path):
            assert not subject.trainer().finished

    def test_the_store_may_be_elsewhere(self, asked, tmp_path, capsys):
        elsewhere = asked.store.rename(tmp_path / "elsewhere.sqlite3")
        asked.write_status(Status(step=1000, steps=100_000, labels=20, labels_wanted=20, waiting_for=0))
        store = ["--store", f"sqlite:///{elsewhere}"]
        assert main(["label", str(asked.path), "--by", "test_labelers:First", *store]) == 0
        assert capsys.readouterr().out == "answers saved: 20\n"

    def test_ctrl_c_leaves_with_everything_saved_and_nothing_held(self, asked):
        """The signal comes while the first batch of 16 is labeled."""
        code = (
            "import os, signal; from test_labelers import First\n"
            "class Interrupted(First):\n"
            "    def label(self, queries):\n"
            "        os.kill(os.getpid(), signal.SIGINT)\n"
            "        return super().label(queries)\n"
            "import sys; sys.modules['mine'] = sys.modules['__main__']\n"
            "from prefrl.cli import main\n"
            f"code = main(['label', {str(asked.path)!r}, '--by', 'mine:Interrupted'])\n"
            "assert not {'torch', 'stable_baselines3', 'pygame'} & set(sys.modules), 'loaded'\n"
            "sys.exit(code)\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60
        )
        assert (ended.returncode, ended.stdout) == (0, "answers saved: 16\n"), ended.stderr
        assert "leaving after this batch; once more to leave at once" in ended.stderr
        with PreferenceStore.existing(asked.store) as store:
            assert (store.counts().held, store.labels()) == (0, 16)

    @pytest.mark.parametrize(
        "arguments, message",
        [
            (["--by", "first"], "a labeler is named module:function, got 'first'"),
            (["--by", "test_labelers:Stubborn"], "labeler 'first' answered 'left'; return"),
            (["--by", "test_labelers:First", "--name", "ann"], "--name, --question and --repeat are for a person"),
            (["--by", "test_labelers:First", "--repeat", "0.5"], "--name, --question and --repeat are for a person"),
        ],
    )
    def test_bad_input_is_one_clear_line(self, asked, capsys, arguments, message):
        assert message in refused(capsys, "label", str(asked.path), *arguments)
        with PreferenceStore.existing(asked.store) as store:
            assert (store.counts().held, store.labels()) == (0, 0)
