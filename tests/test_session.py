"""An hour at the screen, without a screen."""

import subprocess
import sys

import numpy as np
import pytest

from prefrl.labelers.session import LabelingSession, Showing
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE
from prefrl.testing import random_queries


@pytest.fixture
def sit(store, clock):
    """Begins a session."""

    def begin(labeler="ann", seed=0, **options):
        return LabelingSession(store, labeler, np.random.default_rng(seed), clock=clock, **{"repeat": 0.0} | options)

    return begin


def label(session, number, choice="left"):
    """Answers so many pairs; what was shown."""
    shown = []
    for _ in range(number):
        shown.append(session.current)
        session.answer(choice)
        session.refill()
    return shown


class TestShowing:
    def test_sides(self, queries):
        left, right = queries[0].segments
        assert (Showing(queries[0], swapped=False).left, Showing(queries[0], swapped=False).right) == (left, right)
        assert (Showing(queries[0], swapped=True).left, Showing(queries[0], swapped=True).right) == (right, left)

    def test_sides_are_random(self, queries, sit):
        swapped = [showing.swapped for showing in label(sit(), 100)]
        assert 30 < sum(swapped) < 70

    def test_pairs_come_in_the_order_of_asking_and_are_held_ahead(self, store, queries, sit):
        session = sit(ahead=2)
        assert [showing.query.id for showing in (session.current, *session.ahead)] == [q.id for q in queries[:3]]
        assert store.counts().held == 3
        session.answer("left")
        assert (session.current.query.id, len(session.ahead)) == (queries[1].id, 1)
        session.refill()
        assert (len(session.ahead), store.counts().held) == (2, 3)
        session.refill()
        assert store.counts().held == 3


class TestAnswering:
    @pytest.mark.parametrize(
        "choice, swapped, answer",
        [
            ("left", False, LEFT),
            ("right", False, RIGHT),
            ("left", True, RIGHT),
            ("right", True, LEFT),
            ("tie", False, TIE),
            ("tie", True, TIE),
            ("skip", False, INCOMPARABLE),
            ("skip", True, INCOMPARABLE),
        ],
    )
    def test_by_what_is_on_the_screen(self, store, queries, sit, choice, swapped, answer):
        session = sit()
        while session.current.swapped != swapped:
            session.answer("tie")
        session.answer(choice)
        record = store.records()[-1]
        assert (record.answer, record.swapped, record.repeat) == (answer, swapped, False)

    def test_an_answer_is_timed_from_when_its_pair_was_shown(self, store, queries, sit, clock):
        session = sit()
        for seconds in (3.0, 7.0):
            clock.now += seconds
            session.answer("left")
        assert [record.seconds for record in store.records()] == [3.0, 7.0]
        assert (session.answers, session.per_minute) == (2, 12.0)

    def test_the_pace_is_of_the_last_answers(self, queries, sit, clock):
        session = sit()
        assert session.per_minute == 0.0
        for seconds in (100.0, *[2.0] * 20):
            clock.now += seconds
            label(session, 1)
        assert session.per_minute == 30.0

    def test_an_unknown_choice(self, queries, sit):
        session = sit()
        with pytest.raises(ValueError, match="unknown choice 'lef'. Did you mean 'left'"):
            session.answer("lef")
        assert session.answers == 0

    def test_what_was_answered_elsewhere_is_passed_over(self, store, queries, sit):
        session = sit()
        first, second = session.current, session.ahead[0]
        store.answer(first.query.id, "ann", TIE)
        with pytest.raises(ValueError, match="ann answered query"):
            session.answer("skip")
        assert (session.current, session.answers) == (second, 0)


class TestNothingOpen:
    def test_waits_until_there_is_something(self, store, rng, sit, clock):
        session = sit()
        assert (session.current, session.ahead, session.answers, session.undo()) == (None, [], 0, False)
        with pytest.raises(ValueError, match="nothing is open now"):
            session.answer("left")
        (query,) = random_queries(1, rng)
        store.ask([query])
        clock.now += 3600
        session.refill()
        clock.now += 2
        assert session.current.query.id == query.id
        session.answer("left")
        assert (session.current, store.records()[0].seconds) == (None, 2.0)

    def test_an_answer_shows_what_was_asked_meanwhile(self, store, rng, sit):
        store.ask(random_queries(1, rng))
        session = sit()
        store.ask(random_queries(2, rng))
        session.answer("left")
        assert session.current is not None

    def test_no_repeat_fills_the_time(self, store, rng, sit):
        store.ask(random_queries(20, rng))
        session = sit(repeat=1.0)
        while session.current is not None:
            session.answer("left")
        for _ in range(50):
            session.refill()
        assert session.current is None


