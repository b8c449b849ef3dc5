"""Answers: given, given twice, withdrawn and repeated, on every engine."""

from dataclasses import replace

import pytest
from stores import Always, a_query, counts, ids

from prefrl.labelers.worker import work
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Past, Record, Remarks
from prefrl.store import PreferenceStore


@pytest.fixture
def store(location, clock):
    """On every engine, not in a file alone."""
    with PreferenceStore(location, clock=clock) as opened:
        yield opened


class TestAnswering:
    @pytest.mark.parametrize("answer", [LEFT, RIGHT, TIE, INCOMPARABLE])
    def test_an_answer_survives(self, store, answer):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", answer, seconds=3.5)
        (comparison,) = store.answered()
        assert (comparison.query.id, comparison.answer, comparison.labeler) == (a_query(1).id, answer, "ann")

    def test_a_ranking_survives(self, store):
        store.ask([a_query(1, size=4)])
        store.answer(a_query(1, size=4).id, "ann", Answer((2, 0, 1, 1)))
        assert store.answered()[0].answer.ranks == (2, 0, 1, 1)

    def test_when_and_how_long_are_kept(self, store, clock):
        store.ask([a_query(1)])
        clock.now = 2000.0
        store.answer(a_query(1).id, "ann", LEFT, seconds=3.5)
        store.answer(a_query(1).id, "bob", INCOMPARABLE, swapped=True)
        one = Record(a_query(1).id, 0, "ann", LEFT, False, False, 3.5, 2000.0, None, shown=(0, 1))
        other = replace(one, labeler="bob", answer=INCOMPARABLE, swapped=True, shown=(1, 0), seconds=None)
        assert store.records() == [one, other]

    def test_the_order_shown_is_kept_beside_whether_it_was_reversed(self, store):
        store.ask([a_query(number, size=3) for number in range(3)])
        for number, options in enumerate([{}, {"swapped": True}, {"shown": (1, 2, 0)}]):
            store.answer(a_query(number, size=3).id, "ann", Answer((0, 1, 2)), **options)
        found = [(record.shown, record.swapped) for record in store.records()]
        assert found == [((0, 1, 2), False), ((2, 1, 0), True), ((1, 2, 0), False)]

    @pytest.mark.parametrize("shown", [(0,), (0, 0), (1, 2)])
    def test_each_segment_is_shown_once(self, store, shown):
        store.ask([a_query(1)])
        with pytest.raises(ValueError, match="each of the 2 segments is shown once"):
            store.answer(a_query(1).id, "ann", LEFT, shown=shown)
        assert not store.records()

    def test_a_labeler_has_the_kind_that_it_came_with(self, store):
        store.ask([a_query(number) for number in range(4)])
        for number, (name, kind) in enumerate([("oracle", None), ("ann", None), ("judge", "model"), ("judge", None)]):
            store.answer(a_query(number).id, name, LEFT, kind=kind)
        assert [record.kind for record in store.records()] == ["oracle", "person", "model", "model"]

    def test_kinds_of_labelers_are_three(self, store):
        store.ask([a_query(1)])
        with pytest.raises(ValueError, match="unknown kind of labeler 'persn'. Did you mean 'person'"):
            store.answer(a_query(1).id, "ann", LEFT, kind="persn")

    def test_remarks_are_kept(self, store):
        store.ask([a_query(1)])
        remarks = Remarks(strength=2.0, rating=(3.0, 1.5), note="both limp", flag=True)
        store.answer(a_query(1).id, "ann", LEFT, remarks=remarks)
        assert store.records()[0].remarks == remarks

    def test_ratings_are_one_a_segment(self, store):
        store.ask([a_query(1)])
        with pytest.raises(ValueError, match="has 2 segments, got ratings"):
            store.answer(a_query(1).id, "ann", LEFT, remarks=Remarks(rating=(3.0,)))

    def test_answers_without_segments_are_the_same_answers(self, store):
        store.ask([a_query(number, size=2 + number) for number in range(3)])
        for number, ranks in ((2, (0, 1, 1, 2)), (0, (1, 0)), (1, None)):
            store.answer(a_query(number, size=2 + number).id, "ann", Answer(ranks))
        assert store.answered_queries() == [comparison.without_segments() for comparison in store.answered()]

    def test_answers_in_parts_are_all_answers_in_order(self, store, monkeypatch):
        monkeypatch.setattr("prefrl.store.contents.READ_AT_ONCE", 2)
        store.ask([a_query(number) for number in range(5)])
        for number in (3, 0, 4, 1, 2):
            store.answer(a_query(number).id, "ann", LEFT)
        parts = list(store.answered_in_parts(known={a_query(1).id}))
        assert [len(part) for part in parts] == [2, 2]
        assert [name for part in parts for name in ids(part)] == [a_query(number).id for number in (0, 2, 3, 4)]

    def test_the_same_answer_again_changes_nothing(self, store):
        store.ask([a_query(1)])
        for _ in range(2):
            store.answer(a_query(1).id, "ann", LEFT)
        assert store.counts().labels == 1

    @pytest.mark.parametrize("before, after", [(LEFT, RIGHT), (LEFT, INCOMPARABLE), (INCOMPARABLE, TIE)])
    def test_another_answer_is_refused_and_the_first_stays(self, store, before, after):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", before)
        with pytest.raises(ValueError, match="ann answered query"):
            store.answer(a_query(1).id, "ann", after)
        assert [comparison.answer for comparison in store.answered()] == [before]

    def test_who_is_late_adds_a_comparison(self, store, clock):
        store.ask([a_query(1)])
        store.claim("ann")
        clock.now += 1000
        store.answer(store.claim("bob").id, "bob", LEFT)
        store.answer(a_query(1).id, "ann", RIGHT)
        assert [(each.labeler, each.answer) for each in store.answered()] == [("bob", LEFT), ("ann", RIGHT)]

    @pytest.mark.parametrize("size, answer", [(2, Answer((0, 1, 2))), (3, LEFT)])
    def test_ranks_must_be_one_a_segment(self, store, size, answer):
        store.ask([a_query(1, size=size)])
        with pytest.raises(ValueError, match=f"has {size} segments"):
            store.answer(a_query(1, size=size).id, "ann", answer)
        assert store.counts().open == 1

    def test_a_query_that_was_never_asked(self, store):
        with pytest.raises(ValueError, match="no query 123"):
            store.answer("123", "ann", LEFT)


