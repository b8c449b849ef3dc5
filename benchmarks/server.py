"""The labeling page's server for the benchmarks, and who comes to it: a client of a few lines, and a real browser."""

from __future__ import annotations

import ctypes
import http.client
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from beside import PATIENCE_S, Sitting, right_answer

from prefrl.labelers.oracle import discounted_return
from prefrl.store import PreferenceStore

CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23  # of Linux
READY = "!document.querySelector('.word, #answers[hidden], #answers[aria-busy=true]')"  # to be answered


class Server:
    """`prefrl serve` in a process of its own; a context manager."""

    def __init__(self, run: Path, *options: str) -> None:
        command = [sys.executable, "-m", "prefrl.cli", "serve", str(run), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        address = urlsplit(self.address)
        if not address.port:
            raise SystemExit(self.process.communicate()[1])
        self.port, self.token = address.port, parse_qs(address.query)["token"][0]
        self.host = f"127.0.0.1:{self.port}"
        self.cookie = f"prefrl-{self.port}={self.token}"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.said = self.process.communicate(timeout=30)[1]


class Client:
    """A connection that says what a page of the server's would."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._headers = {"Cookie": server.cookie, "Origin": f"http://{server.host}", "Content-Type": "application/json"}

    def post(self, path: str, message: dict[str, Any]) -> tuple[int, Any]:
        self._connection.request("POST", path, json.dumps(message), self._headers)
        reply = self._connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")

    def get(self, path: str) -> int:
        self._connection.request("GET", path, headers=self._headers)
        reply = self._connection.getresponse()
        reply.read()
        return reply.status


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's chromium through Playwright."""
    from playwright.sync_api import sync_playwright

    if (path := shutil.which("chromium")) is None:
        raise SystemExit("chromium is not on PATH; apt-get install chromium")
    if sys.platform == "linux":  # root's would put itself before a trainer; nobody else's can
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


class Returns:
    """The true return of every segment that was ever asked about, read from the store."""

    def __init__(self, store: PreferenceStore) -> None:
        self._store, self._known = store, dict[str, float]()
        self._seen = set[str]()

    def better(self, pair: dict[str, str]) -> str:
        """What an oracle says of the two clips on the screen: "left", "right" or "tie"."""
        if pair["left"] not in self._known or pair["right"] not in self._known:
            self._read()
        return right_answer(self._known[pair["left"]], self._known[pair["right"]])

    def _read(self) -> None:
        new = [query_id for query_id in self._store.asked() if query_id not in self._seen]
        for query_id, query in self._store.queries(new).items():
            self._seen.add(query_id)
            self._known |= {segment.id: discounted_return(segment, 1.0) for segment in query.segments}


class Page:
    """The labeling page in a tab of a real browser; a context manager."""

    def __init__(self, browser: Any, server: Server, name: str, returns: Returns) -> None:
        self._returns = returns
        self._context = browser.new_context(viewport={"width": 1280, "height": 720})
        self._page = self._context.new_page()
        self._page.goto(server.address)
        self._page.fill("#name", name)
        with self._page.expect_response("**/tabs") as reply:
            self._page.keyboard.press("Enter")
        self.state: dict[str, Any] = reply.value.json()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._page.goto("about:blank")  # tells the server that this tab is closed
        self._context.close()

    def label(self, pairs: int, pace_s: float) -> Sitting:
        """Presses the right key for so many pairs, each `pace_s` seconds after it has appeared."""
        sitting, by_itself = Sitting(), []
        for number in range(pairs):
            self.wait_for_a_pair()
            sitting.shown.append(time.monotonic())
            self._page.wait_for_timeout(1000 * pace_s)
            if self.answer():
                by_itself.append(number)
        self.wait_for_a_pair()
        sitting.shown.append(time.monotonic())
        waits = self._waits()[-pairs:]
        sitting.waits = [wait for number, wait in enumerate(waits) if number not in by_itself]
        return sitting

    def label_all(self) -> list[float]:
        """Presses the right key as soon as a pair is there, until nothing is open; seconds to each next pair."""
        while self.state["pairs"]:
            self.wait_for_a_pair()
            self.answer()
        return self._waits()

    def answer(self) -> bool:
        """Presses the key of the better clip; returns whether nothing else was open then."""
        key = {"left": "1", "right": "2", "tie": "3"}[self._returns.better(self.state["pairs"][0])]
        with self._page.expect_response("**/answer") as reply:
            self._page.keyboard.press(key)
        self.state = reply.value.json()
        return not self.state["pairs"]

    def wait_for_a_pair(self) -> None:
        """Returns once both clips of a pair are on the screen, and it may be answered."""
        until = time.monotonic() + PATIENCE_S
        while not self.state["pairs"]:
            with self._page.expect_response("**/refill", timeout=1000 * PATIENCE_S) as reply:
                pass  # the page asks by itself, every second
            self.state = reply.value.json()
        while not self._page.evaluate(READY):
            if time.monotonic() > until:
                raise SystemExit("no pair appeared")
            self._page.wait_for_timeout(5)

    def _waits(self) -> list[float]:
        """Seconds from each key to the next pair, by the page's own clock."""
        marks = self._page.evaluate("performance.getEntriesByType('mark').map((mark) => [mark.name, mark.startTime])")
        shown = [at for name, at in marks if name == "pair"]
        answers = [at for name, at in marks if name == "answer"]
        return [(min(later) - at) / 1000 for at in answers if (later := [each for each in shown if each >= at])]
