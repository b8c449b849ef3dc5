"""Training from people's answers: they come when they come, and the agent waits or does not."""

import dataclasses
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from test_rlhf import SMALL

from prefrl.algorithms.feedback import FIT_AFTER, START, STOCK, PeopleFeedback, answers_wanted, number_kept
from prefrl.algorithms.rlhf import train
from prefrl.algorithms.setup import check, make_learner, make_recorder
from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, Answer, Query
from prefrl.runs import RunFolder
from prefrl.runs.status import Status
from prefrl.store import PreferenceStore, codec

HUMAN = dataclasses.replace(SMALL, labels=60, labeler="human", question="which is closer?")


class Person:
    """Answers as the oracle would, from another thread, at most `most` times."""

    def __init__(self, store, most=10**6):
        self.given, self._most, self._store = 0, most, store
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self):
        oracle = Oracle(OracleConfig(), seed=0)
        with PreferenceStore(self._store) as store:
            while not self._leave.is_set() and self.given < self._most:
                query = store.claim("person")
                if query is None:
                    self._leave.wait(0.01)
                else:
                    store.answer(query.id, "person", *oracle.label([query]))
                    self.given += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._leave.set()
        self._thread.join()


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.create(HUMAN)
    return run


def test_the_agent_waits_says_for_how_many_and_goes_on_once_they_are_there(folder):
    waits = []
    stopped = train(HUMAN, folder, None, on_wait=waits.append, stopped=lambda: len(waits) >= 2)
    assert not stopped
    assert waits == [HUMAN.initial_labels] * 2
    status = folder.status()
    assert status == Status(step=512, steps=3072, labels=0, labels_wanted=60, waiting_for=15)
    with PreferenceStore(folder.store) as store:
        assert store.question == "which is closer?"
        assert store.counts().open == STOCK
    seen, person = [], Person(folder.store)
    with ExitStack() as sitting:

        def on_wait(missing):
            seen.append((missing, folder.status().waiting_for))
            if len(seen) == 1:
                sitting.enter_context(person)

        assert train(HUMAN, folder, None, on_wait=on_wait)
    assert person.given == 60
    assert all(missing == said for missing, said in seen)
    assert seen[-1] == (0, 0)  # said before the fit that follows, which may be long
    assert folder.summary().labels_answered == 60
    assert folder.status().waiting_for == 0


def test_a_run_told_to_stop_while_it_waits_is_left_at_once_with_what_was_answered(folder):
    """Neither a fit to a part of what is due nor a rollout comes before it is saved."""
    rows = []

    def keep(row, metrics):
        rows.append(row)

    with Person(folder.store, most=HUMAN.initial_labels + 2):

        def has_what_it_gives():
            with PreferenceStore(folder.store) as store:
                return store.labels() >= HUMAN.initial_labels + 2

        waits = []

        def stopped():
            return bool(waits) and waits[-1] > 0 and has_what_it_gives()

        assert not train(HUMAN, folder, None, on_row=keep, on_wait=waits.append, stopped=stopped)
    status = folder.status()
    assert status.waiting_for > 0
    assert status.step == rows[-1].step
    with Person(folder.store):
        assert train(HUMAN, folder, None, on_row=keep)
    steps = [row.step for row in rows]
    assert steps == sorted(set(steps))
    assert folder.summary().labels_answered == 60


def test_people_may_be_ahead_of_the_schedule_but_not_by_more_than_the_stock(folder):
    ahead = []

    def look(row, metrics):
        with PreferenceStore(folder.store) as store:
            ahead.append(store.counts().asked)

    with Person(folder.store):
        train(HUMAN, folder, None, on_row=look)
    assert ahead[0] <= HUMAN.initial_labels + STOCK + 1
    assert ahead[-1] == 60


def test_an_agent_that_does_not_wait_ends_with_the_labels_it_got(tmp_path):
    config, run = dataclasses.replace(HUMAN, pace="go"), RunFolder(tmp_path / "go")
    run.create(config)
    with Person(run.store, most=START + 2) as person:
        assert train(config, run, None)
    assert person.given == START + 2
    assert run.summary().labels_answered >= START
    with PreferenceStore(run.store) as store:
        assert store.counts().open == 0  # nobody is asked about a run that is over


@pytest.fixture
def feedback(tmp_path, request):
    """On a pool of random actions, ready to ask."""
    config = getattr(request, "param", HUMAN)
    recorder = make_recorder(config)
    learner = make_learner(config, recorder, "cpu")
    rollout = learner.agent.explore(config.initial_steps, config.query.random_share)
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        made = PeopleFeedback(config, learner, store, lambda missing: None, lambda: True)
        made.add(rollout, began_at=0)
        yield SimpleNamespace(it=made, store=store, learner=learner)
    recorder.close()


def attend(feedback):
    feedback.it.collect()
    if feedback.it.fit_due():
        feedback.it.fit()


def answer_all(store):
    while (query := store.claim("person")) is not None:
        store.answer(query.id, "person", LEFT)


def test_an_answer_taken_back_is_not_trained_on(feedback):
    attend(feedback)
    answer_all(feedback.store)
    attend(feedback)
    assert len(feedback.it.data) == feedback.it.num_labels == STOCK
    assert feedback.learner.rounds == 1
    feedback.store.withdraw(feedback.store.answered()[3].query.id, "person")
    attend(feedback)
    assert len(feedback.it.data) == feedback.it.num_labels == STOCK - 1


