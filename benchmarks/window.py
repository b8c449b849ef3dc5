"""Labels pairs in a real window with real keys, and measures how long the next pair takes to appear.

    python benchmarks/window.py --pairs 200 --pace 3 --out benchmarks/results/window.json
    python benchmarks/window.py --pairs 200 --pace 0          # flat out: the next key once the next pair is there

An X server in memory (Xvfb), `xdotool` for the keys, and the window in a process of its own, as `prefrl label`
opens it. The time runs, in the window's process, from the key's arrival to the moment when the next pair's first
frames are on the screen; by then the answer is on disk. What is pressed is the clip with the higher true return;
in the end the store is compared with what should be in it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from machine import machine
from store import as_segment, hopper_steps
from xvfb import x_server

from prefrl.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.queries import Query
from prefrl.store import PreferenceStore

ENV_ID = "prefrl/Hopper-v0"
PATIENCE_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--pace", type=float, default=3.0, help="seconds from a pair's appearance to its key")
    parser.add_argument("--screen", default="1280x720", help="pixels of the X server's screen")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), args.pairs, args.pace, args.screen) | machine(1)
    print(json.dumps(result, indent=2))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


def measure(folder: Path, pairs: int, pace: float, screen: str) -> dict[str, object]:
    """Every figure of one sitting."""
    with PreferenceStore(folder / "preferences.sqlite3") as store:
        store.ask(hopper_queries(pairs))
    with x_server(screen) as display:
        os.environ["DISPLAY"] = display
        began = time.monotonic()
        seconds, shown = label(folder, pairs, pace)
    return {
        "pairs": pairs,
        "pace_s": pace,
        "screen": screen,
        "key_to_next_pair_ms": spread(seconds),
        "window_to_first_pair_s": round(shown[0] - began, 2),
        "labels_per_minute": round(60 * (len(shown) - 1) / (shown[-1] - shown[0]), 1),
        "wrong_lost_or_double": pairs - right_answers(folder),
    }


def label(folder: Path, pairs: int, pace: float) -> tuple[list[float], list[float]]:
    """Seconds from each key to the next pair, and when each pair was shown."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    window = context.Process(target=open_window, args=(folder, theirs))
    window.start()
    seconds, shown = [], []
    for number in range(pairs):
        if not ours.poll(PATIENCE_S):
            raise RuntimeError(f"pair {number} did not appear")
        better, since, at = ours.recv()
        shown.append(at)
        if since is not None:
            seconds.append(since)
        time.sleep(max(0.0, at + pace - time.monotonic()))
        subprocess.run(["xdotool", "key", better], check=True)
    while right_answers(folder) < pairs:
        time.sleep(0.1)
    subprocess.run(["xdotool", "key", "q"], check=True)
    window.join(PATIENCE_S)
    return seconds, shown


def open_window(folder: Path, connection: Connection) -> None:
    """The window's process: tells of every pair which key is right, what it took to appear, and when it did."""
    from prefrl.labelers.session import Showing
    from prefrl.labelers.subject import Subject
    from prefrl.labelers.window.labeling import label_in_window

    def tell(showing: Showing, seconds: float | None) -> None:
        better = "Left" if showing.left.true_return > showing.right.true_return else "Right"
        connection.send((better, seconds, time.monotonic()))

    subject = Subject(env_id=ENV_ID, horizon=None, on_end="absorb", folder=folder)
    with PreferenceStore.existing(folder / "preferences.sqlite3") as store:
        label_in_window(store, subject, "xdotool", np.random.default_rng(0), repeat=0.0, on_show=tell)


def hopper_queries(number: int) -> list[Query]:
    """Pairs of random segments, no two of equal return."""
    segments = (replace(as_segment(steps), env_id=ENV_ID) for steps in islice(hopper_steps(), 0, None, 10))
    queries = (Query((left, next(segments)), step=0) for left in segments)
    return list(islice((query for query in queries if len({s.true_return for s in query.segments}) == 2), number))


def right_answers(folder: Path) -> int:
    """Queries answered exactly once, and as the oracle would."""
    oracle = Oracle(OracleConfig(), seed=0)
    with PreferenceStore.existing(folder / "preferences.sqlite3") as store:
        comparisons = store.answered()
    right = {c.query.id for c in comparisons if c.answer == oracle.label(c.query)}
    return 2 * len(right) - len(comparisons)


def spread(seconds: list[float]) -> dict[str, float]:
    """In milliseconds."""
    names = {"median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(1e3 * float(np.quantile(seconds, share)), 1) for name, share in names.items()}


if __name__ == "__main__":
    main()
