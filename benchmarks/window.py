"""Labels in a real window with real keys beside a real trainer, at a person's pace and flat out.

    python benchmarks/window.py --out benchmarks/results/window.json                           # half an hour
    python benchmarks/window.py --pairs 10 --pace-s 0.5 --blocks 1 --alone-s 10

An X server in memory (Xvfb), `xdotool` for the keys, and the window in a process of its own, as `prefrl label` opens
it. The time runs, in the window's process, from the key's arrival to the moment when the next pair's first frames are
on the screen; by then the answer is on disk. What is pressed is the clip with the higher true return, which this
script reads and the window does not; in the end the store is compared with what should be in it.

Labeling at a pace comes in blocks, with the trainer alone between them: then no window is open. Flat out the next
key comes once the next pair is there, so that what the trainer has asked may run out for a moment.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from beside import LABELER, PATIENCE_S, Sitting, Trainer, measure, parse, right_answer
from machine import write
from xvfb import x_server

from prefrl.labelers.oracle import discounted_return
from prefrl.labelers.subject import Subject
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--screen", default="1280x720", help="pixels of the X server's screen")
    args, plan = parse(parser)
    with tempfile.TemporaryDirectory() as folder, x_server(args.screen) as display:
        os.environ["DISPLAY"] = display
        with Trainer(Path(folder) / "run", args.env) as trainer:
            figures = measure(trainer, lambda pairs, pace_s: label(trainer.run, pairs, pace_s), **plan)
    write({"tool": "window", "env": args.env, "screen": args.screen} | figures, args.out)


def label(run: RunFolder, pairs: int, pace_s: float) -> Sitting:
    """Opens a window, labels so many pairs in it, and leaves."""
    ours, theirs = multiprocessing.Pipe()
    window = multiprocessing.get_context("spawn").Process(target=open_window, args=(run, theirs))
    window.start()
    theirs.close()
    sitting = Sitting()
    for _ in range(pairs):
        key = _next_pair(ours, sitting)
        time.sleep(max(0.0, sitting.shown[-1] + pace_s - time.monotonic()))
        press(key)
    _next_pair(ours, sitting)  # by now the last answer is on disk
    press("q")
    window.join(PATIENCE_S)
    return sitting


def _next_pair(window: Connection, sitting: Sitting) -> str:
    """Notes when it appeared; returns the key that is right."""
    if not window.poll(PATIENCE_S):
        raise SystemExit(f"pair {len(sitting.shown)} did not appear")
    _, key, since, at = window.recv()
    sitting.shown.append(at)
    if since is not None:
        sitting.waits.append(since)
    return key


def press(key: str) -> None:
    subprocess.run(["xdotool", "key", key], check=True)


def open_window(run: RunFolder, connection: Connection) -> None:
    """The window's process: tells of every pair its query, the right key, what it took to appear, and when it did."""
    from prefrl.labelers.session import Showing
    from prefrl.labelers.window.labeling import label_in_window

    def tell(showing: Showing, seconds: float | None) -> None:
        answer = right_answer(*(discounted_return(segment, 1.0) for segment in (showing.left, showing.right)))
        key = {"left": "Left", "right": "Right", "tie": "Down"}[answer]
        connection.send((showing.query.id, key, seconds, time.monotonic()))

    config = run.config()
    subject = Subject(task=config.task, folder=run.path)
    with PreferenceStore.existing(run.store_location(config)) as store:
        label_in_window(store, subject, LABELER, np.random.default_rng(), repeat=0.0, on_show=tell)


if __name__ == "__main__":
    main()
