"""Trains agents on Atari games, and keeps of each run what a figure needs and how long it took to a score.

    python benchmarks/atari.py --labels 5500 1400 0 --seeds 0 1 2 --until 19          # Pong
    python benchmarks/atari.py --games all --steps 10000000 --device cuda --resume

What is kept is results/atari/<game>/<preset>-<labels>/seed-<n>/summary.json and curve.csv. A run that is there is
passed over; with --resume one that was interrupted goes on. With --until a run ends once the last 50 games that it
played while training have reached that mean score; score_mean is then measured afresh, as ever. Of Pong, and
where --score is given, the summary's `to_score` says when they had reached it: steps, seconds by the clock,
core-minutes. Its `shares` say where the time went.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from throughput import Times

from prefrl.algorithms.rlhf import train
from prefrl.cli.stopping import StopOnSignal
from prefrl.config import RlhfConfig
from prefrl.devices import choose_device
from prefrl.labelers.oracle import Oracle
from prefrl.presets import PRESETS, preset_config
from prefrl.runs import RunFolder
from prefrl.runs.progress import ProgressRow, read_rows

PAPER = ("BeamRider", "Breakout", "Enduro", "Pong", "Qbert", "Seaquest", "SpaceInvaders")
GAMES = 50  # that a score is the mean of
SCORES = {"Pong": 18.0}  # games that are won by a score, whose time is taken
CURVE = ("step", "score", "games", "labels", "heldout_accuracy", "seconds", "cpu_seconds")

Rows = dict[int, ProgressRow]
"""Step -> row of progress.csv."""


def main() -> None:
    args = parse()
    games = PAPER if args.games == ["all"] else args.games
    for seed, game, labels in itertools.product(args.seeds, games, args.labels):
        config = configuration(game, labels, seed, args)
        place = Path("atari", game, config.variant or "", f"seed-{seed}")
        if (args.results / place / "summary.json").exists():
            continue
        run, times = RunFolder(args.runs / place), Times()
        with StopOnSignal("saving after this rollout") as stop:
            if not finish(config, run, args.until, stop, times, resume=args.resume):
                return
        keep(run, args.results / place, SCORES.get(game) if args.score is None else args.score, times)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", nargs="+", default=["Pong"], choices=[*PAPER, "all"])
    parser.add_argument("--labels", nargs="+", type=int, default=[5500])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--preset", default="default", choices=list(PRESETS))
    parser.add_argument("--steps", type=int, help="of the agent; the suite's where not given")
    parser.add_argument("--all-at-start", action="store_true", help="all labels before training, the paper's failure")
    parser.add_argument(
        "--untrained", action="store_true", help="before training the agent acts in every game, in none at random"
    )
    parser.add_argument("--until", type=float, help="mean score of the last 50 games at which a run may end")
    parser.add_argument("--score", type=float, help="mean score whose time is taken; of Pong 18")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--resume", action="store_true", help="go on with what was interrupted")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the whole runs lie")
    parser.add_argument("--results", type=Path, default=Path("results"))
    return parser.parse_args()


def configuration(game: str, labels: int, seed: int, args: argparse.Namespace) -> RlhfConfig:
    config = preset_config(args.preset, f"prefrl/{game}-v0", labels=labels, steps=args.steps, seed=seed)
    variant = f"{args.preset}-{labels}"
    if args.all_at_start and labels:
        config, variant = all_at_start(config), f"{variant}-at-start"
    if args.untrained and labels:
        config, variant = replace(config, query=replace(config.query, random_share=0.0)), f"{variant}-untrained"
    return replace(config, study="atari", variant=variant, threads=args.threads, device=args.device)


def all_at_start(config: RlhfConfig) -> RlhfConfig:
    """The paper's failure: every label is about the steps before learning, and none about what the agent does later.

    What fails must not be the fit. No label is let go, where a window would drop all but the latest before any was
    trained on, and the first fit passes over each of them as often as the preset's first fit does over its own. 5,500
    comparisons of Pong take 13 MB on a processor, and 99 KB each on a GPU.
    """
    reward, labels = config.reward, config.labels
    passes = math.ceil(reward.initial_epochs * labels / min(labels, reward.fit_sample or labels))
    return replace(
        config,
        query=replace(config.query, schedule="all_at_start"),
        reward=replace(reward, label_window=None, initial_epochs=passes),
    )


def finish(
    config: RlhfConfig, run: RunFolder, until: float | None, stop: StopOnSignal, times: Times, *, resume: bool
) -> bool:
    """Trains a run to its end, or to the score that is enough; False where a signal stopped it first."""
    if not run.config_file.exists():
        run.create(config)
    elif resume:
        config = run.config()
    else:
        raise SystemExit(f"{run.path} was interrupted; --resume goes on with it, or remove it")
    rows = rows_of(run.progress)

    def enough() -> bool:
        return until is not None and (recent_score(rows) or -1e9) >= until

    def on_row(row: ProgressRow, metrics: Mapping[str, float]) -> None:
        rows[row.step] = row
        times.on_row(row, metrics)

    oracle = Oracle(config.oracle, config.seed)
    device = choose_device(config.device)
    judged = stop.no_longer_ask
    if train(
        config, run, oracle, device=device, on_row=on_row, on_judge=judged, stopped=lambda: stop.asked() or enough()
    ):
        return True
    if not enough():
        return False
    # It ends here: the labels not asked for by now are none that it learned from.
    last = rows[max(rows)]
    shorter = replace(config, steps=last.step, labels=last.labels or 0)
    return train(shorter, run, oracle, device=device, on_judge=judged)


def rows_of(curve: Path) -> Rows:
    """What progress.csv, or curve.csv, has; nothing where there is none."""
    return {row.step: row for row in read_rows(curve)}


def recent_score(rows: Rows, until_step: float = float("inf"), games: int = GAMES) -> float | None:
    """Mean score of about the last `games` games up to a step, rollout by rollout; None where there were fewer."""
    number, total = 0.0, 0.0
    for step in sorted((step for step in rows if step <= until_step), reverse=True):
        played = rows[step].games or 0
        number += played
        total += played * (rows[step].score or 0.0)
        if number >= games:
            return round(total / number, 4)  # the file has means of six digits: 18 may be 17.999998 there
    return None


def first_reached(rows: Rows, score: float) -> dict[str, float] | None:
    """When the last games first had this mean score: steps, seconds, core-minutes; None where they never had."""
    for step in sorted(rows):
        row = rows[step]
        recent = recent_score(rows, step) if row.games else None
        if recent is not None and recent >= score:
            core_minutes = round((row.cpu_seconds or 0) / 60, 1)
            return {"steps": step, "seconds": round(row.seconds or 0), "core_minutes": core_minutes}
    return None


def keep(run: RunFolder, place: Path, score: float | None, times: Times) -> None:
    """The summary, with the time to a score if there is one to reach, and a curve of at most 200 rows: under 20 KB.

    Where the time went is that of the run's last part, where it was interrupted and resumed.
    """
    rows = rows_of(run.progress)
    summary = run.summary().to_json() | {"consoles": run.config().agent.num_envs}
    if len(times.rows) > 1:
        summary["shares"] = {name.removeprefix("share: "): round(share, 4) for name, share in times.shares().items()}
    if score is not None:
        summary["to_score"] = {"score": score, **(first_reached(rows, score) or {"steps": None})}
    place.mkdir(parents=True, exist_ok=True)
    (place / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    with (place / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, CURVE)
        writer.writeheader()
        writer.writerows(thinned(rows))
    print(place)


def thinned(rows: Rows, most: int = 200) -> list[dict[str, str]]:
    """At most so many rows, each the last of its group, with the games of all of it."""
    steps = sorted(rows)
    every = max(1, -(-len(steps) // most))
    kept = []
    for group in (steps[i : i + every] for i in range(0, len(steps), every)):
        played = [(rows[step].games or 0, rows[step].score or 0.0) for step in group]
        games = sum(number for number, _ in played)
        score = sum(number * mean for number, mean in played) / games if games else None
        row = vars(replace(rows[group[-1]], games=games, score=score))
        kept.append({name: "" if row[name] is None else f"{row[name]:.6g}" for name in CURVE})
    return kept


if __name__ == "__main__":
    main()