class TestTwoAnswers:
    def test_are_from_two_labelers(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        assert store.claim("ann").id == store.claim("bob").id == a_query(1).id
        assert store.claim("cid") is None
        store.answer(a_query(1).id, "ann", LEFT)
        assert store.claim("ann") is None
        assert store.claim("cid") is None
        store.release("bob")
        assert store.claim("cid").id == a_query(1).id

    def test_close_a_query_together_and_are_one_label(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.answer(a_query(1).id, "ann", INCOMPARABLE)
        assert store.counts() == counts(asked=1, open=1, skipped=1)
        store.answer(a_query(1).id, "bob", LEFT)
        assert store.counts() == counts(asked=1, labels=1)
        assert store.claim("cid") is None
        assert [each.labeler for each in store.answered()] == ["ann", "bob"]
        assert store.labels() == store.owed(Past(1, 1)) == 1

    def test_the_first_one_counts_at_once(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.answer(a_query(1).id, "ann", LEFT)
        assert (len(store.answered()), store.labels()) == (1, 1)

    def test_are_wanted_of_some(self, store):
        store.ask([a_query(1), a_query(2)], answers_wanted=lambda query: 2 if query.id == a_query(2).id else 1)
        for labeler in ("ann", "bob"):
            work(store, Always(LEFT, labeler))
        assert [(each.query.id, each.labeler) for each in store.answered()] == [
            (a_query(1).id, "ann"), (a_query(2).id, "ann"), (a_query(2).id, "bob")
        ]  # fmt: skip


class TestWithdrawing:
    def test_a_withdrawn_answer_no_longer_counts_and_stays(self, store, clock):
        store.ask([a_query(1), a_query(2)])
        store.answer(a_query(1).id, "ann", LEFT)
        store.answer(a_query(2).id, "ann", LEFT)
        clock.now = 2000.0
        store.withdraw(a_query(1).id, "ann")
        assert ids(store.answered()) == [a_query(2).id]
        assert store.counts() == counts(asked=2, held=1, labels=1)
        assert [(row.answer, row.answered_at, row.withdrawn_at) for row in store.records()] == [
            (LEFT, 1000.0, 2000.0), (LEFT, 1000.0, None)
        ]  # fmt: skip

    def test_who_withdrew_holds_the_query_and_answers_anew(self, store):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        store.withdraw(a_query(1).id, "ann")
        assert store.claim("bob") is None
        store.answer(a_query(1).id, "ann", RIGHT)
        assert [each.answer for each in store.answered()] == [RIGHT]
        assert [row.answer for row in store.records()] == [LEFT, RIGHT]
        assert store.claim("bob") is None

    def test_what_is_withdrawn_and_not_answered_goes_to_another(self, store, clock):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        store.withdraw(a_query(1).id, "ann", lease_s=60.0)
        clock.now += 60
        assert store.claim("bob").id == a_query(1).id

    def test_a_query_that_others_answered_stays_closed(self, store):
        store.ask([a_query(1)])
        for labeler in ("ann", "bob"):
            store.answer(a_query(1).id, labeler, LEFT)
        store.withdraw(a_query(1).id, "ann")
        assert store.counts() == counts(asked=1, labels=1)
        assert store.claim("cid") is None

    def test_again_and_again(self, store):
        store.ask([a_query(1)])
        for answer in (LEFT, RIGHT, TIE):
            store.answer(a_query(1).id, "ann", answer)
            store.withdraw(a_query(1).id, "ann")
        assert [row.answer for row in store.records() if row.withdrawn_at is not None] == [LEFT, RIGHT, TIE]

    @pytest.mark.parametrize("query_id, labeler", [("123", "ann"), (None, "bob")])
    def test_there_must_be_something_to_withdraw(self, store, query_id, labeler):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        with pytest.raises(ValueError, match=f"{labeler} has no answer to query .* that could be withdrawn"):
            store.withdraw(query_id or a_query(1).id, labeler)
        store.withdraw(a_query(1).id, "ann")
        with pytest.raises(ValueError, match="ann has no answer"):
            store.withdraw(a_query(1).id, "ann")


class TestRepeats:
    def test_are_records_but_no_labels(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.answer(a_query(1).id, "ann", LEFT, 2.0)
        store.answer(a_query(1).id, "ann", RIGHT, 3.0, swapped=True, repeat=True)
        assert [each.answer for each in store.answered()] == [LEFT]
        assert store.counts() == counts(asked=1, open=1, labels=1)
        assert [(row.repeat, row.swapped, row.seconds) for row in store.records()] == [
            (False, False, 2.0), (True, True, 3.0)
        ]  # fmt: skip

    def test_are_at_most_one_and_withdrawn_on_their_own(self, store):
        store.ask([a_query(1)])
        store.answer(a_query(1).id, "ann", LEFT)
        for _ in range(2):
            store.answer(a_query(1).id, "ann", RIGHT, repeat=True)
        with pytest.raises(ValueError, match="ann answered query"):
            store.answer(a_query(1).id, "ann", LEFT, repeat=True)
        store.withdraw(a_query(1).id, "ann", repeat=True)
        with pytest.raises(ValueError, match="no repeated answer"):
            store.withdraw(a_query(1).id, "ann", repeat=True)
        assert store.counts() == counts(asked=1, labels=1)
        assert [row.withdrawn_at for row in store.records()] == [None, 1000.0]
