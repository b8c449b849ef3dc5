"""`prefrl answers`: what a person reads of a store."""

import pytest

from prefrl.cli import main
from prefrl.config import QueryConfig, RlhfConfig
from prefrl.labelers.base import work
from prefrl.queries import LEFT, RIGHT, TIE
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore
from prefrl.testing import random_queries


@pytest.fixture
def run(tmp_path, rng, oracle):
    """A folder with ten queries answered by the oracle, six of them by ann, too."""
    with PreferenceStore(RunFolder(tmp_path).store) as store:
        queries = random_queries(10, rng)
        store.ask(queries)
        work(store, oracle)
        for number, query in enumerate(queries[:6]):
            answer = TIE if number == 5 else oracle.label(query)
            store.answer(query.id, "ann", answer, seconds=2.0 + number, swapped=answer == RIGHT)
        store.answer(queries[0].id, "ann", LEFT, repeat=True)
        store.answer(queries[1].id, "ann", oracle.label(queries[1]), repeat=True)
    return tmp_path


def read(capsys, *arguments):
    assert main(["answers", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments):
    assert main(["answers", *map(str, arguments)]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return said


def test_a_row_a_labeler(run, capsys):
    lines = read(capsys, run).splitlines()
    assert lines[0] == "10 queries: 10 compared, 0 skipped, 0 open, 0 in hand, 0 outdated"
    assert "6 of them compared by several of 2 labelers: Cohen's kappa 0." in lines[1]
    assert "Krippendorff's alpha 0." in lines[1]
    rows = {line.split()[0]: line for line in lines[3:] if line}
    assert rows["ann"].split()[1:3] == ["6", "1.00"]
    assert "(0.57-1.00)" in rows["ann"]
    assert " 4.5 " in rows["ann"]
    assert " 2 " in rows["ann"]
    assert rows["oracle"].split()[1] == "10"
    assert " - " in rows["oracle"]
    assert rows["all"].split()[1] == "16"
    assert max(map(len, lines)) < 120


def test_a_file_or_a_url_is_as_good(run, capsys):
    said = read(capsys, run)
    assert read(capsys, RunFolder(run).store) == said
    assert read(capsys, f"sqlite:///{RunFolder(run).store}") == said


def test_a_name_is_shown_as_it_is(run, capsys):
    with PreferenceStore.existing(RunFolder(run).store) as store:
        store.answer(store.answered()[7].query.id, "[red]bob", TIE)
    assert "[red]bob" in read(capsys, run)


def test_nothing_answered_yet(tmp_path, rng, capsys):
    with PreferenceStore(RunFolder(tmp_path).store) as store:
        store.ask(random_queries(3, rng))
    assert read(capsys, tmp_path) == "3 queries: 0 compared, 0 skipped, 3 open, 0 in hand, 0 outdated\n"


def test_a_withdrawn_answer_no_longer_counts(run, capsys):
    with PreferenceStore.existing(RunFolder(run).store) as store:
        query_id = store.answered()[0].query.id
    assert "withdrawn: ann's answer" in read(capsys, run, "--withdraw", query_id, "--labeler", "ann")
    with PreferenceStore.existing(RunFolder(run).store) as store:
        assert [c.labeler for c in store.answered() if c.query.id == query_id] == ["oracle"]
    assert "ann has no answer" in refused(capsys, run, "--withdraw", query_id, "--labeler", "ann")


def test_bad_input_is_one_clear_line(run, capsys, tmp_path):
    assert "go together" in refused(capsys, run, "--withdraw", "123")
    assert "bob has no answer to query 123" in refused(capsys, run, "--withdraw", "123", "--labeler", "bob")
    assert "no store at nowhere" in refused(capsys, "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no store at" in refused(capsys, tmp_path / "empty")


def test_answers_go_to_another_store_and_come_back(run, capsys, tmp_path):
    file, other = tmp_path / "answers.parquet", tmp_path / "other.sqlite3"
    file.write_bytes(b"")
    assert f"cannot read {file}" in refused(capsys, other, "--import", file)
    assert not other.exists()
    assert read(capsys, run, "--export", file) == f"18 answers in {file}\n"
    for changed in (18, 0):
        said = read(capsys, other, "--import", file)
        assert said == f"{changed} answers that were not there yet or have been withdrawn since, from {file}\n"
    assert read(capsys, other) == read(capsys, run)
    preferences = tmp_path / "preferences.parquet"
    assert read(capsys, run, "--export-preferences", preferences) == f"15 preferences in {preferences}\n"
    assert f"cannot read {preferences}: it is not of the form" in refused(capsys, run, "--import", preferences)
    assert "ends in .parquet" in refused(capsys, run, "--export", tmp_path / "answers.csv")


@pytest.mark.parametrize("env_id, clip_steps", [("prefrl/PointGoal-v0", 10), ("test/Random-v0", 25)])
def test_a_run_takes_no_answers_that_it_could_not_train_on(run, capsys, tmp_path, env_id, clip_steps):
    file, other = tmp_path / "answers.parquet", RunFolder(tmp_path / "other")
    read(capsys, run, "--export", file)
    config = RlhfConfig(env_id=env_id, labels=10, steps=100_000, seed=0, query=QueryConfig(clip_steps=clip_steps))
    other.create(config)
    for where in (other.path, other.store):
        assert refused(capsys, where, "--import", file) == (
            f"prefrl answers: cannot import {file}: its clips are 10 steps of test/Random-v0, "
            f"those of the run in {other.path} {clip_steps} steps of {env_id}"
        )
    assert not other.store.exists()


def test_a_run_takes_the_answers_of_another_one(run, capsys, tmp_path):
    file, other = tmp_path / "answers.parquet", RunFolder(tmp_path / "other")
    read(capsys, run, "--export", file)
    other.create(
        RlhfConfig(env_id="test/Random-v0", labels=10, steps=100_000, seed=0, query=QueryConfig(clip_steps=10))
    )
    assert read(capsys, other.path, "--import", file).startswith("18 answers")
