"""Queries: asked, claimed, expired and read, on every engine."""

import numpy as np
import pytest
from stores import Always, a_query, a_segment, counts, ids, sql

from prefrl.labelers.worker import work
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Past, Query
from prefrl.segments import Segment
from prefrl.store import PreferenceStore, statements


@pytest.fixture
def store(location, clock):
    """On every engine, not in a file alone."""
    with PreferenceStore(location, clock=clock) as opened:
        yield opened


class TestAsking:
    def test_queries_come_in_the_order_of_asking(self, store):
        queries = [a_query(3), a_query(1), a_query(2)]
        store.ask(queries)
        assert [store.claim("ann").id for _ in queries] == [query.id for query in queries]
        assert store.claim("ann") is None

    def test_a_query_survives_exactly(self, store):
        query = a_query(1, step=123, size=3)
        store.ask([query])
        claimed = store.claim("ann")
        assert (claimed.id, claimed.step, claimed.nonce) == (query.id, 123, 0)
        assert [segment.id for segment in claimed.segments] == [segment.id for segment in query.segments]
        assert [segment.env_id for segment in claimed.segments] == ["toy"] * 3

    def test_asking_again_changes_nothing(self, store):
        store.ask([a_query(1), a_query(2)])
        store.claim("ann")
        store.answer(a_query(1).id, "ann", LEFT)
        store.ask([a_query(1), a_query(2), a_query(3)])
        assert store.counts() == counts(asked=3, open=2, labels=1)
        assert store.claim("bob").id == a_query(2).id

    def test_queries_may_share_segments_and_compare_one_with_itself(self, store):
        shared = a_segment(0)
        queries = [Query((shared, a_segment(1)), step=0), Query((shared, shared), step=0)]
        store.ask(queries)
        assert {store.claim("ann").id, store.claim("ann").id} == {query.id for query in queries}

    def test_all_or_none_are_asked(self, store):
        broken = Query((a_segment(1), Segment("toy", {"obs": np.array([{}])}, np.zeros(1), np.zeros(1))), step=0)
        with pytest.raises(ValueError, match="Python objects"):
            store.ask([a_query(1), broken])
        assert store.counts().asked == 0

    def test_asking_nothing_is_fine(self, store):
        store.ask([])
        assert store.counts() == counts()

    def test_numpy_steps_are_fine(self, store):
        store.ask([a_query(1, step=np.int64(5))])
        assert store.claim("ann").step == 5


