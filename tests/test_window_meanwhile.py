"""What happens meanwhile: the window waits, others answer and change the question, the store is away and comes back."""

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError
from windows import LABELER, FlatDrawer, Person, answered, in_order, leave_soon, sit_down

from prefrl.labelers.session import LabelingSession
from prefrl.labelers.subject import NOTHING_SAID, Trainer
from prefrl.labelers.window import desk
from prefrl.labelers.window.actions import Action
from prefrl.labelers.window.desk import DeskThread
from prefrl.queries import LEFT, RIGHT, TIE
from prefrl.testing import random_queries

pytestmark = pytest.mark.usefixtures("six_queries")


def fail_first(method, times):
    """A method of a store whose database is away for a while."""
    failures = iter(range(times))

    def call(*args, **options):
        if next(failures, None) is not None:
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))
        return method(*args, **options)

    return call


def test_it_waits_while_nothing_is_open_and_goes_on_by_itself(pygame, store, tmp_path, rng, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WAITING_S", 0.05)
    later = random_queries(1, rng)
    looks = []

    class Asking(FlatDrawer):
        """Asks once the window has been waiting for a while."""

        def want(self, segments, height):
            super().want(segments, height)
            looks.append(store.counts().open + store.counts().held)
            if looks[-1] == 0 and looks.count(0) == 3:
                store.ask(later)

    person = Person(pygame, *"111111", ["2", lambda: leave_soon(pygame)])
    sit_down(pygame, store, tmp_path, person, Asking())
    assert len(answered(store)) == 7
    assert person.seen[6].query.id == later[0].id
    assert person.seconds[6] is None  # no key brought it


def test_it_says_that_nobody_trains_once_nothing_is_open(pygame, store, tmp_path, written):
    person = Person(pygame, *"11111", ["1", lambda: leave_soon(pygame)])
    gone = Trainer(step=3000, steps=100_000, waiting_for=5, running=False)
    sit_down(pygame, store, tmp_path, person, trainer=gone)
    assert "Training is not running" in written
    assert "`prefrl resume runs/x` goes on with it; then new pairs appear here by themselves." in written


def test_a_question_that_is_changed_meanwhile_is_asked(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WORKING_S", 0.0)
    person = Person(pygame, lambda: store.set_question("Which is quieter?"), "1", "1", "1")

    class UntilAsked(FlatDrawer):
        """The person goes on when the new question is there."""

        def want(self, segments, height):
            super().want(segments, height)
            if "Which is quieter?" in written:
                person.do("q")

    sit_down(pygame, store, tmp_path, person, UntilAsked())
    assert written[0] == "Which is better?"
    assert "Which is quieter?" in written


def test_what_was_answered_elsewhere_is_passed_over(pygame, store, tmp_path):
    def answer_elsewhere():
        query = person.seen[0].query
        store.answer(query.id, LABELER, TIE)

    person = Person(pygame, [answer_elsewhere, "1"])
    sit_down(pygame, store, tmp_path, person)
    assert len(person.seen) == 2
    assert answered(store) == [(person.seen[0].query.id, TIE)]


def test_a_key_for_a_pair_that_is_no_longer_held_says_nothing_of_the_next_one(store):
    session = LabelingSession(store, LABELER, np.random.default_rng(0))
    gone = session.current
    thread = DeskThread(session, store, lambda: NOTHING_SAID, lambda: None)
    session.answer("tie")
    thread.answer(gone, Action.LEFT)
    thread.close()
    assert answered(store) == [(gone.query.id, TIE)]
    assert thread.desk.problem == "This pair went to somebody else"


def test_a_store_that_cannot_be_counted_is_asked_again(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WAITING_S", 0.05)
    monkeypatch.setattr(store, "counts", fail_first(store.counts, 10))

    class Waiting(FlatDrawer):
        """The person answers when the figures are there again."""

        def want(self, segments, height):
            super().want(segments, height)
            if written and written[-1].startswith("0 answers   ·   6 waiting") and not person.does:
                person.does = ["q"]
                person.do("1")

    person = Person(pygame, [])
    sit_down(pygame, store, tmp_path, person, Waiting())
    assert desk.UNREACHABLE in written
    assert len(answered(store)) == 1


def test_an_answer_is_kept_until_the_store_takes_it(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr(desk, "RETRY_S", 0.05)
    monkeypatch.setattr(store, "answer", fail_first(store.answer, 20))
    person = Person(pygame, ["1", "2"])
    session = sit_down(pygame, store, tmp_path, person)
    assert desk.NOT_SAVED in written
    first = person.seen[0]
    assert answered(store) == [(first.query.id, in_order(first, LEFT, RIGHT))]  # the second key came too early
    assert session.answers == 1


def test_an_answer_is_stored_once_where_only_the_next_pair_is_missing(pygame, store, tmp_path, monkeypatch):
    monkeypatch.setattr("prefrl.labelers.window.window.POLL_WAITING_S", 0.05)

    def lose_claims():
        monkeypatch.setattr(store, "claim", fail_first(store.claim, 8))

    person = Person(pygame, [lose_claims, "1"], *"1111", ["1", lambda: leave_soon(pygame)])
    sit_down(pygame, store, tmp_path, person)
    assert len(answered(store)) == len(person.seen) == 6


def test_who_leaves_while_the_store_is_away_waits_for_nothing(pygame, store, tmp_path, monkeypatch):
    for name in ("answer", "release", "counts"):
        monkeypatch.setattr(store, name, fail_first(getattr(store, name), 10**9))
    session = sit_down(pygame, store, tmp_path, Person(pygame, ["1", lambda: leave_soon(pygame)]))
    assert session.answers == 0
    assert answered(store) == []


def test_an_undo_is_kept_until_the_store_takes_it(pygame, store, tmp_path, written, monkeypatch):
    monkeypatch.setattr(desk, "RETRY_S", 0.05)
    monkeypatch.setattr(store, "withdraw", fail_first(store.withdraw, 20))
    person = Person(pygame, "1", "1", "u")
    sit_down(pygame, store, tmp_path, person)
    first, second, _, second_again = person.seen
    assert desk.NOT_TAKEN_BACK in written
    assert second_again is second
    assert [query for query, _ in answered(store)] == [first.query.id]  # and none but the last one


def test_what_is_no_fault_of_the_store_ends_the_window(pygame, store, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "counts", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sit_down(pygame, store, tmp_path, Person(pygame, []))
