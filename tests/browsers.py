"""The labeling page as Debian's chromium shows it: a server of its own, who visits it, and what they do there."""

import shutil
import socket
import threading

import cv2
import numpy as np
import pytest
from pages import TOKEN

from prefrl.clips import frames_of, webm

ARGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZES = {"phone": (390, 844), "laptop": (1280, 720), "large": (2560, 1440), "short": (844, 390)}


class Moving:
    """A grey clip of ten frames with a square that moves; recorded screens as they are."""

    def __call__(self, states):
        if states.dtype == np.uint8:
            return webm(frames_of(states, draw=None), 15)
        frames = np.full((10, 64, 64, 3), 90, np.uint8)
        for number, frame in enumerate(frames):
            cv2.rectangle(frame, (4 * number, 20), (4 * number + 12, 40), (230, 160, 60), -1)
        return webm(frames, 20)

    def close(self): ...


class Server:
    """The page in a thread of this process; started anew it has another secret and knows no tabs, at its old port."""

    def __init__(self, store, subject):
        self._store, self._subject = store, subject
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self.start(TOKEN)

    def start(self, token):
        import uvicorn

        from prefrl.labelers.web.app import create_app
        from prefrl.labelers.web.clips import Clips

        app = create_app(self._store, self._subject, Clips(Moving), token=token, repeat=0.0)
        self._uvicorn = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs={"sockets": [self._listening.dup()]})
        self._thread.start()

    def stop(self):
        self._uvicorn.should_exit = True
        self._thread.join()

    def close(self):
        self.stop()
        self._listening.close()


@pytest.fixture(scope="session")
def chromium_program():
    """The path of Debian's chromium."""
    from conftest import missing

    return shutil.which("chromium") or missing("chromium", "chromium is not on PATH (apt-get install chromium)")


@pytest.fixture(scope="module")
def chromium(chromium_program):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program, args=ARGS)
        yield browser
        browser.close()


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
    """Opens the printed address in a browser of its own; what a page complains of fails the test.

    `routes` (pattern to handler) are taken from the first request on: of a page that is open already, Chromium lets a
    request that follows at once pass by a new route, now and then (1 of 150 on a busy machine).
    """
    contexts, complaints = [], []

    def open_page(size="laptop", routes=None, **options):
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page = context.new_page()
        for pattern, handler in (routes or {}).items():
            page.route(pattern, handler)
        page.goto(f"{address}?token={TOKEN}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    asked_for = ("status of 503", "status of 400", "status of 403", "status of 404")  # by some of the tests
    assert [each for each in complaints if not any(status in each for status in asked_for)] == []


def give_name(page, name="Ann"):
    page.fill("#name", name)
    page.keyboard.press("Enter")


def begin(page, name="Ann"):
    give_name(page, name)
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