class TestClaiming:
    def test_two_labelers_never_hold_the_same_query(self, store):
        store.ask([a_query(1), a_query(2)])
        assert store.claim("ann").id != store.claim("bob").id
        assert store.claim("cid") is None

    def test_a_claim_that_ran_out_is_open_again(self, store, clock):
        store.ask([a_query(1)])
        store.claim("ann", lease_s=60.0)
        clock.now += 59.9
        assert store.claim("bob") is None
        clock.now += 0.1
        assert store.claim("bob").id == a_query(1).id

    def test_what_is_released_is_open_again(self, store):
        store.ask([a_query(1), a_query(2)])
        store.claim("ann")
        store.claim("bob")
        store.release("ann")
        assert store.claim("cid").id == a_query(1).id
        assert store.claim("cid") is None

    def test_an_answered_query_is_open_to_nobody(self, store, clock):
        store.ask([a_query(1)])
        store.answer(store.claim("ann").id, "ann", INCOMPARABLE)
        clock.now += 1e6
        assert store.claim("ann") is None
        assert store.claim("bob") is None

    def test_claiming_does_not_slow_down_with_what_is_answered(self, store_file):
        with PreferenceStore(store_file) as store, store._reading.begin() as connection:
            statement = statements.claim_oldest(connection, "ann", 0.0, 1.0)
            plan = "EXPLAIN QUERY PLAN " + str(
                statement.compile(store._reading, compile_kwargs={"literal_binds": True})
            )
            said = str(connection.exec_driver_sql(plan).all())
        assert all(name in said for name in ("open_queries", "standing_answers"))

    def test_one_labeler_gets_a_query_once(self, store):
        store.ask([a_query(1)], answers_wanted=2)
        store.claim("ann")
        assert store.claim("ann") is None

    def test_a_labeler_gets_its_own_again_when_its_time_ran_out(self, store, clock):
        store.ask([a_query(1)])
        store.claim("ann", lease_s=60.0)
        clock.now += 61
        assert store.claim("ann", lease_s=60.0).id == a_query(1).id
        assert store.claim("bob") is None

    def test_only_some_are_released(self, store):
        store.ask([a_query(1), a_query(2)])
        store.claim("ann")
        store.claim("ann")
        store.release("ann", [a_query(2).id])
        assert store.claim("bob").id == a_query(2).id
        assert store.claim("bob") is None

    def test_what_is_extended_is_held_for_longer(self, store, clock):
        first, second, third = (a_query(number) for number in (1, 2, 3))
        store.ask([first, second, third])
        store.claim("ann", lease_s=60.0)
        store.claim("ann", lease_s=60.0)
        store.claim("bob", lease_s=60.0)
        clock.now += 30
        assert store.extend("ann", [second.id], lease_s=60.0) == {second.id}
        clock.now += 40
        assert store.claim("cid").id == first.id
        assert store.claim("cid").id == third.id
        assert store.claim("cid") is None

    def test_what_ran_out_is_taken_again_unless_others_have_it_by_now(self, store, clock):
        asked = [a_query(number) for number in range(4)]
        store.ask(asked)
        ids = [store.claim("ann", lease_s=60.0).id for _ in asked]
        clock.now += 61
        assert store.claim("bob", lease_s=60.0).id == ids[0]
        store.answer(ids[1], "bob", LEFT)
        store.answer(ids[2], "ann", LEFT)
        assert store.extend("ann", ids, lease_s=60.0) == {ids[3]}
        assert store.claim("cid") is None


class TestExpiring:
    def test_what_nobody_answered_and_nobody_holds_is_closed(self, store, clock):
        store.ask([a_query(i, step=10 * i) for i in range(6)], answers_wanted=2)
        store.claim("ann", lease_s=60.0)  # query 0
        store.claim("ann", lease_s=5.0)
        store.answer(a_query(2, step=20).id, "bob", LEFT)
        clock.now += 10
        assert store.expire(before_step=40) == 2
        assert store.counts() == counts(asked=6, open=3, held=1, labels=1, expired=2)
        assert store.expire(before_step=40) == 0
        claimed = [store.claim("cid").id for _ in range(4)]
        assert claimed == [a_query(i, step=10 * i).id for i in (0, 2, 4, 5)]
        assert store.claim("cid") is None

    def test_an_answer_that_comes_late_counts(self, store):
        store.ask([a_query(1)])
        assert store.expire(before_step=1) == 1
        store.answer(a_query(1).id, "ann", LEFT)
        assert store.counts() == counts(asked=1, labels=1)
        store.withdraw(a_query(1).id, "ann")
        assert store.counts() == counts(asked=1, held=1)

    def test_asking_again_opens_nothing(self, store):
        store.ask([a_query(1)])
        store.expire(before_step=1)
        store.ask([a_query(1)])
        assert store.claim("ann") is None


