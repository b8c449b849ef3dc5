"""`prefrl answers`: what a person reads of a store."""

import re

import pytest
from stores import a_query

from prefrl.cli import main
from prefrl.config import RlhfConfig
from prefrl.labelers.worker import work
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Query, Remarks
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
        right = oracle.label(queries[:6])
        for number, query in enumerate(queries[:6]):
            answer = TIE if number == 5 else right[number]
            store.answer(query.id, "ann", answer, seconds=2.0 + number, swapped=answer == RIGHT)
        store.answer(queries[0].id, "ann", LEFT, repeat=True)
        store.answer(queries[1].id, "ann", right[1], repeat=True)
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


class TestList:
    """The latest answer is ann's repeat of query 1, the one before it her repeat of query 0."""

    def rows(self, capsys, *arguments):
        head, *rows = read(capsys, *arguments, "--list").split("\n\n")[0].splitlines()
        assert head.split() == ["when", "labeler", "answer", "seconds", "query"]
        return rows

    def test_has_a_row_an_answer_the_latest_first(self, run, capsys):
        with PreferenceStore.existing(RunFolder(run).store) as store:
            queries, records = store.asked(), store.records()
        rows = self.rows(capsys, run)
        assert len(rows) == len(records) == 18
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d +ann .* - +{queries[1][:8]} +repeat *", rows[0])
        assert re.search(rf"ann +tie +7\.0 +{queries[5][:8]} *$", rows[2])
        assert "oracle" in rows[-1]
        said = [row.split()[3] for row in rows if "ann" in row]
        assert {"left", "tie"} == set(said[2:])  # she always saw what she chose on the left

    def test_has_the_flag_and_the_note_of_an_answer(self, run, capsys):
        with PreferenceStore.existing(RunFolder(run).store) as store:
            query = Query(a_query(7).segments, 900)
            store.ask([query])
            store.answer(query.id, "ann", LEFT, remarks=Remarks(note="its leg\nis gone", flag=True))
        assert self.rows(capsys, run)[0].rstrip().endswith('flagged, "its leg is gone"')

    def test_says_how_many_more_there_are(self, run, capsys):
        assert len(self.rows(capsys, run, "--last", "5")) == 5
        assert "13 older answers are not shown; --last 18 shows all" in read(capsys, run, "--list", "--last", "5")
        assert "older" not in read(capsys, run, "--list")
        assert "last must be at least 1" in refused(capsys, run, "--list", "--last", "0")

    def test_says_what_can_be_withdrawn(self, run, capsys):
        first, repeated = (row.split() for row in (self.rows(capsys, run)[7], self.rows(capsys, run)[1]))
        assert (first[5], repeated[6]) == (repeated[5], "repeat")
        for repeat in (["--repeat"], []):
            assert "withdrawn: ann's" in read(capsys, run, "--withdraw", first[5], "--labeler", "ann", *repeat)
        rows = self.rows(capsys, run)
        assert rows[1].endswith("repeat, withdrawn")
        assert rows[7].rstrip().endswith(f"{first[5]}  withdrawn")

    def test_of_a_ranking_and_of_what_was_skipped(self, tmp_path, capsys):
        with PreferenceStore(RunFolder(tmp_path).store) as store:
            store.ask([a_query(1, size=3), a_query(2)])
            store.answer(a_query(1, size=3).id, "ann", Answer((2, 0, 1)))
            store.answer(a_query(2).id, "ann", INCOMPARABLE)
        skipped, ranked = self.rows(capsys, tmp_path)
        assert "ann      skipped" in skipped
        assert "ann      ranks 2, 0, 1" in ranked


def test_a_repeat_is_withdrawn_on_its_own(run, capsys):
    with PreferenceStore.existing(RunFolder(run).store) as store:
        query_id = store.asked()[0]
    said = read(capsys, run, "--withdraw", query_id[:8], "--labeler", "ann", "--repeat")
    assert said == f"withdrawn: ann's repeated answer to query {query_id}\n"
    with PreferenceStore.existing(RunFolder(run).store) as store:
        assert [r.repeat for r in store.records() if r.withdrawn_at is not None] == [True]
        assert "ann" in [c.labeler for c in store.answered() if c.query.id == query_id]


def test_the_beginning_of_an_id_must_be_that_of_one_query(run, capsys):
    with PreferenceStore.existing(RunFolder(run).store) as store:
        queries = store.asked()
    assert "10 queries have an id that begins with ''" in refused(capsys, run, "--withdraw", "", "--labeler", "ann")
    assert "no query has an id that begins with 'xyz'" in refused(capsys, run, "--withdraw", "xyz", "--labeler", "ann")
    said = refused(capsys, run, "--withdraw", queries[0][:8], "--labeler", "bob")
    assert f"bob has no answer to query {queries[0]}" in said


def test_bad_input_is_one_clear_line(run, capsys, tmp_path):
    assert "go together" in refused(capsys, run, "--withdraw", "123")
    assert "go together" in refused(capsys, run, "--repeat")
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
    config = RlhfConfig(env_id=env_id, labels=10, steps=100_000, seed=0, clip_steps=clip_steps)
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
    other.create(RlhfConfig(env_id="test/Random-v0", labels=10, steps=100_000, seed=0, clip_steps=10))
    assert read(capsys, other.path, "--import", file).startswith("18 answers")
