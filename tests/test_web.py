"""The page's server, without a browser: sittings over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pages import HERE, TOKEN, Drawn, say, sit
from starlette.testclient import TestClient

from prefrl.labelers.web.app import create_app
from prefrl.labelers.web.clips import Clips
from prefrl.labelers.web.tabs import FORGOTTEN_AFTER, MOST_TABS, Tabs
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, Query
from prefrl.runs.lock import only_trainer
from prefrl.segments import Segment
from prefrl.testing import random_queries


class TestSitting:
    def test_from_a_name_to_answers_in_the_store(self, store, queries, browser):
        tab = sit(browser, "  Ann ")
        assert (tab["labeler"], tab["answers"], len(tab["pairs"]), tab["subject"]) == ("Ann", 0, 3, "Hopper")
        assert tab["question"] == "Which is better?"
        first = queries[0]
        left = tab["pairs"][0]["left"]
        after = say(browser, tab, "answer", turn=tab["turn"], choice="left").json()
        (record,) = store.records()
        assert (record.labeler, record.query_id) == ("Ann", first.id)
        assert record.answer == (LEFT if left == first.segments[0].id else RIGHT)
        assert record.swapped == (left != first.segments[0].id)
        assert (after["answers"], len(after["pairs"])) == (1, 3)
        assert after["pairs"][0] == tab["pairs"][1]
        assert after["turn"] > tab["turn"]
        assert (tab["waiting"], after["waiting"]) == (len(queries), len(queries) - 1)  # those in hand, too

    def test_what_is_said_twice_is_taken_once(self, store, queries, browser):
        tab = sit(browser)
        assert say(browser, tab, "answer", turn=tab["turn"], choice="left").status_code == 200
        again = say(browser, tab, "answer", turn=tab["turn"], choice="left")
        assert (again.status_code, again.json()["error"], again.json()["answers"]) == (409, "stale", 1)
        assert len(store.records()) == 1

    def test_undo_goes_back_through_the_sitting(self, store, queries, browser):
        tab = before = sit(browser)
        for _ in range(3):
            tab |= say(browser, tab, "answer", turn=tab["turn"], choice="tie").json()
        for left in (2, 1, 0):
            tab |= say(browser, tab, "undo", turn=tab["turn"]).json()
            assert tab["answers"] == left
        assert tab["pairs"][0] == before["pairs"][0]
        assert store.counts().labels == 0
        assert say(browser, tab, "undo", turn=tab["turn"]).json()["answers"] == 0

    def test_an_answer_that_the_store_refuses_is_passed_over(self, store, queries, browser):
        tab = sit(browser)
        store.answer(queries[0].id, "ann", INCOMPARABLE)
        said = say(browser, tab, "answer", turn=tab["turn"], choice="left")
        assert said.status_code == 409
        assert "answered query" in said.json()["error"]
        assert said.json()["pairs"][0] == tab["pairs"][1]

    def test_nothing_open_and_then_something(self, store, rng, browser):
        tab = sit(browser)
        assert tab["pairs"] == []
        assert say(browser, tab, "answer", turn=tab["turn"], choice="left").status_code == 409
        store.ask(random_queries(1, rng))
        later = say(browser, tab, "refill").json()
        assert (len(later["pairs"]), later["turn"]) == (1, tab["turn"] + 1)

    def test_clips_only_of_what_is_shown_or_comes_next(self, queries, browser):
        ann, bob = sit(browser, "ann"), sit(browser, "bob")
        for pair in ann["pairs"]:
            for segment in pair.values():
                clip = browser.get(f"/tabs/{ann['tab']}/clips/{segment}")
                assert (clip.status_code, clip.headers["content-type"]) == (200, "video/webm")
                assert clip.content.startswith(b"3 ")
                assert browser.get(f"/tabs/{bob['tab']}/clips/{segment}").status_code == 404
        assert browser.get(f"/tabs/{ann['tab']}/clips/{queries[20].segments[0].id}").status_code == 404

    def test_a_clip_that_nothing_draws(self, store, rng, browser):
        steps = [rng.normal(size=(3, 2)).astype(np.float32) for _ in range(2)]
        bare = tuple(Segment("test/Bare-v0", {"obs": obs}, obs, obs[:, 0]) for obs in steps)
        store.ask([Query(bare, 0)])
        tab = sit(browser)
        said = browser.get(f"/tabs/{tab['tab']}/clips/{bare[0].id}")
        assert (said.status_code, said.json()) == (409, {"error": "this clip keeps nothing to draw it by"})

    def test_a_closed_tab_gives_back_what_it_held(self, store, queries, browser):
        tab = sit(browser)
        assert store.counts().held == 3
        assert say(browser, tab, "close").status_code == 204
        assert store.counts().held == 0
        assert say(browser, tab, "refill").status_code == 404
        assert say(browser, tab, "close").status_code == 204

    def test_the_end_of_the_server_gives_back_everything(self, store, queries, app):
        with TestClient(app, HERE, headers={"origin": HERE}) as browser:
            browser.get("/", params={"token": TOKEN})
            sit(browser, "ann")
            sit(browser, "bob")
            assert store.counts().held == 6
        assert store.counts().held == 0

    def test_the_trainer_and_the_question_of_the_run(self, store, subject, queries):
        (subject.folder / "status.json").write_text('{"step": 5, "steps": 10, "labels": "many", "odd": 1}')
        app = create_app(store, subject, Clips(Drawn), token=TOKEN)
        store.set_question("Which flips?")
        with only_trainer(subject.folder), TestClient(app, HERE, headers={"origin": HERE}) as browser:
            browser.get("/", params={"token": TOKEN})
            tab = sit(browser)
        assert (tab["question"], tab["trainer"]) == ("Which flips?", {"step": 5, "steps": 10, "running": True})
        assert tab["resume"] == f"prefrl resume {subject.folder}"

    @pytest.mark.parametrize("status", ["", "[1]", '{"step": true, "steps": null}', "\x00"])
    def test_a_trainer_that_says_nothing_of_use(self, subject, status):
        (subject.folder / "status.json").write_text(status)
        assert subject.trainer().said() == {}

    def test_eight_labelers_at_once_lose_and_double_nothing(self, store, rng, browser):
        store.ask(random_queries(80, rng, length=2))

        def label(name):
            tab = sit(browser, name)
            while tab["pairs"]:
                tab |= say(browser, tab, "answer", turn=tab["turn"], choice="right").json()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(label, [f"labeler {number}" for number in range(8)]))
        assert len({record.query_id for record in store.records()}) == len(store.records()) == 80


class TestTabs:
    def test_are_forgotten_when_nothing_is_heard_of_them(self, store, queries):
        now = [0.0]
        tabs = Tabs(store, np.random.default_rng(0), clock=lambda: now[0])
        old, new = tabs.open("ann"), tabs.open("bob")
        now[0] = FORGOTTEN_AFTER - 1
        assert tabs.find(new) is not None
        now[0] = FORGOTTEN_AFTER + 1
        tabs.forget_unseen()
        assert (tabs.find(old), len(tabs)) == (None, 1)
        assert tabs.find(new) is not None

    def test_are_not_without_number(self, store, browser):
        for _ in range(MOST_TABS):
            assert browser.post("/tabs", json={"name": "ann"}).status_code == 201
        assert browser.post("/tabs", json={"name": "ann"}).status_code == 429

    def test_a_closed_one_takes_nothing_any_more(self, store, queries):
        tabs = Tabs(store, np.random.default_rng(0))
        name = tabs.open("ann")
        tab = tabs.find(name)
        tabs.close(name)
        tab.refill()
        assert store.counts().held == 0
