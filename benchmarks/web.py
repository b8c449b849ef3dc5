"""How the labelling page's server stands eight labelers at once, and requests that make no sense.

    python benchmarks/web.py --answers 1000 --requests 10000 --out benchmarks/results/web.json
    python benchmarks/web.py --store postgresql+psycopg://host/name

A server process of its own, as `prefrl serve` starts it, on segments of PointGoal; the labelers are threads here with
a connection each, who answer as soon as a pair is shown. "answer" is from sending an answer to the reply that
names the next pair, the answer on disk by then. None of the labelers fetches clips unless `--clips` is given.
The requests are drawn by a seed: broken HTTP, foreign hosts and origins, odd paths, methods and bodies, with
and without the cookie, sent as raw bytes. What must not be there: a status of 500 or more, a trace, what is
in any file beside the pages, a file that is new.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from machine import machine

from prefrl.presets import preset_config
from prefrl.queries import Query
from prefrl.runs import RunFolder
from prefrl.segments import Segment
from prefrl.store import PreferenceStore

LABELERS = 8
STEPS = 25  # of a segment
FORBIDDEN = (b"Traceback", b'File "', b"SQLite format", b"root:x:", b"sqlalchemy", b"site-packages")


class Server:
    """`prefrl serve` in a process of its own; a context manager."""

    def __init__(self, run: Path, store: str | None) -> None:
        command = [sys.executable, "-m", "prefrl.cli", "serve", str(run), *(("--store", store) if store else ())]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        address = urlsplit(self._process.stdout.readline().strip())
        if not address.port:
            raise SystemExit(self._process.communicate()[1])
        self.port, self.token = address.port, parse_qs(address.query)["token"][0]
        self.host = f"127.0.0.1:{self.port}"
        self.cookie = f"prefrl-{self.port}={self.token}"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self.said = self._process.communicate(timeout=30)[1]


class Browser:
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


def queries(number: int) -> list[Query]:
    """Pairs of random walks across PointGoal's square."""
    rng = np.random.default_rng(0)

    def segment() -> Segment:
        states = rng.uniform(-1, 1, size=(STEPS, 4)).astype(np.float32)
        return Segment("prefrl/PointGoal-v0", states, states[:, :2].copy(), states[:, 0].copy(), states)

    return [Query((segment(), segment()), step) for step in range(number)]


def label(server: Server, name: str, clips: bool) -> list[float]:
    """Answers until nothing is open; seconds an answer."""
    browser, seconds, choose = Browser(server), [], random.Random(name)
    _, state = browser.post("/tabs", {"name": name})
    tab = f"/tabs/{state['tab']}"
    while state["pairs"]:
        if clips:
            assert {browser.get(f"{tab}/clips/{segment}") for segment in state["pairs"][0].values()} == {200}
        message = {"turn": state["turn"], "choice": choose.choice(["left", "right", "tie", "skip"])}
        began = time.perf_counter()
        status, state = browser.post(f"{tab}/answer", message)
        seconds.append(time.perf_counter() - began)
        assert status == 200, state
    return seconds


def labelers(server: Server, store: PreferenceStore, asked: list[Query], clips: bool) -> dict[str, Any]:
    """Figures of eight at once; fails where an answer was lost, or taken twice."""
    began = time.perf_counter()
    with ThreadPoolExecutor(LABELERS) as pool:
        taken = list(pool.map(lambda number: label(server, f"labeler {number}", clips), range(LABELERS)))
    wall = time.perf_counter() - began
    seconds = np.concatenate([np.array(each) for each in taken])
    wanted = {query.id for query in asked}
    first = [record for record in store.records() if record.query_id in wanted and not record.repeat]
    answered = Counter(record.query_id for record in first)
    return {
        "labelers": LABELERS,
        "answers_with_repeats": len(seconds),
        "lost": len(wanted - set(answered)),
        "double": sum(count - 1 for count in answered.values()),
        "answers_per_minute": round(60 * len(seconds) / wall),
        "p50_ms": round(1e3 * float(np.median(seconds)), 2),
        "p99_ms": round(1e3 * float(np.quantile(seconds, 0.99)), 2),
        "max_ms": round(1e3 * float(seconds.max()), 2),
        "clips_fetched": clips,
    }


