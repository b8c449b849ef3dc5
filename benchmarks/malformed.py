"""Requests to the labeling page's server that make no sense, and what it says to them.

    python benchmarks/malformed.py --requests 10000 --out benchmarks/results/malformed.json

They are drawn by a seed: broken HTTP, foreign hosts and origins, odd paths, methods and bodies, with and without the
cookie, sent as raw bytes. What must not be there: a status of 500 or more, a trace, what is in any file beside the
pages, a file that is new.
"""

from __future__ import annotations

import argparse
import random
import socket
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from machine import write
from server import Client, Server

from prefrl.presets import preset_config
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

FORBIDDEN = (b"Traceback", b'File "', b"SQLite format", b"root:x:", b"sqlalchemy", b"site-packages")
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
    _, state = Client(server).post("/tabs", {"name": "ann"})
    for _ in range(number):
        request = nonsense(draw, server, state["tab"])
        reply = exchange(server, request)
        status = reply[9:12].decode("latin-1") or "none"
        assert not status.startswith("5"), (request, reply)
        assert not any(word in reply for word in FORBIDDEN), (request, reply)
        statuses[status] += 1
    new = [str(path) for path in run.rglob("*") if path not in before]
    assert Client(server).get("/") == 200
    return {"requests": number, "statuses": dict(sorted(statuses.items())), "new_files": new}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.create(preset_config("default", "prefrl/PointGoal-v0", labels=100, steps=20_000, seed=0))
        PreferenceStore(run.store).close()
        with Server(run.path) as server:
            figures = malformed(server, run.path, args.requests)
        assert "Traceback" not in server.said, server.said
    write(figures, args.out)


if __name__ == "__main__":
    main()
