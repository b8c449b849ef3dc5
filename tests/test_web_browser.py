"""A person at the page, played by Debian's chromium: keys, clicks, touch, and what they see."""

import json
import os
import shutil
import socket
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("uvicorn")

import uvicorn
from pages import TOKEN
from prefrl_envs.screens import pack

from prefrl.clips import frames_of, webm
from prefrl.labelers.web.app import create_app
from prefrl.labelers.web.clips import Clips
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Query
from prefrl.testing import random_queries, random_segments

ARGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZES = {"phone": (390, 844), "laptop": (1280, 720), "large": (2560, 1440), "short": (844, 390)}


class Drawn:
    """A grey clip of ten frames with a square that moves; recorded screens as they are."""

    def __call__(self, states):
        if states.dtype == np.uint8:
            return webm(frames_of(states, draw=None), 15)
        frames = np.full((10, 64, 64, 3), 90, np.uint8)
        for number, frame in enumerate(frames):
            cv2.rectangle(frame, (4 * number, 20), (4 * number + 12, 40), (230, 160, 60), -1)
        return webm(frames, 20)

    def close(self): ...


@pytest.fixture(scope="module")
def chromium():
    from conftest import missing

    path = shutil.which("chromium")
    if path is None:
        missing("chromium", "not on PATH; apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("chromium", "playwright is not installed; pip install 'prefrl[dev]'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


class Server:
    """The page in a thread of this process; started anew it has another secret and knows no tabs, at its old port."""

    def __init__(self, store, subject):
        self._store, self._subject = store, subject
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self.start(TOKEN)

    def start(self, token):
        app = create_app(self._store, self._subject, Clips(Drawn), token=token, repeat=0.0, question="Which is nicer?")
        self._uvicorn = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs={"sockets": [self._listening.dup()]})
        self._thread.start()

    def stop(self):
        self._uvicorn.should_exit = True
        self._thread.join()

    def close(self):
        self.stop()
        self._listening.close()


@pytest.fixture
def server(store, subject):
    server = Server(store, subject)
    yield server
    server.close()


@pytest.fixture
def address(server):
    return server.address


