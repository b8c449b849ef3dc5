"""Kills training with SIGKILL at random moments, resumes it, and checks that nothing that was answered is lost.

    python benchmarks/resume.py --kills 20 --out benchmarks/results/resume.json

One run of the toy task PointGoal is killed again and again until it has been killed `--kills` times, and is then
left to end. Before each resumption the answers in the store are noted; none may be missing afterwards, none may be
there twice, and the run that was killed must end with the policy and the comparisons of a run that never was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from machine import write
from stable_baselines3 import PPO

from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

SETTINGS = ["--labels", "300", "--seed", "100", "--threads", "1", "--checkpoint-steps", "8192", "--eval-episodes", "2"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(compare(Path(folder), args.kills, args.steps), args.out)


def compare(folder: Path, kills: int, steps: int) -> dict[str, object]:
    """Trains one run undisturbed and one that is killed, and counts what differs."""
    whole, killed = RunFolder(folder / "whole"), RunFolder(folder / "killed")
    subprocess.run(train(whole, steps), check=True, stderr=subprocess.DEVNULL)
    rng, lost, done = np.random.default_rng(100), 0, 0
    answered: list[tuple[str, str]] = []
    while done < kills:
        command = resume(killed) if killed.config_file.exists() else train(killed, steps)
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=rng.uniform(2, 6))  # starting up takes about three seconds; some die in it
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
        now = answers(killed)
        lost += len(set(answered) - set(now))
        answered = now
    if not killed.summary_file.exists():
        subprocess.run(resume(killed), check=True, stderr=subprocess.DEVNULL)
    now, expected = answers(killed), answers(whole)
    return {
        "kills": done,
        "answers": len(now),
        "answers_lost": lost + len(set(answered) - set(now)),
        "answers_double": len(now) - len(set(now)),
        "same_comparisons_as_the_run_never_killed": now == expected,
        "same_policy_as_the_run_never_killed": same_policy(whole, killed),
    }


def train(run: RunFolder, steps: int) -> list[str]:
    command = [sys.executable, "-m", "prefrl.cli", "train", "PointGoal", "--steps", str(steps), *SETTINGS]
    return [*command, "--out", str(run.path)]


def resume(run: RunFolder) -> list[str]:
    return [sys.executable, "-m", "prefrl.cli", "resume", str(run.path)]


def answers(run: RunFolder) -> list[tuple[str, str]]:
    """(query, answer) of every comparison in the store."""
    if not run.store.exists():
        return []
    with PreferenceStore.existing(run.store) as store:
        return [(comparison.query.id, str(comparison.answer.ranks)) for comparison in store.answered()]


def same_policy(first: RunFolder, second: RunFolder) -> bool:
    a, b = (PPO.load(run.policy, device="cpu").policy.state_dict() for run in (first, second))
    return all(torch.equal(a[name], b[name]) for name in a)


if __name__ == "__main__":
    main()