NAMES = (
    b"tabs", b"answer", b"undo", b"refill", b"close", b"clips", b"..", b"%2e%2e", b"%00", b"page.js", b"config.json",
    b"preferences.sqlite3", b"etc/passwd", b"progress.json", b"a" * 3000,
)  # fmt: skip
VALUES = (
    b'"ann"', b"0", b"-1", b"1e999", b"NaN", b"true", b"null", b'"left"', b'"\\ud800"', b'"\\u0000"', b"[]",
    b"[" * 3000, b"9" * 4000, b'"' + b"a" * 100 + b'"',
)  # fmt: skip
KINDS = (b"text/plain", b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded")


def nonsense(draw: random.Random, server: Server, tab: str) -> bytes:
    """One request in which something is odd, nearly always."""

    def noise(most: int) -> bytes:
        return draw.randbytes(draw.randrange(most))

    def maybe(usual: bytes, *odd: bytes) -> bytes:
        return usual if draw.random() < 0.85 else draw.choice([*odd, noise(30)])

    if draw.random() < 0.05:
        return noise(200)
    what = draw.choice([b"answer", b"undo", b"refill", b"clips/" + noise(4).hex().encode()])
    usual = draw.choice([b"tabs", b"tabs/" + tab.encode() + b"/" + what])
    path = b"/".join([b"", *(draw.choice(NAMES) for _ in range(draw.randrange(5)))])
    path = draw.choice([b"/" + usual, b"/" + maybe(usual, b"\\", b"?token="), path])
    fields = [b'"name"', b'"turn"', b'"choice"', b'"x"', noise(5)]
    pairs = (draw.choice(fields) + b":" + maybe(draw.choice(VALUES)) for _ in range(draw.randrange(4)))
    body = maybe(b"{" + b",".join(pairs) + b"}", b"", b"[]", noise(9000), b" " * 5000)
    own, length = server.host.encode(), b"Content-Length: "
    lines = [
        maybe(b"POST", b"GET", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE") + b" " + path + b" HTTP/1.1",
        b"Host: " + maybe(own, b"evil.example", b"", own + b"@evil"),
        b"Cookie: " + maybe(server.cookie.encode(), b"prefrl=1", b";;;==="),
        b"Origin: " + maybe(b"http://" + own, b"http://evil.example", b"null", b"http://["),
        b"Content-Type: " + maybe(b"application/json", *KINDS),
        maybe(length + b"%d" % len(body), length + b"-1", length + b"99999999", b"Transfer-Encoding: chunked"),
        b"Sec-Fetch-Site: " + maybe(b"same-origin", b"cross-site"),
        b"Connection: " + maybe(b"close", b"Upgrade\r\nUpgrade: websocket"),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def exchange(server: Server, request: bytes) -> bytes:
    """What comes back until the server has nothing more to say."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        reply = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                reply += part
        except ConnectionError:
            pass  # it hung up on us
        return reply


def malformed(server: Server, run: Path, number: int) -> dict[str, Any]:
    """Statuses of so many requests; fails at the first that gets what it must not."""
    draw, statuses = random.Random(0), Counter[str]()
    before = set(run.rglob("*"))
    _, state = Browser(server).post("/tabs", {"name": "ann"})
    for _ in range(number):
        request = nonsense(draw, server, state["tab"])
        reply = exchange(server, request)
        status = reply[9:12].decode("latin-1") or "none"
        assert not status.startswith("5"), (request, reply)
        assert not any(word in reply for word in FORBIDDEN), (request, reply)
        statuses[status] += 1
    new = [str(path) for path in run.rglob("*") if path not in before]
    assert Browser(server).get("/") == 200
    return {"requests": number, "statuses": dict(sorted(statuses.items())), "new_files": new}


def measure(answers: int, requests: int, url: str | None, clips: bool) -> dict[str, Any]:
    """Every figure, for a run's folder that is made for it."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.create(preset_config("default", "prefrl/PointGoal-v0", labels=100, steps=20_000, seed=0))
        with PreferenceStore(url or run.store) as store:
            asked = queries(answers)
            store.ask(asked)
            with Server(run.path, url) as server:
                figures = {"labelers": labelers(server, store, asked, clips)}
                figures["malformed"] = malformed(server, run.path, requests)
            assert "Traceback" not in server.said, server.said
            figures["held_after_the_end"] = store.counts().held
    return {"store": "postgresql" if url else "sqlite"} | figures | machine(threads=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--store", help="a database's URL; a file of its own where not given")
    parser.add_argument("--clips", action="store_true", help="labelers fetch the clips, too")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    figures = measure(arguments.answers, arguments.requests, arguments.store, arguments.clips)
    print(json.dumps(figures, indent=2))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