@pytest.fixture
def visit(chromium, address):
    """Opens the printed address in a browser of its own; what a page complains of fails the test."""
    contexts, complaints = [], []

    def open_page(size="laptop", **options):
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page = context.new_page()
        page.goto(f"{address}?token={TOKEN}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    asked_for = ("status of 503", "status of 400", "status of 403", "status of 404")  # by some of the tests
    assert [each for each in complaints if not any(status in each for status in asked_for)] == []


def begin(page, name="Ann"):
    page.fill("#name", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#right video")


def until(page, true):
    """Playwright's own way evaluates a string in the page, which the page forbids."""
    for _ in range(200):
        if page.evaluate(true):
            return
        page.wait_for_timeout(25)
    raise AssertionError(true)


def answered(page, number):
    until(page, f"document.getElementById('figures').textContent.startsWith('{number} answer')")
    until(page, "!document.querySelector('.word, [aria-busy=true]')")


def test_labels_by_key_and_by_click_and_takes_back(store, queries, visit, address):
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


def test_the_next_pair_is_there_at_once(queries, visit):
    page = visit()
    begin(page)
    page.wait_for_timeout(1000)
    for number in range(1, 6):
        page.keyboard.press("1")
        answered(page, number)
        page.wait_for_timeout(500)
    marks = page.evaluate("performance.getEntriesByType('mark').map(({name, startTime}) => [name, startTime])")
    answers = [at for name, at in marks if name == "answer"]
    waits = [min(at for name, at in marks if name == "pair" and at >= answer) - answer for answer in answers]
    assert len(waits) == 5
    assert np.median(waits) < 50


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


def test_nothing_open_and_then_a_pair_by_itself(store, rng, visit):
    page = visit()
    page.fill("#name", "Ann")
    page.keyboard.press("Enter")
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
    os.utime(subject.folder / "status.json", (0, 0))
    page = visit()
    page.fill("#name", "Ann")
    page.keyboard.press("Enter")
    page.wait_for_selector("#empty:not([hidden])")
    assert page.inner_text("#empty-what") == what
    assert why in page.inner_text("#empty-why")
    page.goto(f"{address}progress")
    page.wait_for_selector("#tiles > div")
    assert agent in page.inner_text("#tiles")


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
    page.fill("#name", "oracle")
    page.keyboard.press("Enter")
    page.wait_for_selector("#naming-wrong:not([hidden])")
    assert "choose another name" in page.inner_text("#naming-wrong")
    begin(page, "Ann")
    page.keyboard.press("1")
    answered(page, 1)
    assert [record.labeler for record in store.records()] == ["Ann"]


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
    page = visit()
    begin(page)
    lost = []

    def lose(route):
        lost.append(route)
        route.fulfill(status=503, json={"error": "gone"})

    page.route("**/answer", lose)
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
    assert page.evaluate("[...document.querySelectorAll('video')].every((video) => !video.error && !video.paused)")
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
    page = visit()
    begin(page)
    page.route("**/refill", lambda route: route.fulfill(status=503, json={}))  # that does not find out first
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


@pytest.mark.parametrize("size", list(SIZES))
def test_everything_fits_on_one_screen(queries, visit, size):
    page = visit(size, has_touch=size == "phone", is_mobile=size == "phone")
    begin(page)
    width, height = SIZES[size]
    boxes = [page.locator(what).bounding_box() for what in ("#left", "#right", "#answers", ".controls", "header")]
    for box in boxes:
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= width + 0.5
        assert box["y"] + box["height"] <= height + 0.5
    left, right, answers, *_ = boxes
    assert min(left["width"], right["width"]) >= 150
    assert (right["y"] > left["y"]) == (size == "phone")
    assert left["y"] + left["height"] <= answers["y"] + 1
    assert min(button.bounding_box()["height"] for button in page.locator("#answers button").all()) >= 44
    if size == "phone":
        page.tap("[data-action=left]")
        answered(page, 1)


def test_the_progress_page_follows(store, queries, visit, address):
    page = visit()
    begin(page)
    progress = page.context.new_page()
    progress.goto(f"{address}progress")
    progress.wait_for_selector(".empty:not([hidden])")
    page.bring_to_front()
    page.keyboard.press("1")
    answered(page, 1)
    progress.bring_to_front()
    progress.wait_for_selector("#chart svg")
    assert "1" in progress.inner_text("#tiles div:first-child .value")
    assert progress.inner_text("#labelers tr th") == "Ann"


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_progress_page_tells_labelers_apart(store, clock, queries, visit, address, scheme):
    page = visit(color_scheme=scheme)
    names = [f"labeler {number}" for number in range(7)]
    for query, name in zip(queries, [*names, names[0]], strict=False):
        clock.now += 1
        store.answer(query.id, name, LEFT)
    page.goto(f"{address}progress")
    page.wait_for_selector("#legend:not([hidden])")
    assert page.inner_text("#legend").splitlines() == ["All 8", f"{names[0]} 2", *(f"{name} 1" for name in names[1:])]
    assert "labeler 0 2, labeler 1 1" in page.get_attribute("#chart svg", "aria-label")
    drawn = page.evaluate((Path(__file__).parent / "lines.js").read_text(encoding="utf-8"))
    assert len({line["stroke"] for line in drawn}) == 8
    assert len({line["dashes"] for line in drawn[1:]}) == 7  # not by colour alone
    assert min(line["contrast"] for line in drawn) >= 3  # WCAG AA for graphics


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_contrast_of_all_words(queries, visit, address, scheme):
    """WCAG AA: 4.5 to 1."""
    page = visit(color_scheme=scheme)
    begin(page)
    for path in ("", "progress"):
        page.goto(address + path)
        page.wait_for_timeout(500)
        page.evaluate("document.getElementById('help')?.showModal()")
        low = page.evaluate((Path(__file__).parent / "contrast.js").read_text(encoding="utf-8"))
        assert low == []


@pytest.mark.parametrize("density", [1, 1.5])
def test_recorded_screens_are_shown_in_whole_pixels_in_the_middle(store, visit, rng, density):
    screens = rng.integers(0, 255, (3, 210, 160, 3), np.uint8)
    recorded = [replace(each, render_states=pack(screens)) for each in random_segments(2, rng, length=3)]
    store.ask([Query(tuple(recorded), 0)])
    page = visit(device_scale_factor=density)
    begin(page)
    across, down, left, aside, scaling = page.evaluate("""(() => {
      const video = document.querySelector("#left video"), figure = document.getElementById("left");
      const inner = video.getBoundingClientRect(), outer = figure.getBoundingClientRect();
      const aside = (inner.left - outer.left) - (outer.right - inner.right);
      const real = [inner.width / 160, inner.height / 210, inner.left].map((length) => length * devicePixelRatio);
      return [...real, Math.abs(aside), getComputedStyle(video).imageRendering];
    })()""")
    for length in (across, down, left):
        assert length == pytest.approx(round(length), abs=0.01)
    assert 4 / 3 <= round(across) / round(down) <= 2
    assert aside < 2
    assert scaling == "pixelated"
