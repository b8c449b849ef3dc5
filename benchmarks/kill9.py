"""Kills trainer, window and server with SIGKILL at random moments while people label, and looks for what is lost.

    python benchmarks/kill9.py --rounds 50 --out benchmarks/results/kill9.json

One run of the toy task PointGoal, a window on an X server in memory and a server with one client, each in a process of
its own. In each round some of the three are killed, separately or together; the others go on, and the dead are started
again. Killed while they start, too. After each round the store must have every answer that its labeler was told of: for
the window that is once the next pair shows, for the client once the server has replied. No query may be answered twice;
what the dead server's client held is released, where somebody else would wait for two minutes. In the end the trainer
must come further than it ever was.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from http.client import HTTPException
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from beside import LABELER, PATIENCE_S, open_queries
from machine import write
from server import Client, Server
from window import open_window, press
from xvfb import x_server

from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

CLIENT = "client"
THINKS_S = 0.15  # at each pair
MOST_S = 3.0  # from when all are at work, or being started, to the kill
SETTINGS = (
    "--labeler", "human", "--pace", "go", "--threads", "1", "--labels", "100000", "--steps", "10000000", "--seed", "0",
    "--initial-steps", "2048", "--checkpoint-steps", "8192",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, x_server() as display:
        os.environ["DISPLAY"] = display
        figures = measure(RunFolder(Path(folder) / "run"), args.rounds, np.random.default_rng(0))
    write(figures, args.out)


def measure(run: RunFolder, rounds: int, rng: np.random.Generator) -> dict[str, Any]:
    """So many rounds; "lost" and "double" must be 0."""
    company, kills = Company(run), Counter[str]()
    lost, furthest = set[tuple[str, str]](), 0
    try:
        for _ in range(rounds):
            company.start()
            if rng.random() < 0.7:
                company.wait_for_work()
            time.sleep(rng.uniform(0, MOST_S))
            furthest = max(furthest, company.step())
            victims = [name for name in company.parts if rng.random() < 0.5] or [str(rng.choice(list(company.parts)))]
            company.kill(victims)
            kills.update(victims)
            lost |= company.lost()
        company.start()
        company.wait_until(lambda: company.step() > furthest, "the run did not resume")
    finally:
        company.kill(company.parts)
    lost |= company.lost()
    answers = company.answers()
    return {
        "rounds": rounds,
        "kills": dict(kills),
        "answers": sum(answers.values()),
        "answers_told_of": len(company.told),
        "lost": len(lost),
        "double": sum(count - 1 for count in answers.values()),
        "step_at_the_last_kill": furthest,
        "step_after_it": company.step(),
    }


class Company:
    """The three parts of a run, and what their labelers were told.

    Attributes:
        parts: those that run, by name: how to kill each.
        told: (labeler, query) of every answer that its labeler was told is taken.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.parts: dict[str, Callable[[], None]] = {}
        self.told: set[tuple[str, str]] = set()
        self._at_work: set[str] = set()
        self._trainer: subprocess.Popen[bytes] | None = None
        self._trainer_began = 0.0

    def start(self) -> None:
        """Starts whatever does not run."""
        if "trainer" not in self.parts:
            self._start_trainer()
        self.wait_until(lambda: open_queries(self._run.store) > 0, "nothing was asked")
        if "window" not in self.parts:
            self._start_window()
        if "server" not in self.parts:
            self._start_server()

    def kill(self, victims: Iterable[str]) -> None:
        for name in list(victims):
            self.parts.pop(name)()
            self._at_work.discard(name)
        if "server" not in self.parts and self._run.store.exists():
            with PreferenceStore.existing(self._run.store) as store:
                store.release(CLIENT)

    def wait_for_work(self) -> None:
        """Returns once the trainer has learned from a rollout, and both labelers have answered, since their start."""
        self.wait_until(lambda: self._at_work >= set(self.parts), f"only these came to work: {self._at_work}")

    def wait_until(self, holds: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not holds():
            if self._trainer is not None and self._trainer.poll() is not None:
                raise SystemExit(f"the trainer ended by itself: {self._log.read_text(encoding='utf-8')}")
            if time.monotonic() > until:
                raise SystemExit(otherwise)
            if self.step() and self._run.status_file.stat().st_mtime > self._trainer_began:
                self._at_work.add("trainer")
            time.sleep(0.05)

    def step(self) -> int:
        """Where the trainer is, or was when it was killed."""
        return self._run.status().step or 0

    def answers(self) -> Counter[str]:
        """How often each query was answered."""
        with PreferenceStore.existing(self._run.store) as store:
            return Counter(record.query_id for record in store.records())

    def lost(self) -> set[tuple[str, str]]:
        """What a labeler was told of by now, and the store does not have."""
        told = set(self.told)
        with PreferenceStore.existing(self._run.store) as store:
            return told - {(record.labeler, record.query_id) for record in store.records()}

    @property
    def _log(self) -> Path:
        return self._run.path.with_suffix(".log")

    def _start_trainer(self) -> None:
        new = ["train", "PointGoal", *SETTINGS, "--out", str(self._run.path)]
        arguments = ["resume", str(self._run.path)] if self._run.config_file.exists() else new
        self._trainer_began = time.time()
        with self._log.open("wb") as log:
            trainer = subprocess.Popen([sys.executable, "-m", "prefrl.cli", *arguments], stdout=log, stderr=log)
        self._trainer, self.parts["trainer"] = trainer, lambda: self._end(trainer)

    def _start_window(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        window = multiprocessing.get_context("spawn").Process(target=open_window, args=(self._run, theirs))
        window.start()
        theirs.close()
        threading.Thread(target=self._press_keys, args=(ours,), daemon=True).start()
        self.parts["window"] = lambda: self._end(window)

    def _start_server(self) -> None:
        server = Server(self._run.path, "--repeat", "0")
        threading.Thread(target=self._post_answers, args=(server,), daemon=True).start()
        self.parts["server"] = lambda: self._end(server.process)

    def _end(self, process: Any) -> None:
        if process is self._trainer:
            self._trainer = None
        process.kill()
        process.join() if isinstance(process, multiprocessing.process.BaseProcess) else process.wait()

    def _press_keys(self, window: Connection) -> None:
        """The person at the window, until it is gone."""
        before = None
        try:
            while True:
                query_id, key, *_ = window.recv()
                if before is not None:
                    self.told.add((LABELER, before))
                    self._at_work.add("window")
                time.sleep(THINKS_S)
                press(key)
                before = query_id
        except (EOFError, ConnectionError):
            pass

    def _post_answers(self, server: Server) -> None:
        """The client of the server, until that is gone."""
        queries = Queries(self._run)
        try:
            client = Client(server)
            _, state = client.post("/tabs", {"name": CLIENT})
            tab = f"/tabs/{state['tab']}"
            while True:
                time.sleep(THINKS_S)
                if not state["pairs"]:
                    _, state = client.post(f"{tab}/refill", {})
                    continue
                pair = state["pairs"][0]
                status, state = client.post(f"{tab}/answer", {"turn": state["turn"], "choice": "left"})
                if status == 200:
                    self.told.add((CLIENT, queries.of(pair)))
                    self._at_work.add("server")
        except (OSError, HTTPException, ValueError):
            pass


class Queries:
    """Ids of queries by their pairs."""

    def __init__(self, run: RunFolder) -> None:
        self._run, self._known = run, dict[frozenset[str], str]()

    def of(self, pair: dict[str, str]) -> str:
        key = frozenset(pair.values())
        if key not in self._known:
            with PreferenceStore.existing(self._run.store) as store:
                known = set(self._known.values())
                found = store.queries([query_id for query_id in store.asked() if query_id not in known])
            self._known |= {frozenset(s.id for s in query.segments): query_id for query_id, query in found.items()}
        return self._known[key]


if __name__ == "__main__":
    main()