class TestReading:
    @pytest.fixture
    def filled(self, store):
        """Five queries, two asked at step 0 and three at 100; all but the second answered, backwards."""
        queries = [a_query(i, step=0 if i < 2 else 100) for i in range(5)]
        store.ask(queries)
        for i, answer in [(4, LEFT), (3, INCOMPARABLE), (2, TIE), (0, RIGHT)]:
            store.answer(queries[i].id, "ann", answer)
        return store

    def test_comparisons_come_in_the_order_of_asking(self, filled):
        assert ids(filled.answered()) == [a_query(0).id, *(a_query(i, step=100).id for i in (2, 3, 4))]

    def test_known_ones_are_left_out_and_not_read(self, filled):
        known, damaged = {a_query(0).id}, a_query(0).segments[0].id
        sql(filled, "UPDATE segments SET blob = :blob WHERE id = :id", blob=b"0", id=damaged)
        assert ids(filled.answered(known)) == [a_query(i, step=100).id for i in (2, 3, 4)]
        with pytest.raises(ValueError, match=f"segment {damaged} is damaged"):
            filled.answered()

    @pytest.mark.parametrize(
        "past, num", [((0, 0), 0), ((0, 1), 1), ((100, 0), 1), ((100, 1), 4), ((0, 0, 3), 2), (None, 4)]
    )
    def test_only_what_a_run_has_asked(self, filled, past, num):
        assert len(filled.answered(past=None if past is None else Past(*past))) == num
        assert filled.last_query() == 5

    @pytest.mark.parametrize("past, num", [((0, 0), 0), ((0, 1), 2), ((100, 0), 2), ((101, 0), 4), ((0, 0, 3), 3)])
    def test_what_is_owed_before_a_step_leaves_out_skips_and_keeps_what_is_open(self, filled, past, num):
        """Query 1 is open, and one of the three asked at step 100 was skipped."""
        assert filled.owed(Past(*past)) == num
        assert filled.labels() == 3

    def test_an_outdated_query_is_owed_no_longer_and_its_pair_stays_known(self, filled):
        assert filled.expire(before_step=101) == 1
        assert filled.owed(Past(101, 0)) == 3
        assert len(filled.pairs()) == 5

    def test_pairs_are_in_no_order_and_may_be_of_the_past_alone(self, filled):
        assert filled.pairs(Past(0, 1)) == {frozenset(s.id for s in a_query(i).segments) for i in (0, 1)}
        assert len(filled.pairs(Past(100, 1))) == 5

    def test_counts(self, filled):
        assert filled.counts() == counts(asked=5, open=1, labels=3, skipped=1)

    def test_one_query(self, filled):
        assert filled.query(a_query(0).id).segments[0].id == a_query(0).segments[0].id
        with pytest.raises(ValueError, match="the store has no query 123"):
            filled.query("123")

    def test_the_revision_grows_with_answers_and_withdrawals_only(self, filled):
        seen = [filled.revision()]
        for change in (
            lambda: filled.answer(a_query(1).id, "ann", LEFT),
            lambda: filled.withdraw(a_query(1).id, "ann"),
            lambda: filled.answer(a_query(1).id, "ann", LEFT),
            lambda: filled.answer(a_query(1).id, "ann", LEFT, repeat=True),
        ):
            change()
            seen.append(filled.revision())
        assert seen == sorted(set(seen))
        filled.answer(a_query(1).id, "ann", LEFT)
        filled.claim("ann")
        filled.ask([a_query(7)])
        assert filled.revision() == seen[-1]

    def test_one_run_alone(self, store):
        store.check_owner()
        for _ in range(2):
            store.belong_to("a1", "prefrl/Hopper-v0 with seed 0")
        store.check_owner("a1")
        with pytest.raises(ValueError, match="the answers of another run, prefrl/Hopper-v0 with seed 0; give each"):
            store.belong_to("b2", "prefrl/Hopper-v0 with seed 1")
        with pytest.raises(ValueError, match="another run"):
            store.check_owner()

    def test_the_question(self, store):
        assert store.question == "Which is better?"
        store.begin_with_question("which is closer to a backflip?")
        assert store.question == "which is closer to a backflip?"
        for question in ("which hops höher?", "which is quieter?"):
            store.set_question(question)
            store.begin_with_question("which is closer to a backflip?")
            assert store.question == question

    def test_more_than_one_batch(self, store, monkeypatch):
        monkeypatch.setattr("prefrl.store.contents.READ_AT_ONCE", 3)
        store.ask(a_query(i) for i in range(8))
        for i in range(8):
            store.answer(a_query(i).id, "ann", LEFT)
        assert ids(store.answered()) == [a_query(i).id for i in range(8)]


class TestWorking:
    def test_until_nothing_is_open(self, store):
        store.ask(a_query(i) for i in range(5))
        assert work(store, Always(TIE)) == 5
        assert work(store, Always(TIE)) == 0
        assert {comparison.answer for comparison in store.answered()} == {TIE}

    def test_an_interrupted_labeler_holds_nothing(self, store):
        store.ask([a_query(1)])
        with pytest.raises(KeyboardInterrupt):
            work(store, Always(KeyboardInterrupt()))
        assert store.claim("bob").id == a_query(1).id