@pytest.mark.parametrize("feedback", [dataclasses.replace(HUMAN, pace="go")], indirect=True)
def test_a_changed_mind_is_learned_from(feedback):
    attend(feedback)
    answer_all(feedback.store)
    attend(feedback)
    for comparison in feedback.store.answered()[:FIT_AFTER]:
        feedback.store.withdraw(comparison.query.id, "person")
        feedback.store.answer(comparison.query.id, "person", RIGHT)
    attend(feedback)
    assert feedback.learner.rounds == 2
    assert sum(each.answer == LEFT for each in feedback.it.dataset.answered) == STOCK - FIT_AFTER
    assert len(feedback.it.data) == STOCK
    feedback.store.withdraw(feedback.store.answered()[0].query.id, "person")
    assert feedback.it.conclude()


def test_a_ranking_of_four_is_learned_from_beside_pairs(feedback):
    attend(feedback)
    answer_all(feedback.store)
    ranking = Query(tuple(feedback.learner.reward.pool.segments)[:4], step=1)
    feedback.store.ask([ranking])
    feedback.store.answer(ranking.id, "person", Answer((1, 0, 2, 1)))
    attend(feedback)
    assert feedback.learner.rounds == 1
    assert len(feedback.it.data) == feedback.it.num_labels == STOCK + 1
    assert sorted(feedback.it.data.mask.sum(1).tolist()) == [2] * STOCK + [4]


def test_only_what_is_new_is_read(feedback, monkeypatch):
    attend(feedback)
    answer_all(feedback.store)
    attend(feedback)
    read, decode = [], codec.decode
    monkeypatch.setattr(codec, "decode", lambda *args: read.append(args) or decode(*args))
    attend(feedback)  # asks as many again
    first, *_ = queries = [feedback.store.claim("person") for _ in range(3)]
    feedback.store.answer(first.id, "person", RIGHT)
    feedback.store.answer(queries[1].id, "person", INCOMPARABLE)
    read.clear()
    attend(feedback)
    assert len(read) <= 4
    assert feedback.it.num_labels == len(feedback.it.data) == STOCK + 1
    assert feedback.it.dataset.answered[-1].answer == RIGHT


def test_queries_that_nobody_answered_give_way_to_ones_about_the_agent_of_today(feedback):
    attend(feedback)
    before = set(feedback.store.asked())
    held = feedback.store.claim("person")
    feedback.learner.agent._model.num_timesteps += HUMAN.query.pool_steps + 1
    attend(feedback)
    counts = feedback.store.counts()
    assert counts.expired == STOCK - 1  # somebody is looking at one
    assert counts.open + counts.held == STOCK
    assert len(set(feedback.store.asked()) - before) == STOCK - 1
    feedback.store.answer(held.id, "person", LEFT)


@pytest.mark.parametrize("feedback", [dataclasses.replace(HUMAN, overlap=1.0)], indirect=True)
def test_second_opinions_do_not_use_up_the_stock(feedback):
    attend(feedback)
    answer_all(feedback.store)
    attend(feedback)
    assert feedback.store.counts().asked > STOCK
    assert feedback.store.claim("another").id == feedback.store.asked()[0]


def test_a_share_of_the_pairs_goes_to_two_people():
    queries = [SimpleNamespace(id=f"{i * 2654435761 % 2**32:08x}") for i in range(2_000)]
    share = sum(answers_wanted(query, 0.25) == 2 for query in queries) / len(queries)
    assert share == pytest.approx(0.25, abs=0.03)
    assert {answers_wanted(query, 0.0) for query in queries} == {1}


def test_what_nobody_can_draw_nobody_is_asked_about():
    with pytest.raises(ValueError, match="no states to draw"):
        check(dataclasses.replace(HUMAN, env_id="FrozenLake-v1", horizon=20), "cpu")
    with pytest.raises(ValueError, match="people have nothing to label"):
        dataclasses.replace(HUMAN, labels=0)


@pytest.mark.parametrize(
    "steps, window, kept",
    [
        ([0, 0, 5, 9], None, 4),
        ([0, 0, 5, 9], 3, 3),
        ([0, 0, 5, 9], 10, 4),
        ([7] * 6, 4, 6),  # all asked at once: none is forgotten before a fit has seen it
        ([0, 7, 7, 7], 2, 3),
        ([], 3, 0),
    ],
)
def test_a_window_forgets_what_was_asked_first_and_nothing_that_no_fit_has_seen(steps, window, kept):
    assert number_kept(steps, window) == kept


def test_the_window_holds_the_same_answers_whatever_came_first_or_was_taken_back(feedback):
    """Not only the latest that came: a resumed trainer, who reads all in the order of asking, has the same."""
    feedback.it._config = dataclasses.replace(HUMAN, reward=dataclasses.replace(HUMAN.reward, label_window=5))
    attend(feedback)
    asked = feedback.store.asked()
    for query_id in [*asked[10:], *asked[:10]]:
        feedback.store.answer(query_id, "person", LEFT)
        feedback.it._read_answers()
    feedback.learner.agent._model.num_timesteps += 100
    feedback.it._keep_stock()
    later = feedback.store.asked()[STOCK : STOCK + 3]
    for query_id in later:
        feedback.store.answer(query_id, "person", LEFT)
        feedback.it._read_answers()
    feedback.store.withdraw(later[1], "person")
    feedback.it._read_answers()
    resumed = PeopleFeedback(feedback.it._config, feedback.learner, feedback.store, print, lambda: True)
    assert set(feedback.it.dataset.answered) == set(resumed.dataset.answered)
    assert {each.query_id for each in resumed.dataset.answered} == {*asked[-3:], later[0], later[2]}
    assert len(resumed.data) == len(feedback.it.data) == 5
