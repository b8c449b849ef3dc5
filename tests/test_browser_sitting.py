"""A sitting at the page, in a real browser: when nothing is asked, when one leaves, when an answer gets lost."""

import json

import pytest
from browsers import answered, begin, give_name, until

from prefrl.testing import random_queries


def test_nothing_open_and_then_a_pair_by_itself(store, rng, visit):
    page = visit()
    give_name(page)
    page.wait_for_selector("#empty:not([hidden])")
    assert "appears here by itself" in page.inner_text("#empty-why")
    assert page.is_hidden("#answers")
    store.ask(random_queries(1, rng))
    page.wait_for_selector("#right video")
    page.keyboard.press("1")
    page.wait_for_selector("#empty:not([hidden])")
    page.keyboard.press("u")
    page.wait_for_selector("#right video")


@pytest.mark.parametrize("status, what, why, agent", [
    ({"step": 3000, "steps": 10_000, "waiting_for": 5}, "Training is not running", "prefrl resume", "is not training"),
    ({"step": 8192, "steps": 8192}, "The run has ended", "asks nothing more", "has ended"),
], ids=["stopped", "ended"])  # fmt: skip
def test_pages_say_when_nobody_is_going_to_ask(visit, address, subject, status, what, why, agent):
    said = status | {"labels": 20, "labels_wanted": 900}
    (subject.folder / "status.json").write_text(json.dumps(said))
    page = visit()
    give_name(page)
    page.wait_for_selector("#empty:not([hidden])")
    assert page.inner_text("#empty-what") == what
    assert why in page.inner_text("#empty-why")
    page.goto(f"{address}progress")
    page.wait_for_selector("#tiles > div")
    assert agent in page.inner_text("#tiles")


@pytest.mark.parametrize("leave", [
    lambda page: page.goto("about:blank"), lambda page: page.keyboard.press("q"),
    lambda page: page.click("[data-action=leave]"),
], ids=["closed", "key", "button"])  # fmt: skip
def test_who_leaves_gives_their_pairs_back(store, queries, visit, leave):
    page = visit()
    begin(page)
    assert store.counts().held == 3
    leave(page)
    for _ in range(50):
        if not store.counts().held:
            break
        page.wait_for_timeout(100)
    assert store.counts().held == 0


def test_who_has_left_reads_that_the_tab_may_be_closed_and_may_come_back(store, queries, visit):
    page = visit()
    begin(page)
    page.keyboard.press("1")
    answered(page, 1)
    page.keyboard.press("q")
    assert page.inner_text("#empty").splitlines()[0] == "You may close this tab"
    assert "Answers saved: 1." in page.inner_text("#empty-why")
    assert page.inner_text("#said") == "You may close this tab"
    for key in ("1", "u", "q"):
        page.keyboard.press(key)
    page.wait_for_timeout(1500)  # longer than a look for new pairs
    assert page.is_visible("#empty")
    assert [record.withdrawn_at for record in store.records()] == [None]
    page.reload()
    page.wait_for_selector("#right video")


def test_an_answer_that_was_not_heard_is_sent_again(store, queries, visit):
    lost = []

    def lose(route):
        lost.append(route)
        route.fulfill(status=503, json={"error": "gone"})

    page = visit(routes={"**/answer": lose})
    begin(page)
    page.keyboard.press("1")
    page.wait_for_selector("#alarm:not([hidden])")
    assert "Not saved yet" in page.inner_text("#alarm")
    page.keyboard.press("2")  # not taken before the first one is
    assert store.records() == []
    page.unroute("**/answer")
    page.wait_for_selector("#alarm", state="hidden")
    assert len(lost) >= 1
    assert len(store.records()) == 1


def test_an_answer_that_is_refused_is_neither_said_to_be_saved_nor_counted(store, queries, visit, server):
    page = visit()
    begin(page)
    page.keyboard.press("1")
    answered(page, 1)
    on_screen = "document.querySelector('#left video').src + document.querySelector('#right video').src"
    before = page.evaluate(on_screen)
    server.stop()
    server.start("another-secret")
    for _ in range(2):  # the second one is not taken: the browser has to be let in first
        page.keyboard.press("2")
        page.wait_for_selector("#alarm:not([hidden])")
        until(page, "document.getElementById('said').textContent === 'Not saved.'")
        answered(page, 1)
    assert "last answer is not saved" in page.inner_text("#alarm")
    assert "Open the address that `prefrl serve` printed" in page.inner_text("#alarm")
    assert page.evaluate(on_screen) == before  # and its clips are still there
    until(page, "[...document.querySelectorAll('video')].every((video) => !video.error && !video.paused)")
    assert len(store.records()) == 1

    other = page.context.new_page()
    other.goto(f"{server.address}?token=another-secret")
    other.close()
    page.bring_to_front()
    page.wait_for_selector("#alarm", state="hidden")
    answered(page, 0)  # of the sitting with the new server
    page.keyboard.press("2")
    answered(page, 1)
    assert len(store.records()) == 2


def test_a_sitting_that_the_server_has_forgotten_begins_anew(store, queries, visit):
    page = visit(routes={"**/refill": lambda route: route.fulfill(status=503, json={})})  # that does not find out first
    begin(page)
    page.evaluate("""(async () => {
      const told = performance.getEntriesByType("resource").map(({ name }) => name.match("/tabs/[^/]*/")?.[0]);
      const message = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
      await fetch(`${told.find(Boolean)}close`, message);
    })()""")
    page.keyboard.press("1")
    until(page, "document.getElementById('alarm').textContent.includes('not saved')")
    answered(page, 0)
    assert page.inner_text("#said") == "Not saved."
    page.keyboard.press("1")
    answered(page, 1)
    assert len(store.records()) == 1