class TestUndo:
    def test_back_through_the_session(self, store, queries, sit):
        session = sit()
        shown = label(session, 5)
        for number in reversed(range(5)):
            assert session.undo()
            assert session.current is shown[number]
            assert session.answers == number
        assert not session.undo()
        assert store.counts().labels == 0
        assert len(store.records()) == 5
        again = label(session, 5, "right")
        assert again == shown
        assert [c.query.id for c in store.answered()] == [q.id for q in queries[:5]]
        assert len({record.answer for record in store.records() if record.withdrawn_at is None}) == 2
        assert session.current.query.id == queries[5].id

    def test_what_was_on_the_screen_comes_next(self, queries, sit):
        session = sit()
        session.answer("left")
        before = [session.current, *session.ahead]
        session.undo()
        assert session.ahead == before

    def test_nobody_else_gets_it_meanwhile(self, store, rng, sit):
        store.ask(random_queries(1, rng))
        session = sit()
        session.answer("left")
        session.undo()
        assert store.claim("bob") is None

    def test_the_time_begins_anew(self, store, queries, sit, clock):
        session = sit()
        session.answer("left")
        clock.now += 60
        session.undo()
        clock.now += 3
        session.answer("right")
        assert store.records()[-1].seconds == 3.0

    def test_what_was_withdrawn_elsewhere(self, store, queries, sit):
        session = sit()
        first, second = label(session, 2)
        store.withdraw(second.query.id, "ann")
        with pytest.raises(ValueError, match="could be withdrawn"):
            session.undo()
        assert session.undo()
        assert session.current is first

    def test_is_tried_again_where_the_store_could_not_be_reached(self, store, queries, sit, monkeypatch):
        session = sit()
        label(session, 3)
        withdraw, broken = store.withdraw, iter([OSError("gone")])

        def flaky(*arguments):
            if error := next(broken, None):
                raise error
            withdraw(*arguments)

        monkeypatch.setattr(store, "withdraw", flaky)
        with pytest.raises(OSError, match="gone"):
            session.undo()
        assert session.undo()
        assert session.current.query.id == queries[2].id
        assert [c.query.id for c in store.answered()] == [queries[0].id, queries[1].id]


class TestRepeats:
    def test_with_sides_swapped_once_each_and_not_too_soon(self, store, queries, sit):
        session = sit(repeat=0.3)
        shown = []
        while session.current is not None:
            shown += label(session, 1)
        repeats = [showing for showing in shown if showing.repeat]
        assert 15 < len(repeats) < 50
        assert len({showing.query.id for showing in repeats}) == len(repeats)
        assert len(shown) == len(queries) + len(repeats)
        for number, showing in enumerate(shown):
            if showing.repeat:
                (first,) = [i for i, each in enumerate(shown[:number]) if each.query.id == showing.query.id]
                assert shown[first].swapped != showing.swapped
                assert number - first > 10
        # Who always says "left" contradicts themselves on every repeat.
        answers = {record.query_id: record.answer for record in store.records() if not record.repeat}
        assert all(r.answer != answers[r.query_id] for r in store.records() if r.repeat)
        assert store.counts().labels == len(queries)

    def test_as_often_as_asked(self, store, rng, sit):
        store.ask(random_queries(1000, rng, length=1))
        session = sit(repeat=0.05)
        shown = []
        while session.current is not None:
            shown += label(session, 1)
        assert 30 < sum(showing.repeat for showing in shown) < 70

    def test_a_repeat_is_undone_as_any_other(self, store, queries, sit):
        session = sit(repeat=1.0)
        while not session.current.repeat:
            label(session, 1)
        (repeat,) = label(session, 1)
        assert session.undo()
        assert session.current is repeat
        label(session, 1, "right")
        assert [r.withdrawn_at is None for r in store.records() if r.repeat] == [False, True]

    def test_undoing_the_first_takes_its_repeat_off_the_queue(self, store, queries, sit):
        session = sit(repeat=1.0)
        while not session.current.repeat:
            label(session, 1)
        repeat = session.current
        while session.current.query.id != repeat.query.id or session.current.repeat:
            assert session.undo()
        assert not any(each.query.id == repeat.query.id for each in session.ahead)
        shown = label(session, 60)
        assert sum(each.query.id == repeat.query.id and each.repeat for each in shown) <= 1


