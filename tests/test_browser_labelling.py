"""A person who labels on the page, in a real browser: keys, clicks, and clips that play."""

import numpy as np
from browsers import answered, begin, give_name, until

from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE


def test_labels_by_key_and_by_click_and_takes_back(store, queries, visit, address):
    store.set_question("Which is nicer?")
    page = visit()
    assert page.url == address
    begin(page)
    assert page.inner_text("h1") == "Which is nicer?"
    for number, key in enumerate(["ArrowLeft", "2", "ArrowDown", "s"], 1):
        page.keyboard.press(key)
        until(page, "document.getElementById('said').textContent.startsWith('Saved')")
        answered(page, number)
    until(page, "document.getElementById('said').textContent.includes('tell')")
    page.click("[data-action=right]")
    answered(page, 5)
    on_screen = [r.answer if not r.swapped or r.answer in (TIE, INCOMPARABLE) else {LEFT: RIGHT, RIGHT: LEFT}[r.answer]
                 for r in store.records()]  # fmt: skip
    assert on_screen == [LEFT, RIGHT, TIE, INCOMPARABLE, RIGHT]
    assert {record.labeler for record in store.records()} == {"Ann"}
    for left in (4, 3):
        page.keyboard.press("u")
        answered(page, left)
    until(page, "document.getElementById('said').textContent.startsWith('Taken back')")
    assert sum(record.withdrawn_at is not None for record in store.records()) == 2


def test_a_held_key_answers_once(store, queries, visit):
    page = visit()
    begin(page)
    for _ in range(5):
        page.keyboard.down("ArrowLeft")  # from the second on they are the keyboard's repeats
    answered(page, 1)
    page.wait_for_timeout(300)
    assert len(store.records()) == 1


def test_the_next_pair_plays_before_the_server_has_heard_of_the_answer(queries, visit):
    held_back = []
    page = visit(routes={"**/answer": lambda route: held_back.append(route)})
    begin(page)
    fetched = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/clips/')).length"
    until(page, f"{fetched} >= 6")  # of the pair in front and of the two after it
    page.route("**/clips/*", lambda route: route.abort())
    shown = "[...document.querySelectorAll('video')].map((video) => video.src)"
    before = page.evaluate(shown)
    page.keyboard.press("1")
    until(page, f"!{shown}.some((src) => {before}.includes(src))")
    until(page, "[...document.querySelectorAll('video')].every((video) => video.currentTime > 0)")
    assert not page.inner_text("#said").startswith("Saved")
    page.unroute("**/clips/*")
    held_back.pop().continue_()
    answered(page, 1)


def test_both_clips_play_in_step_pause_and_slow_down(queries, visit):
    page = visit()
    begin(page)
    times = "[...document.querySelectorAll('video')].map((video) => video.currentTime)"
    playing = "[...document.querySelectorAll('video')].every((video) => !video.paused)"
    until(page, f"({times})[0] > 0.1")
    one, other = page.evaluate(times)
    assert abs(one - other) < 0.1
    page.keyboard.press("p")
    assert not page.evaluate(playing)
    assert page.get_attribute("[data-action=pause]", "aria-pressed") == "true"
    page.keyboard.press("f")
    assert page.evaluate("document.querySelector('video').playbackRate") == 0.25
    page.keyboard.press(" ")
    assert page.evaluate(playing)
    page.keyboard.press("f")
    for _ in range(2):
        page.evaluate("new Promise((done) => { document.querySelector('#right video').onplay = done; })")  # once more
    assert abs(np.subtract(*page.evaluate(times))) < 0.1


def test_less_motion_is_asked_for(queries, visit):
    page = visit(reduced_motion="reduce")
    begin(page)
    page.wait_for_timeout(300)
    assert page.evaluate("document.querySelector('video').currentTime") == 0
    page.keyboard.press(" ")
    until(page, "document.querySelector('video').ended")
    page.wait_for_timeout(600)
    assert page.evaluate("document.querySelector('video').ended")


def test_help_and_the_keyboard_alone(store, queries, visit):
    page = visit()
    begin(page)
    page.keyboard.press("h")
    assert page.is_visible("#help")
    page.keyboard.press("1")  # not while the help is in front
    page.keyboard.press("Escape")
    assert page.is_hidden("#help")
    order = []
    for _ in range(12):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.dataset.action ?? document.activeElement.textContent"))
    wanted = ["left", "tie", "skip", "right", "replay", "pause", "slow", "help", "leave"]
    assert [each for each in order if each in wanted] == wanted
    page.focus("[data-action=tie]")
    page.keyboard.press("Tab")
    page.keyboard.press(" ")  # on the button that Tab has reached
    answered(page, 1)
    assert [record.answer for record in store.records()] == [INCOMPARABLE]


def test_a_name_is_asked_once_and_changed_easily(store, queries, visit):
    page = visit()
    begin(page, "Ann")
    page.reload()
    page.wait_for_selector("#right video")
    assert page.inner_text("#who") == "Ann"
    page.click("#who")
    page.fill("#name", "Bob")
    page.click("#naming button[type=submit]")
    until(page, "document.getElementById('who').textContent === 'Bob'")
    page.wait_for_selector("#right video")
    page.keyboard.press("1")
    answered(page, 1)
    assert [record.labeler for record in store.records()] == ["Bob"]


def test_a_name_that_is_refused_is_asked_for_again(store, queries, visit):
    page = visit()
    give_name(page, "oracle")
    page.wait_for_selector("#naming-wrong:not([hidden])")
    assert "choose another name" in page.inner_text("#naming-wrong")
    begin(page, "Ann")
    page.keyboard.press("1")
    answered(page, 1)
    assert [record.labeler for record in store.records()] == ["Ann"]
