"""What figures.py says of Atari games, from results/atari/: a table of all runs, and a curve a game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import committed
from atari import recent_score, rows_of
from committed import Summary
from machine import extensions

from prefrl.plotting import COLOURS, Run, learning_curves, to_svg

BEFORE = ", all before training"
LABELS = {0: "true reward"}  # what a number of comparisons is called; others by their number


def table(study: Path) -> str:
    """A row a run: game by game, those on the true reward first."""
    head = (
        "| game | comparisons | seed | processor, precision, consoles | steps to a score of 18 | "
        "minutes, core-minutes to it | steps in all | score, 20 games | held-out accuracy | Pearson |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_row(summary) for _, summary in runs(study))


def runs(study: Path) -> list[tuple[Path, Summary]]:
    """Folder and summary of every run, by game, comparisons wanted, variant and seed."""
    return sorted(
        committed.runs(study), key=lambda run: (run[1]["env_id"], wanted(run[1]), run[1]["variant"], run[1]["seed"])
    )


def wanted(summary: Summary) -> int:
    """Comparisons that the run would have had in the end, by its variant's name: <preset>-<comparisons>..."""
    return int(summary["variant"].split("-")[1])


def name(summary: Summary) -> str:
    """What a variant is called in tables and legends, by its own name: <preset>-<comparisons>, then what is unusual."""
    preset, _, *unusual = summary["variant"].split("-")
    words = LABELS.get(wanted(summary), f"{wanted(summary):,}")
    if "start" in unusual:
        words += BEFORE
    if "untrained" in unusual:
        words += ", untrained agent"
    return words if preset == "default" else f"{words}, {preset}"


def processor(summary: Summary) -> str:
    """What decides how fast it trained: the processor's extensions, the precision, and games side by side.

    Summaries from before there were 16 do not say that there were 8.
    """
    return f"{extensions(summary['cpu'])}, {summary['precision']}, {summary.get('consoles', 8)}"


def _row(summary: Summary) -> str:
    reached, model = summary.get("to_score"), summary["reward_model"]
    asked = f" ({summary['labels_answered']:,} asked)" if wanted(summary) else ""
    cells = [
        summary["env_id"].removeprefix("prefrl/").removesuffix("-v0"),
        name(summary) + asked,
        str(summary["seed"]),
        processor(summary),
        *_time(reached),
        f"{summary['steps']:,}",
        f"{summary['score_mean']:.1f} ± {summary['score_std']:.1f}",
        f"{model['heldout_accuracy']:.2f}" if model else "",
        f"{model['pearson']:.2f}" if model else "",
    ]
    return f"| {' | '.join(cells)} |\n"


def _time(reached: dict[str, Any] | None) -> tuple[str, str]:
    """Steps to the score of a game that is won by one, and minutes by the clock and of a core."""
    if reached is None:
        return "", ""
    if not reached["steps"]:
        return "not reached", ""
    return f"**{reached['steps']:,}**", f"{reached['seconds'] / 60:.0f}, {reached['core_minutes']:.0f}"


def progress(study: Path) -> str:
    """Of games that no score wins: what the latest games had early, in the middle and in the end; and what it took."""
    head = "| game | latest games after 2e5 steps | after 1e6 | in the end | core-minutes | fits' share of the time |\n"
    rows = [_progress(*run) for run in runs(study) if run[1].get("to_score") is None]
    return head + "|---|---|---|---|---|---|\n" + "".join(rows)


def _progress(folder: Path, summary: Summary) -> str:
    rows = rows_of(folder / "curve.csv")
    latest = [recent_score(rows, step) for step in (2e5, 1e6, summary["steps"])]
    fits = summary["fit_seconds"] / summary["wall_seconds"]
    cells = [
        folder.parts[-3],
        *("" if score is None else f"{score:,.0f}" for score in latest),
        f"{summary['cpu_seconds'] / 60:.0f}",
        f"{100 * fits:.0f} %",
    ]
    return f"| {' | '.join(cells)} |\n"


def pictures(study: Path, folder: Path, root: Path) -> str:
    """Draws the scores of each game over its steps; the README's lines that show them.

    Runs with all comparisons before training have a picture of their own: in one with the others nothing is seen.
    """
    titles: dict[str, dict[str, list[Run]]] = {}
    for place, summary in runs(study):
        game, called = place.parts[-3], name(summary)
        title = f"{game}{BEFORE}" if BEFORE in called else game
        curve = committed.curve(place, "score")
        titles.setdefault(title, {}).setdefault(called.replace(BEFORE, ""), []).append(curve)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for title, series in titles.items():
        size = (560, 302 + 18 * len(series))  # a line of the legend takes 18 pixels
        figure = learning_curves(series, x_label="steps", y_label="score", title=title, colors=COLOURS, size=size)
        said = f"{title}: scores of the games played while training, by comparisons"
        picture = folder / f"{title.replace(BEFORE, '-before')}.svg"
        picture.write_text(to_svg(figure, said) + "\n", encoding="utf-8")
        lines.append(f"![{said}]({picture.relative_to(root)})\n")
    return "\n".join(lines)
