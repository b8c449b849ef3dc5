"""Several processes and threads at one store, on every engine."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from stores import Always, a_query, counts, ids

from prefrl.labelers.worker import work
from prefrl.queries import LEFT
from prefrl.store import PreferenceStore


@pytest.fixture
def store(location, clock):
    """On every engine, not in a file alone."""
    with PreferenceStore(location, clock=clock) as opened:
        yield opened


class TestProcesses:
    @pytest.mark.parametrize("wanted", [1, 2])
    def test_none_is_lost_and_none_is_double(self, location, wanted):
        queries = [a_query(i) for i in range(100)]
        with PreferenceStore(location) as store:
            store.ask(queries, answers_wanted=wanted)
            start = multiprocessing.get_context("spawn").Barrier(4)
            in_another_process(label_everything, [(location, f"labeler{i}", start) for i in range(4)])
            comparisons = store.answered()
        assert ids(comparisons) == [query.id for query in queries for _ in range(wanted)]
        assert len({(comparison.query.id, comparison.labeler) for comparison in comparisons}) == 100 * wanted
        assert len({comparison.labeler for comparison in comparisons}) > 1

    def test_threads_may_share_one_store(self, store):
        store.ask(a_query(i) for i in range(40))
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: work(store, Always(LEFT)), range(4)))
        assert sum(done) == 40
        assert store.counts() == counts(asked=40, labels=40)

    def test_all_may_make_it_at_once(self, location, tmp_path):
        in_another_process(ask_about, [(location, number) for number in range(4)])
        with PreferenceStore.existing(location) as store:
            assert store.counts().asked == 4
        assert len(list(tmp_path.iterdir())) <= 1

    def test_a_killed_process_loses_nothing_that_the_store_took(self, location):
        in_another_process(answer_and_die, [(location,)], code=1)
        with PreferenceStore.existing(location) as store:
            assert store.counts() == counts(asked=2, open=1, labels=1)


def in_another_process(work, arguments, code=0):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [code] * len(processes)


def label_everything(path, name, start):
    with PreferenceStore.existing(path) as store:
        first = store.claim(name)
        start.wait()  # so that each of them takes part, however busy the machine
        store.answer(first.id, name, LEFT, kind="model")
        work(store, Always(LEFT, name))


def ask_about(path, number):
    with PreferenceStore(path) as store:
        store.ask([a_query(number)])


def answer_and_die(path):
    store = PreferenceStore(path)
    store.ask([a_query(1), a_query(2)])
    store.answer(store.claim("ann").id, "ann", LEFT)
    os._exit(1)