class TestLeases:
    def test_are_kept_while_the_tool_is_there(self, store, queries, sit, clock):
        session = sit(lease_s=60.0)
        shown = [session.current, *session.ahead]
        for _ in range(200):
            clock.now += 1
            session.refill()
        assert [session.current, *session.ahead] == shown
        assert store.counts().held == 3

    def test_go_back_when_the_tool_is_gone(self, store, queries, sit, clock):
        sit(lease_s=60.0)
        clock.now += 61
        assert store.claim("bob").id == queries[0].id

    def test_go_back_when_nobody_answers(self, store, queries, sit, clock):
        session = sit(lease_s=60.0)
        for _ in range(600):
            clock.now += 1
            session.refill()
        assert store.counts().held == 0
        assert store.claim("bob").id == queries[0].id

    def test_who_comes_back_late_sees_what_is_still_open(self, store, queries, sit, clock):
        session = sit(lease_s=60.0)
        clock.now += 1000  # asleep: nothing called `refill`
        for _ in range(2):
            query = store.claim("bob")
            store.answer(query.id, "bob", TIE)
        session.refill()
        shown = [showing.query.id for showing in (session.current, *session.ahead)]
        assert shown == [queries[2].id, queries[3].id, queries[4].id]
        session.answer("left")
        assert [(c.query.id, c.labeler) for c in store.answered()] == [
            (queries[0].id, "bob"), (queries[1].id, "bob"), (queries[2].id, "ann")
        ]  # fmt: skip

    def test_who_comes_back_late_goes_on_where_nobody_was_there_meanwhile(self, store, queries, sit, clock):
        session = sit(lease_s=60.0)
        shown = [session.current, *session.ahead]
        clock.now += 1000
        session.refill()
        assert [session.current, *session.ahead] == shown
        assert store.claim("bob").id == queries[3].id
        clock.now += 2
        session.answer("left")
        assert store.records()[0].seconds == 2

    def test_an_answer_that_comes_before_anything_else_counts(self, store, queries, sit, clock):
        session = sit(lease_s=60.0)
        clock.now += 1000
        store.answer(store.claim("bob").id, "bob", TIE)
        session.answer("left")
        assert [(c.query.id, c.labeler) for c in store.answered()] == [(queries[0].id, "bob"), (queries[0].id, "ann")]

    def test_what_others_took_meanwhile_is_replaced(self, store, queries, sit, clock):
        session = sit(lease_s=60.0)
        clock.now += 61
        taken = {store.claim("bob").id for _ in range(2)}  # the one on the screen and the next
        session.refill()
        shown = [showing.query.id for showing in (session.current, *session.ahead)]
        assert shown == [queries[2].id, queries[3].id, queries[4].id]
        assert not taken & set(shown)

    def test_what_a_sitting_that_was_killed_held_goes_back(self, store, queries, sit, clock):
        killed, session = sit("ann", lease_s=60.0), sit("ann", lease_s=60.0)
        lost = killed.current.query.id
        for _ in range(61):
            clock.now += 1
            session.refill()
        assert store.claim("bob").id == lost

    def test_close_gives_back_what_this_session_holds(self, store, queries, sit):
        here, there = sit("ann"), sit("ann")
        here.close()
        assert here.current is None
        assert store.counts().held == 3
        assert [sit("bob").current.query.id, there.current.query.id] == [queries[0].id, queries[3].id]


class TestNames:
    @pytest.mark.parametrize("name", ["oracle", " Oracle ", "ORACLE"])
    def test_the_oracles_is_no_persons(self, queries, sit, store, name):
        with pytest.raises(ValueError, match=f"'{name.strip()}' is the name of the labeler that is no person; choose"):
            sit(name)
        assert store.counts().held == 0

    @pytest.mark.parametrize("name", ["", "  ", "a" * 41, "a\0b"])
    def test_have_some_letters(self, queries, sit, name):
        with pytest.raises(ValueError, match="a name has 1 to 40 letters"):
            sit(name)

    def test_are_without_what_surrounds_them(self, store, queries, sit):
        sit(" ann ").answer("left")
        assert [record.labeler for record in store.records()] == ["ann"]


class TestSeveralSessions:
    def test_never_show_the_same_pair(self, store, queries, sit):
        ann, bob = sit("ann", seed=1), sit("bob", seed=2)
        for session in (ann, bob) * 50:
            label(session, 1)
        assert len(store.answered()) == len(queries) == 100
        assert {len(c.query.segments) for c in store.answered()} == {2}
        assert sorted(c.labeler for c in store.answered()) == ["ann"] * 50 + ["bob"] * 50

    def test_two_of_one_person(self, store, queries, sit):
        for session in (sit("ann", seed=1), sit("ann", seed=2)) * 20:
            label(session, 1)
        assert store.counts().labels == 40

    def test_share_the_pairs_that_want_two_answers(self, store, rng, sit):
        store.ask(random_queries(10, rng), answers_wanted=2)
        ann, bob, cid = (sit(name) for name in ("ann", "bob", "cid"))
        label(ann, 5)
        label(bob, 5)
        while any(session.current for session in (ann, bob, cid)):
            for session in (ann, bob, cid):
                if session.current:
                    label(session, 1)
        assert len(store.answered()) == 20
        assert len({(c.query.id, c.labeler) for c in store.answered()}) == 20


def test_a_session_loads_neither_torch_nor_sb3():
    code = (
        "import sys, prefrl.labelers.session; "
        "assert not {'torch', 'stable_baselines3', 'pygame'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
