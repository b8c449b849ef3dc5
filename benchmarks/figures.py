"""Redraws what the README says of results from what is committed: its tables and its learning curves.

    python benchmarks/figures.py

Reads results/ and benchmarks/results/; writes docs/images/<study>/<task>.svg and the README between
its marks, `<!-- figures: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import atari_figures
import behaviour_figures
import committed
import labelling_figures
import numpy as np
import speed_figures
from committed import Summary

from prefrl.metrics import normalized_return
from prefrl.plotting import COLOURS, Run, learning_curves, to_svg

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "results" / "mujoco"
BEHAVIOURS = ROOT / "results" / "behaviours"
GAMES = ROOT / "results" / "atari"
MEASURED = ROOT / "benchmarks" / "results"
TASKS = (
    "Hopper", "HalfCheetah", "Reacher", "Walker2d", "Ant", "Swimmer", "InvertedPendulum", "InvertedDoublePendulum"
)  # fmt: skip
BASELINES = ("default-0", "zoo-0")
CURVES = {"700 comparisons": "default-700", "true reward": "default-0", "true reward, zoo": "zoo-0"}

END = "<!-- end -->"


def summaries(task: str, variant: str, study: Path = STUDY) -> list[Summary]:
    """Of every seed that is there, in order."""
    return [summary for _, summary in committed.runs(study, task, variant)]


def returns(runs: Sequence[Summary]) -> np.ndarray:
    """[S] true return of each seed's final policy."""
    return np.array([run["true_return_mean"] for run in runs])


def normalized(task: str, study: Path = STUDY) -> np.ndarray:
    """[S] normalized return of each seed with 700 comparisons, against the better mean of the two baselines."""
    learned, *baselines = (summaries(task, variant, study) for variant in ("default-700", *BASELINES))
    chance = np.mean([run["random_return_mean"] for run in learned])
    reference = max(returns(runs).mean() for runs in baselines if runs)
    return np.array([normalized_return(reached, chance, reference) for reached in returns(learned)])


def learning_table(study: Path = STUDY) -> str:
    """A row a task that has runs with and without comparisons."""
    head = (
        "| task | 700 comparisons | true reward | true reward, zoo | random | N | held-out accuracy | Pearson |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_learning_row(task, study) for task in TASKS if _is_comparable(task, study))


def _is_comparable(task: str, study: Path) -> bool:
    baselines = any(summaries(task, variant, study) for variant in BASELINES)
    return baselines and bool(summaries(task, "default-700", study))


def _learning_row(task: str, study: Path) -> str:
    learned = summaries(task, "default-700", study)
    scores, models = normalized(task, study), [run["reward_model"] for run in learned]
    cells = [
        task,
        *(_seeds(returns(summaries(task, variant, study))) for variant in ("default-700", *BASELINES)),
        _number(np.mean([run["random_return_mean"] for run in learned])),
        f"**{scores.mean():.2f}**" + (f" ({scores.min():.2f} to {scores.max():.2f})" if len(scores) > 1 else ""),
        f"{np.mean([model['heldout_accuracy'] for model in models]):.2f}",
        f"{np.mean([model['pearson'] for model in models]):.3f}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _seeds(values: np.ndarray) -> str:
    """The mean, and each seed's where there are several."""
    if not len(values):
        return ""
    return _number(values.mean()) + (f" ({', '.join(map(_number, values))})" if len(values) > 1 else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def pictures(study: Path, folder: Path) -> str:
    """Draws a figure for each task, and gives the README's rows of three."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = []
    for task in TASKS:
        series = {name: curves(task, variant, study) for name, variant in CURVES.items()}
        series = {name: runs for name, runs in series.items() if runs}
        if not _is_comparable(task, study):
            continue
        figure = learning_curves(
            series, x_label="steps", y_label="true return", title=task, colors=COLOURS, size=(360, 270)
        )
        label = f"{task}: true return over steps, with 700 comparisons and on the true reward"
        (folder / f"{task}.svg").write_text(to_svg(figure, label) + "\n", encoding="utf-8")
        cells.append(f"![{task}]({(folder / f'{task}.svg').relative_to(ROOT)})")
    rows = [cells[i : i + 3] + [""] * (3 - len(cells[i : i + 3])) for i in range(0, len(cells), 3)]
    return "".join(f"| {' | '.join(row)} |\n" + ("|---|---|---|\n" if not i else "") for i, row in enumerate(rows))


def curves(task: str, variant: str, study: Path) -> list[Run]:
    """(steps, true return of the training episodes) of every seed."""
    return [committed.curve(folder, "true_return") for folder, _ in committed.runs(study, task, variant)]


def fill(text: str, parts: dict[str, str]) -> str:
    """The README with what stands between each pair of marks put anew."""
    for name, content in parts.items():
        mark = f"<!-- figures: {name} -->"
        before, found, rest = text.partition(mark)
        if not found:
            raise ValueError(f"the README has no mark {mark}")
        text = f"{before}{mark}\n\n{content}\n{END}{rest.partition(END)[2]}"
    return text


def main() -> None:
    readme = ROOT / "README.md"
    images = ROOT / "docs" / "images"
    control, games = speed_figures.control(MEASURED), speed_figures.games(MEASURED)
    parts = {
        "learning": learning_table(),
        "curves": pictures(STUDY, images / "mujoco"),
        "behaviours": behaviour_figures.table(BEHAVIOURS),
        "atari": atari_figures.table(GAMES),
        "atari-progress": atari_figures.progress(GAMES),
        "atari-curves": atari_figures.pictures(GAMES, images / "atari", ROOT),
        "tools": labelling_figures.tools_table(labelling_figures.read(MEASURED, "window", "web")),
        "crowd": labelling_figures.crowd_table(labelling_figures.read(MEASURED, "crowd", "crowd_postgresql")),
        "speed": speed_figures.table(control, speed_figures.CONTROL),
        "shares": speed_figures.shares(control, "prefrl-default"),
        "atari-speed": speed_figures.table(games, speed_figures.GAMES),
        "atari-shares": speed_figures.shares(games, "prefrl-labels"),
    }
    readme.write_text(fill(readme.read_text(encoding="utf-8"), parts), encoding="utf-8")


if __name__ == "__main__":
    main()
