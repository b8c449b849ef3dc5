"""How a labeler that is no person works, and what is said of one that does not do as it should."""

import threading

import pytest
from stores import Always, Clock, a_query, counts

from prefrl.labelers.worker import AGAIN_AFTER_S, LONGEST_PAUSE_S, label, serve_labels, work
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer
from prefrl.store import PreferenceStore


class Judge:
    """Answers from a table by the query's id, and notes what it was asked."""

    name, kind = "judge", "model"

    def __init__(self, answers):
        self.batches, self._answers = [], answers

    def label(self, queries):
        self.batches.append([query.id for query in queries])
        return [self._answers.get(query.id, LEFT) for query in queries]


@pytest.fixture
def asked(store):
    """Five queries of two segments."""
    queries = [a_query(number) for number in range(5)]
    store.ask(queries)
    return queries


def ranks(store):
    return [comparison.answer.ranks for comparison in store.answered()]


class TestWorking:
    def test_it_labels_in_batches_in_the_order_of_asking(self, store, asked):
        judge = Judge({})
        assert work(store, judge, batch=2) == 5
        ids = [query.id for query in asked]
        assert judge.batches == [ids[:2], ids[2:4], ids[4:]]

    def test_it_comes_with_its_kind(self, store, asked):
        work(store, Judge({}))
        assert {record.kind for record in store.records()} == {"model"}

    def test_what_it_gives_back_is_open_to_others_and_not_claimed_again(self, store, asked):
        judge = Judge({asked[1].id: None, asked[3].id: INCOMPARABLE})
        assert work(store, judge, batch=2) == 4
        assert sum(asked[1].id in batch for batch in judge.batches) == 1
        assert store.counts() == counts(asked=5, open=1, labels=3, skipped=1)
        assert store.claim("ann").id == asked[1].id

    def test_one_that_gives_everything_back_comes_to_an_end(self, store, asked):
        assert work(store, Always(None), batch=2) == 0
        assert store.counts() == counts(asked=5, open=5)

    def test_it_ranks_any_number_of_segments(self, store):
        store.ask([a_query(1, size=4), a_query(2, size=2), a_query(3, size=3)])
        judge = Judge({a_query(1, size=4).id: Answer((2, 0, 0, 3)), a_query(3, size=3).id: Answer((0, 1, 2))})
        assert work(store, judge) == 3
        assert ranks(store) == [(2, 0, 0, 3), (0, 1), (0, 1, 2)]

    def test_claims_are_kept_alive_while_it_labels(self, store_file):
        """Its lease is renewed until it is done: here it is not before that has happened three times."""
        renewed = threading.Semaphore(0)

        class Watched(PreferenceStore):
            def extend(self, *args):
                held = super().extend(*args)
                renewed.release()
                return held

        class Slow(Judge):
            def label(self, queries):
                assert all(renewed.acquire(timeout=20) for _ in range(3))
                return super().label(queries)

        with Watched(store_file) as store:
            store.ask([a_query(1)])
            claimed = [store.claim("judge", 0.02)]
            assert label(store, Slow({}), claimed, lease_s=0.02) == []
            assert ranks(store) == [LEFT.ranks]


class Beside:
    """The time of a labeler beside a trainer, who does things at each of its pauses; after the last it is stopped."""

    def __init__(self, *events):
        self.pauses, self.clock = [], Clock()
        self._events = list(events)

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.clock.now += seconds
        self._events.pop(0)()

    def serve(self, store, labeler, **options):
        return serve_labels(store, labeler, lambda: not self._events, clock=self.clock, sleep=self.sleep, **options)


def nothing():
    pass


