"""What the page tells of a run's labels."""

import time

import pytest
from pages import say, sit

from prefrl.labelers.web.progress import POINTS, curve, curves, progress, rate
from prefrl.quality import by_labeler
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Record
from prefrl.testing import random_queries


class TestProgress:
    def record(self, query, at, labeler="ann", answer=LEFT, repeat=False, withdrawn_at=None):
        return Record(f"q{query}", 0, labeler, answer, False, repeat, 2.0, at, withdrawn_at)

    def test_the_curve_counts_queries_that_stand(self):
        records = [
            self.record(0, 10.0), self.record(0, 11.0, "bob"), self.record(1, 12.0, withdrawn_at=13.0),
            self.record(2, 14.0, answer=INCOMPARABLE), self.record(3, 15.0), self.record(3, 16.0, repeat=True),
        ]  # fmt: skip
        assert curve(records) == [(10.0, 1), (15.0, 2)]
        assert curve([]) == []

    @pytest.mark.parametrize("number", [1, POINTS, POINTS + 1, 1000, 1999])
    def test_a_long_curve_is_thinned_out_from_its_first_to_its_last(self, number):
        points = curve([self.record(i, float(i)) for i in range(number)])
        assert (points[0], points[-1]) == ((0.0, 1), (float(number - 1), number))
        assert len(points) <= POINTS + 2
        assert points == sorted(set(points))

    def test_a_curve_of_each_labeler_and_at_most_seven(self):
        shared = [
            self.record(0, 10.0, "bob"),
            self.record(0, 12.0),
            self.record(1, 14.0),
            self.record(2, 16.0, "cid", TIE),
        ]
        skips = [self.record(3, 18.0, "dan", INCOMPARABLE)]
        assert curves(by_labeler([*shared, *skips])) == [
            ("bob", [(10.0, 1)]), ("ann", [(12.0, 1), (14.0, 2)]), ("cid", [(16.0, 1)]),
        ]  # fmt: skip
        assert curve(shared)[-1] == (16.0, 3)
        many = [self.record(i, float(i), f"labeler {i}") for i in range(9)]
        assert [name for name, _ in curves(by_labeler(many))] == [f"labeler {i}" for i in range(7)]

    @pytest.mark.parametrize("now, expected", [(10.0, 3.0), (120.0, 1.5), (605.0, 0.1), (2000.0, 0.0)])
    def test_the_rate_is_of_the_last_ten_minutes(self, now, expected):
        records = [self.record(i, at) for i, at in enumerate((0.0, 2.0, 9.0))]
        assert rate(records, now) == pytest.approx(expected)

    def test_over_http(self, store, queries, browser):
        assert browser.get("/progress.json").json()["labelers"] == []
        tab = sit(browser)
        say(browser, tab, "answer", turn=tab["turn"], choice="left")
        said = browser.get("/progress.json").json()
        assert (said["counts"]["labels"], said["labelers"][0]["name"], len(said["curve"])) == (1, "ann", 1)
        assert said["subject"] == "Hopper"

    def test_agreement_of_two(self, store, rng):
        queries = random_queries(4, rng)
        store.ask(queries, answers_wanted=2)
        for query in queries:
            for labeler in ("ann", "bob"):
                store.answer(query.id, labeler, LEFT if query is queries[0] else RIGHT)
        found = progress(store.records(), store.counts(), time.time())["agreement"]
        assert (found["labelers"], found["queries"], found["kappa"]) == (2, 4, 1.0)
