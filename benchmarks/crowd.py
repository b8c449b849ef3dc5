"""Eight labelers at once at the page's server, one of them in a real browser.

    python benchmarks/crowd.py --answers 1000 --out benchmarks/results/crowd.json
    python benchmarks/crowd.py --store postgresql+psycopg://host/name

A server process of its own, as `prefrl serve` starts it, on segments of PointGoal. Seven labelers are threads here with
a connection each, who answer as soon as a pair is shown and fetch no clips; the eighth is Debian's chromium, with keys.
"answer" is from sending an answer to the reply that names the next pair, the answer on disk by then; "page" is from a
key to the next pair on the browser's screen, with a machine that is busy with the others.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from beside import spread
from machine import write
from server import Client, Page, Returns, Server, chromium

from prefrl.presets import preset_config
from prefrl.queries import Query
from prefrl.runs import RunFolder
from prefrl.segments import Segment
from prefrl.store import PreferenceStore

CLIENTS = 7
STEPS = 25  # of a segment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--store", help="a database's URL; a file of its own where not given")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.create(preset_config("default", "prefrl/PointGoal-v0", labels=100, steps=20_000, seed=0))
        figures = measure(run, args.answers, args.store)
    write({"store": "postgresql" if args.store else "sqlite"} | figures, args.out)


def measure(run: RunFolder, answers: int, url: str | None) -> dict[str, Any]:
    """All figures of one crowd; "lost" and "double" are answers, and must be 0."""
    options = ["--repeat", "0", *(["--store", url] if url else [])]
    with PreferenceStore(url or run.store) as store:
        asked = queries(answers)
        store.ask(asked)
        with Server(run.path, *options) as server, chromium() as browser:
            began = time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as pool:
                clients = [pool.submit(answer_all, server, f"labeler {number}") for number in range(CLIENTS)]
                with Page(browser, server, "browser", Returns(store)) as page:
                    waits = page.label_all()
                seconds = [taken for client in clients for taken in client.result()]
            wall = time.perf_counter() - began
        assert "Traceback" not in server.said, server.said
        records = store.records()
        held = store.counts().held
    answered = Counter(record.query_id for record in records)
    return {
        "labelers": len({record.labeler for record in records}),
        "answers": len(records),
        "of_the_browser": sum(record.labeler == "browser" for record in records),
        "lost": len({query.id for query in asked} - set(answered)),
        "double": sum(count - 1 for count in answered.values()),
        "held_after_the_end": held,
        "answers_per_minute": round(60 * len(records) / wall),
        "answer_ms": spread(seconds),
        "page_ms": spread(waits),
    }


def queries(number: int) -> list[Query]:
    """Pairs of random walks across PointGoal's square."""
    rng = np.random.default_rng(0)

    def segment() -> Segment:
        states = rng.uniform(-1, 1, size=(STEPS, 4)).astype(np.float32)
        return Segment("prefrl/PointGoal-v0", {"obs": states}, states[:, :2].copy(), states[:, 0].copy(), states)

    return [Query((segment(), segment()), step) for step in range(number)]


def answer_all(server: Server, name: str) -> list[float]:
    """Answers until nothing is open; seconds an answer."""
    client, seconds, choose = Client(server), [], random.Random(name)
    _, state = client.post("/tabs", {"name": name})
    tab = state["tab"]
    while state["pairs"]:
        message = {"turn": state["turn"], "choice": choose.choice(["left", "right", "tie", "skip"])}
        began = time.perf_counter()
        status, state = client.post(f"/tabs/{tab}/answer", message)
        seconds.append(time.perf_counter() - began)
        assert status == 200, state
    return seconds


if __name__ == "__main__":
    main()