class TestServing:
    def test_it_answers_what_comes_and_waits_ever_longer_while_nothing_does(self, store):
        judge = Judge({})
        ask = [lambda: store.ask([a_query(1), a_query(2)]), *[nothing] * 5, lambda: store.ask([a_query(3)])]
        beside = Beside(nothing, *ask, nothing, nothing)
        assert beside.serve(store, judge) == 3
        assert beside.pauses == [0.25, 0.5, 0.25, 0.5, 1, *[LONGEST_PAUSE_S] * 3, 0.25, 0.5]
        assert store.counts() == counts(asked=3, labels=3)

    def test_it_ends_once_the_run_has_its_labels_but_answers_what_is_open_before(self, store, asked):
        beside = Beside(nothing)
        assert beside.serve(store, Judge({}), finished=lambda: True, batch=2) == 5
        assert not beside.pauses

    def test_it_is_stopped_between_two_batches(self, store, asked):
        judge = Judge({})
        assert serve_labels(store, judge, lambda: len(judge.batches) == 2, batch=2) == 4
        assert store.counts() == counts(asked=5, open=1, labels=4)

    def test_what_it_gives_back_is_tried_again_after_a_minute(self, store, asked):
        judge = Judge({asked[0].id: None})
        pauses = int(AGAIN_AFTER_S / LONGEST_PAUSE_S) + 5
        assert Beside(*[nothing] * pauses).serve(store, judge, batch=2) == 4
        assert [asked[0].id in batch for batch in judge.batches] == [True, False, False, True]
        assert store.counts() == counts(asked=5, open=1, labels=4)

    def test_others_answer_what_it_gives_back(self, store, asked):
        judge = Judge({asked[0].id: None})
        beside = Beside(nothing, lambda: work(store, Always(RIGHT, "ann")), *[nothing] * 40)
        assert beside.serve(store, judge) == 4
        assert len(judge.batches) == 1
        assert store.counts() == counts(asked=5, labels=5)

    def test_one_that_fails_keeps_what_it_has_answered(self, store, asked):
        judge = Judge({asked[3].id: "left"})
        with pytest.raises(ValueError, match="labeler 'judge' answered 'left'"):
            Beside(nothing).serve(store, judge, batch=2)
        assert store.counts() == counts(asked=5, open=2, labels=3)


WRONG = {
    "too few answers": (lambda queries: [LEFT], "returned 1 answers to 5 queries; .* for each query"),
    "no list": (lambda queries: LEFT, r"returned Answer\(ranks=\(0, 1\)\); .* for each query"),
    "nothing": (lambda queries: None, "returned None; .* for each query"),
    "a word": (lambda queries: ["left"] * 5, "answered 'left'; return prefrl.queries.Answer with 2 ranks"),
    "ranks of three": (lambda queries: [Answer((0, 1, 2))] * 5, r"of 2 segments with the ranks \(0, 1, 2\); return a"),
    "shares": (lambda queries: [Answer((0.2, 0.8))] * 5, r"the ranks \(0.2, 0.8\); .* a whole number for each segment"),
    "a number": (lambda queries: [Answer(1)] * 5, "with the ranks 1; return a tuple"),
    "a bug": (
        lambda queries: queries.segments,
        "failed with AttributeError: 'list' object has no attribute 'segments'",
    ),
}


class Wrong:
    name, kind = "wrong", "model"

    def __init__(self, label):
        self.label = label


class TestLabelersThatFail:
    @pytest.mark.parametrize("how, message", WRONG.values(), ids=WRONG)
    def test_one_clear_line_and_nothing_held(self, store, asked, how, message):
        with pytest.raises(ValueError, match=f"labeler 'wrong' .*{message}") as refused:
            work(store, Wrong(how))
        assert "\n" not in str(refused.value)
        assert store.counts() == counts(asked=5, open=5)

    def test_a_reason_of_many_lines_is_cut_to_one(self, store, asked):
        with pytest.raises(ValueError, match="failed with RuntimeError: one;") as refused:
            work(store, Always(RuntimeError("one\ntwo")))
        assert "\n" not in str(refused.value)

    def test_answers_before_it_are_kept(self, store, asked):
        judge = Judge({asked[3].id: Answer((0, 1, 2))})
        with pytest.raises(ValueError, match="ranks"):
            work(store, judge, batch=2)
        assert store.counts() == counts(asked=5, open=2, labels=3)

    def test_an_interrupted_one_holds_nothing(self, store, asked):
        with pytest.raises(KeyboardInterrupt):
            work(store, Always(KeyboardInterrupt()))
        assert store.counts() == counts(asked=5, open=5)

    @pytest.mark.parametrize(
        "about, message",
        [
            ({"name": "Oracle"}, "'Oracle' names the labeler that knows the true reward; give this model another name"),
            ({"name": ""}, "Wrong is no labeler: its name must be 1 to 40 letters, got ''"),
            ({"name": None}, "got None"),
            ({"kind": None}, "labeler 'wrong': unknown kind of labeler 'None'.* Known: oracle, person, model"),
            ({"kind": "persn"}, "Did you mean 'person'"),
            ({"label": None}, r"labeler 'wrong' has no label\(queries\)"),
        ],
    )
    def test_one_that_is_none_is_refused_before_it_claims(self, store, asked, about, message):
        labeler = Wrong(lambda queries: [TIE] * len(queries))
        vars(labeler).update(about)
        with pytest.raises(ValueError, match=message):
            work(store, labeler)
        assert store.counts() == counts(asked=5, open=5)

    def test_a_name_stands_for_one_kind(self, store, asked):
        store.answer(asked[0].id, "judge", RIGHT)
        with pytest.raises(
            ValueError, match="'judge' is a labeler of kind person in this store; .* kind model another"
        ):
            work(store, Judge({}))
        assert ranks(store) == [RIGHT.ranks]
