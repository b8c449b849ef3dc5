"""Comparisons to Parquet and back."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasets import load_dataset
from pyarrow import parquet
from stores import Clock

from prefrl import exchange
from prefrl.exchange import export_answers, export_preferences, import_answers
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Query, Remarks
from prefrl.segments import Segment
from prefrl.store import PreferenceStore
from prefrl.testing import random_queries, random_segments


@pytest.fixture
def clock():
    """A second later each time."""
    return Clock(tick=1.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request, tmp_path):
    sqlite = request.param == "sqlite"
    location = tmp_path / "other.sqlite3" if sqlite else request.getfixturevalue("postgresql_database")
    with PreferenceStore(location) as store:
        yield store


@pytest.fixture
def file(tmp_path):
    return tmp_path / "answers.parquet"


@pytest.fixture
def filled(store, rng):
    """Every kind of answer; the queries are answered in another order than asked."""
    queries = random_queries(6, rng)
    store.ask(queries, answers_wanted=2)
    for number, answer in [(3, LEFT), (0, RIGHT), (1, TIE), (2, INCOMPARABLE)]:
        store.answer(queries[number].id, "ann", answer, 2.5, swapped=number % 2 == 0)
    store.answer(queries[3].id, "bob", RIGHT)
    store.withdraw(queries[0].id, "ann")
    store.answer(queries[0].id, "ann", LEFT, 1.0)
    store.answer(queries[3].id, "ann", LEFT, 1.0, swapped=True, repeat=True)
    store.withdraw(queries[3].id, "ann", repeat=True)
    return store


def told(comparisons):
    return [(c.query.id, c.answer, c.labeler) for c in comparisons]


class TestAnswers:
    def test_come_back_whole(self, filled, other, file):
        assert export_answers(filled, file) == 7
        assert import_answers(other, file) == 7
        assert other.records() == filled.records()
        assert told(other.answered()) == told(filled.answered())
        assert other.counts().labels == filled.counts().labels

    def test_of_rankings_come_back_with_what_was_shown_and_remarked(self, filled, other, file, rng):
        ranking = Query(tuple(random_segments(4, rng)), step=9)
        filled.ask([ranking])
        remarks = Remarks(strength=2.0, rating=(1.0, 5.0, 2.5, 3.0), note="the last one limps", flag=True)
        filled.answer(ranking.id, "judge", Answer((2, 0, 1, 1)), shown=(3, 0, 2, 1), kind="model", remarks=remarks)
        export_answers(filled, file)
        assert import_answers(other, file) == 8
        assert other.records() == filled.records()
        (judged,) = [record for record in other.records() if record.labeler == "judge"]
        assert (judged.kind, judged.shown, judged.remarks) == ("model", (3, 0, 2, 1), remarks)

    def test_come_back_once(self, filled, other, file):
        export_answers(filled, file)
        import_answers(other, file)
        for store in (other, filled):
            before = store.records(), store.counts()
            assert import_answers(store, file) == 0
            assert (store.records(), store.counts()) == before

    def test_what_was_withdrawn_since_stays_withdrawn(self, filled, file):
        export_answers(filled, file)
        comparison = filled.answered()[0]
        filled.withdraw(comparison.query.id, comparison.labeler)
        assert import_answers(filled, file) == 0
        assert told([comparison])[0] not in told(filled.answered())

    def test_what_was_withdrawn_elsewhere_since_is_withdrawn_here(self, filled, other, file):
        export_answers(filled, file)
        import_answers(other, file)
        before, revision = filled.counts().labels, other.revision()
        first, second, *_ = filled.answered()
        filled.withdraw(first.query.id, first.labeler)
        filled.answer(first.query.id, first.labeler, RIGHT)
        filled.withdraw(second.query.id, second.labeler)
        export_answers(filled, file)
        assert import_answers(other, file) == 3
        assert other.records() == filled.records()
        assert told(other.answered()) == told(filled.answered())
        assert (other.counts().labels, other.counts().open) == (before - 1, 0)
        assert other.revision() > revision
        assert import_answers(other, file) == 0

    def test_close_the_queries_that_they_answer(self, filled, other, file, rng):
        queries = [filled.query(query_id) for query_id in filled.asked()]
        other.ask(queries)
        export_answers(filled, file)
        import_answers(other, file)
        assert other.claim("cid").id == queries[4].id

    def test_withdrawn_open_nothing(self, filled, other, file):
        compared = filled.answered()[1]
        filled.withdraw(compared.query.id, compared.labeler)
        export_answers(filled, file)
        import_answers(other, file)
        asked = other.counts()
        assert (asked.asked, asked.open, asked.held, asked.labels, asked.expired) == (4, 0, 0, 2, 1)
        assert other.claim("cid") is None

    def test_withdrawn_leave_open_what_this_store_asked(self, filled, other, file):
        compared = filled.answered()[1]
        filled.withdraw(compared.query.id, compared.labeler)
        other.ask([compared.query])
        export_answers(filled, file)
        import_answers(other, file)
        assert other.claim("cid").id == compared.query.id

    def test_withdrawn_here_open_their_query_again(self, filled, other, file):
        export_answers(filled, file)
        import_answers(other, file)
        compared = other.answered()[1]
        other.withdraw(compared.query.id, compared.labeler, lease_s=0.0)
        assert other.claim("cid").id == compared.query.id

    @pytest.mark.parametrize("at_once", [100, 1])
    def test_are_all_refused_where_the_labeler_said_otherwise(self, filled, other, file, monkeypatch, at_once):
        monkeypatch.setattr(exchange, "AT_ONCE", at_once)
        first = filled.answered()[1]
        other.ask([first.query])
        other.answer(first.query.id, first.labeler, LEFT)
        export_answers(filled, file)
        with pytest.raises(ValueError, match=f"{first.labeler} answered query .* before"):
            import_answers(other, file)
        assert len(other.records()) == 1

    def test_are_written_a_few_at_a_time(self, filled, other, file, monkeypatch):
        monkeypatch.setattr(exchange, "AT_ONCE", 2)
        assert export_answers(filled, file) == import_answers(other, file) == 7
        assert other.records() == filled.records()

    @pytest.mark.parametrize(
        "obs",
        [
            {"obs": np.arange(24, dtype=np.uint8).reshape(2, 3, 4)},
            {"obs": np.zeros((2, 0), np.float32)},
            {"obs": np.array([[0.1, np.nan], [-np.inf, 1e-300]])},
            {"image": np.ones((2, 2, 2), np.uint8), "state": np.zeros((2, 1), np.float16)},
        ],
        ids=["image", "nothing", "nan", "dict"],
    )
    def test_arrays_of_any_kind_are_exact(self, store, other, file, obs):
        one = Segment("test/Any-v0", obs, np.array([1, 0]), np.zeros(2))
        store.ask([Query((one, one), step=7, nonce=3)])
        store.answer(store.claim("ann").id, "ann", TIE)
        export_answers(store, file)
        import_answers(other, file)
        (comparison,) = other.answered()
        assert (comparison.query.step, comparison.query.nonce) == (7, 3)
        for name, array in comparison.query.segments[0].arrays().items():
            assert array.dtype == one.arrays()[name].dtype
            np.testing.assert_array_equal(array, one.arrays()[name])

    def test_of_dict_observations_written_when_a_lone_array_was_no_dict(self, other):
        """Of a lone array such a file is the one of version 1."""
        assert import_answers(other, Path(__file__).parent / "data" / "answers_dict_observations.parquet") == 2
        first, second = (comparison.query for comparison in other.answered())
        assert (first.id, second.id) == ("fb25dfd37278a227b040a9848d9be804", "25ea443f8858fbfd421450af41fe53b3")
        assert [segment.obs.keys() for segment in second.segments] == [{"position", "velocity"}] * 3

    def test_of_an_empty_store(self, store, other, file):
        assert export_answers(store, file) == import_answers(other, file) == 0


def a_pair(
    env_id="test/Any-v0", obs_shape=(4,), obs_type=np.float32, action_type=np.float32, steps=3, key="obs", **more
):
    obs = np.zeros((steps, *obs_shape), obs_type)
    actions = np.zeros(steps, action_type)
    segment = Segment(env_id, {key: obs}, actions, np.zeros(steps, np.float32), **more)
    return Query((segment, segment), step=0)


def ask_and_answer(store, *queries):
    store.ask(queries)
    for query in queries:
        store.answer(query.id, "ann", LEFT)


class TestSegmentsThatCannotBeTrainedOnTogether:
    @pytest.mark.parametrize(
        "strange, said",
        [
            ({"env_id": "test/Other-v0"}, "test/Other-v0 (3 steps; observations float32[4], actions float32)"),
            ({"steps": 5}, "test/Any-v0 (5 steps; observations float32[4], actions float32)"),
            ({"obs_shape": (2, 4)}, "test/Any-v0 (3 steps; observations float32[2, 4], actions float32)"),
            ({"obs_type": np.uint8}, "test/Any-v0 (3 steps; observations uint8[4], actions float32)"),
            ({"action_type": np.int64}, "test/Any-v0 (3 steps; observations float32[4], actions int64)"),
            ({"key": "state"}, "test/Any-v0 (3 steps; observations.state float32[4], actions float32)"),
        ],
    )
    def test_are_refused_and_nothing_is_added(self, store, other, file, strange, said):
        ask_and_answer(store, a_pair(**strange))
        other.ask([a_pair()])
        export_answers(store, file)
        with pytest.raises(ValueError, match=f"^cannot import {file}: segments of ") as refusal:
            import_answers(other, file)
        here = "test/Any-v0 (3 steps; observations float32[4], actions float32)"
        assert f"{said} cannot be trained on together with those of {here}" in str(refusal.value)
        assert (len(other.asked()), other.records()) == (1, [])

    def test_are_refused_in_one_file(self, store, other, file):
        ask_and_answer(store, a_pair(), a_pair(steps=5))
        export_answers(store, file)
        with pytest.raises(ValueError, match=r"segments of test/Any-v0 \(5 steps; .* those of test/Any-v0 \(3 steps"):
            import_answers(other, file)
        assert other.asked() == []

    def test_are_not_those_that_are_drawn_or_compared_by_the_oracle_in_other_ways(self, store, other, file):
        screens = np.zeros((3, 7), np.uint8)
        ask_and_answer(store, a_pair(render_states=screens, oracle_rewards=np.ones(3, np.float32)))
        other.ask([a_pair(render_states=screens[:, :5])])
        export_answers(store, file)
        assert import_answers(other, file) == 1


class TestBadFiles:
    def refused(self, store, file):
        before = store.counts()
        with pytest.raises(ValueError, match=f"^(cannot read |no file ){file}") as refusal:
            import_answers(store, file)
        assert "\n" not in str(refusal.value)
        assert store.counts() == before
        return str(refusal.value)

    def test_none(self, store, file):
        assert self.refused(store, file) == f"no file {file}"

    @pytest.mark.parametrize("content", [b"", b"PAR1", b"not Parquet at all" * 100])
    def test_no_parquet(self, store, file, content):
        file.write_bytes(content)
        self.refused(store, file)

    def test_a_part_of_one(self, filled, other, file):
        export_answers(filled, file)
        file.write_bytes(file.read_bytes()[:-100])
        self.refused(other, file)

    def test_damaged_in_the_middle(self, filled, other, file):
        export_answers(filled, file)
        content = bytearray(file.read_bytes())
        for place in range(200, 1200):
            content[place] ^= 0x55
        file.write_bytes(content)
        self.refused(other, file)

    def test_another_form(self, filled, file):
        export_preferences(filled, file)
        assert "not of the form that exported answers have" in self.refused(filled, file)

    @pytest.mark.parametrize(
        "column, value, message",
        [
            ("step", 99, "row 2 is damaged: its segments are not those of query"),
            ("segments", [], "row 2 is damaged: a query compares at least 2 segments"),
            ("segments", None, "row 2 is damaged"),
            ("ranks", [0, 1, 2], "[0, 1, 2] are no ranks of 2 segments"),
            ("ranks", [0, -1], "are no ranks"),
            ("ranks", [0, None], "row 2 is damaged"),
            ("labeler", "", "it has no labeler"),
            ("labeler", None, "it has no labeler"),
            ("repeat", None, "it has no repeat"),
            ("answered_at", None, "it has no answered_at"),
        ],
    )
    def test_a_row_that_cannot_be(self, filled, other, file, column, value, message):
        export_answers(filled, file)
        table = parquet.read_table(file)
        rows = table.to_pylist()
        rows[1][column] = value
        parquet.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
        assert message in self.refused(other, file)

    def test_a_column_is_missing(self, filled, other, file):
        export_answers(filled, file)
        parquet.write_table(parquet.read_table(file).drop_columns(["nonce"]), file)
        assert "nonce" in self.refused(other, file)


class TestPreferences:
    def test_are_lists_of_numbers(self, store, file):
        segments = [
            Segment("test/Any-v0", {"obs": np.full((2, 3), i, np.float32)}, np.array([i, i]), np.zeros(2))
            for i in range(2)
        ]
        store.ask([Query(tuple(segments), step=0)])
        query = store.claim("ann")
        store.answer(query.id, "ann", RIGHT, swapped=True)
        assert export_preferences(store, file) == 1
        assert parquet.read_table(file).to_pylist() == [
            {
                "env_id": "test/Any-v0",
                "labeler": "ann",
                "query_id": query.id,
                "chosen": {"observations": [[1.0] * 3] * 2, "actions": [1, 1]},
                "rejected": {"observations": [[0.0] * 3] * 2, "actions": [0, 0]},
            }
        ]

    def test_leave_out_what_prefers_nothing(self, filled, file):
        assert export_preferences(filled, file) == 3
        rows = parquet.read_table(file).to_pylist()
        assert [row["labeler"] for row in rows] == ["ann", "ann", "bob"]
        assert rows[1]["chosen"] == rows[2]["rejected"]

    def test_of_segments_of_different_lengths(self, store, file, rng):
        queries = [*random_queries(2, rng, length=3), *random_queries(2, rng, length=5)]
        store.ask(queries)
        for query in queries:
            store.answer(query.id, "ann", LEFT)
        export_preferences(store, file)
        for row, query in zip(parquet.read_table(file).to_pylist(), queries, strict=True):
            np.testing.assert_array_equal(np.float32(row["chosen"]["observations"]), query.segments[0].obs["obs"])
            np.testing.assert_array_equal(np.float32(row["rejected"]["actions"]), query.segments[1].actions)

    def test_of_a_dict_space_and_images(self, store, file):
        obs = {"image": np.arange(16, dtype=np.uint8).reshape(2, 2, 2, 2), "state": np.ones((2, 1))}
        one = Segment("test/Any-v0", obs, np.zeros((2, 1)), np.zeros(2))
        store.ask([Query((one, one), step=0)])
        store.answer(store.claim("ann").id, "ann", LEFT)
        export_preferences(store, file)
        (row,) = parquet.read_table(file).to_pylist()
        assert row["chosen"]["observations.image"] == obs["image"].tolist()
        assert row["chosen"]["observations.state"] == [[1.0], [1.0]]

    def test_of_a_ranking_are_its_pairs(self, store, file, rng):
        segments = [segment for query in random_queries(2, rng) for segment in query.segments]
        store.ask([Query(tuple(segments), step=0)])
        store.answer(store.claim("ann").id, "ann", Answer((1, 0, 2, 1)))
        assert export_preferences(store, file) == 5

    def test_of_two_environments_are_refused(self, store, file, rng):
        other = Segment("test/Other-v0", {"obs": np.zeros((2, 4))}, np.zeros((2, 2)), np.zeros(2))
        queries = [*random_queries(1, rng), Query((other, other), step=0)]
        store.ask(queries)
        for query in queries:
            store.answer(query.id, "ann", LEFT)
        with pytest.raises(ValueError, match="a file has one environment; this store has test/Random-v0, test/Other"):
            export_preferences(store, file)
        assert not list(file.parent.glob("answers*"))

    def test_of_nothing_are_refused(self, store, file):
        with pytest.raises(ValueError, match="no answer in this store prefers"):
            export_preferences(store, file)

    def test_are_what_hugging_face_reads(self, filled, file):
        export_preferences(filled, file)
        rows = load_dataset("parquet", data_files=str(file), cache_dir=str(file.parent / "cache"))["train"]
        assert set(rows.column_names) == {"env_id", "labeler", "query_id", "chosen", "rejected"}
        assert np.shape(rows[0]["chosen"]["observations"]) == (10, 4)


@pytest.mark.parametrize("export", [export_answers, export_preferences])
def test_only_parquet_is_written(filled, tmp_path, export):
    with pytest.raises(ValueError, match=r"a name that ends in \.parquet"):
        export(filled, tmp_path / "answers.csv")
    assert not (tmp_path / "answers.csv").exists()


@pytest.mark.parametrize("export", [export_answers, export_preferences])
def test_where_nothing_can_be_written(filled, tmp_path, export):
    taken, missing = tmp_path / "taken.parquet", tmp_path / "missing" / "answers.parquet"
    taken.mkdir()
    for path, why in [(taken, ""), (missing, f"there is no folder {missing.parent}")]:
        with pytest.raises(ValueError, match=f"^cannot write {path}: {why}") as refusal:
            export(filled, path)
        assert ".part" not in str(refusal.value)
    assert not list(tmp_path.glob("*.part"))


def test_without_pyarrow(filled, file, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ValueError, match=r"pip install 'prefrl\[parquet\]'"):
        export_answers(filled, file)
