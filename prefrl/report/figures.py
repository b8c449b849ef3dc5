"""The curves of a report and the diagnostics of its reward model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from prefrl import metrics
from prefrl.plotting import COLOURS, NARROW, WIDE, Run, learning_curves, scatter, to_svg
from prefrl.preferences.config import QueryConfig
from prefrl.report.record import RunRecord
from prefrl.report.text import escape, number, section
from prefrl.runs.summary import RewardModelQuality

Lines = Mapping[str, Run]  # legend name -> x and y

STEPS = "environment steps"
LABELS = "labels, answered comparisons"
TRUE_UNIT = "sum of true rewards"
LEARNED_UNIT = "sum of normalized rewards"
LEARNED = COLOURS[1:]  # what is learned is orange all over the page, what is true blue
COUNT = COLOURS[5:]
SPLITS = COLOURS[2:]  # training and held out: green and violet
MOST_STEPS = 240  # of an episode's rewards are drawn: more lines could not be told apart


def curves(run: RunRecord) -> str:
    """Returns against steps and against labels, and the labels over steps."""
    step = run.column(lambda row: row.step)
    labels = run.column(lambda row: row.labels)
    score = run.column(lambda row: row.score)
    true = run.column(lambda row: row.true_return)
    learned = run.column(lambda row: row.learned_return)
    random = run.summary.random_return_mean if run.summary else None
    chance = {} if random is None else {"random policy": random}
    panels = [
        _wide("Score per game", {"agent": (step, score)}, STEPS, "mean score of the games that ended"),
        _wide("True return per episode", {"agent": (step, true)}, STEPS, TRUE_UNIT, references=chance),
    ]
    if run.labels:
        true_by_label, learned_by_label = mean_by(labels, true), mean_by(labels, learned)
        panels += [
            _panel("Learned return per episode", {"agent": (step, learned)}, STEPS, LEARNED_UNIT, colors=LEARNED),
            _panel("Labels over steps", {"labels": (step, labels)}, STEPS, LABELS, smoothing=0, colors=COUNT),
            _panel("True return against labels", {"agent": true_by_label}, LABELS, TRUE_UNIT),
            _panel(
                "Learned return against labels",
                {"agent": learned_by_label},
                LABELS,
                LEARNED_UNIT,
                colors=LEARNED,
            ),
        ]
    lead = "Faint points are what was measured, lines their local mean."
    reset_step = run.config.get("agent", {}).get("reset_step")
    if reset_step is not None:
        lead += f" From {reset_step:,} steps on it is a fresh agent that learns."
    return section("Learning", lead, _grid(panels), id="learning")


def diagnostics(run: RunRecord) -> str:
    """Is the learned reward the true one? Losses, accuracy, and predictions beside the truth."""
    if not run.labels:
        return ""
    step = run.column(lambda row: row.step)
    losses = {
        "training": (step, run.column(lambda row: row.train_loss)),
        "held out": (step, run.column(lambda row: row.heldout_loss)),
    }
    right = {
        "training": (step, 100 * run.column(lambda row: row.train_accuracy)),
        "held out": (step, 100 * run.column(lambda row: row.heldout_accuracy)),
    }
    l2 = {"L2": (step, run.column(lambda row: row.l2))}
    panels = [
        _panel(
            "Loss",
            losses,
            STEPS,
            "cross-entropy, nats",
            references={"chance, ln 2": math.log(2)},
            colors=SPLITS,
        ),
        _panel(
            "Accuracy",
            right,
            STEPS,
            "answers predicted, %",
            references={"chance, 50 %": 50.0},
            colors=SPLITS,
        ),
        _returns_scatter(run),
        _panel(
            "L2 coefficient",
            l2,
            STEPS,
            "weight of the squared parameters",
            smoothing=0,
            log_y=True,
            colors=SPLITS,
        ),
        _rewards_along_episode(run),
    ]
    lead = (
        "How well the learned reward predicts the answers, and how close it comes to the true reward, "
        "which it was never trained on. Held-out comparisons are those a predictor was not fitted to."
    )
    if run.config.get("query", {}).get("selection") == QueryConfig.selection:
        lead += " They were asked because the predictors disagreed about them: of pairs drawn at random more are right."
    return section("Reward model", lead, _grid(panels), id="reward-model")


def mean_by(x: np.ndarray, y: np.ndarray) -> Run:
    """The mean of y at each distinct x, over the rows where both are numbers."""
    known = np.isfinite(x) & np.isfinite(y)
    distinct, group = np.unique(x[known], return_inverse=True)
    return distinct, np.bincount(group, weights=y[known]) / np.bincount(group)


def standardise(values: np.ndarray) -> np.ndarray:
    """[T] to mean 0 and standard deviation 1; constant values to 0."""
    values = np.asarray(values, dtype=np.float64)
    deviation = values.std()
    return (values - values.mean()) / deviation if deviation > 0 else np.zeros_like(values)


def _returns_scatter(run: RunRecord) -> str:
    predicted, true = (run.diagnostics.get(f"{kind}_returns", np.empty(0)) for kind in ("predicted", "true"))
    if not len(predicted) or len(predicted) != len(true):
        return ""
    quality = run.reward_model or RewardModelQuality()
    pearson = metrics.pearson(predicted, true) if quality.pearson is None else quality.pearson
    spearman = metrics.spearman(predicted, true) if quality.spearman is None else quality.spearman
    note = f"Pearson {number(pearson)}, Spearman {number(spearman)}; {len(true):,} fresh segments"
    figure = scatter(true, predicted, x_label="true return of the segment", y_label="predicted return")
    return _figure("Predicted against true return", note, to_svg(figure, f"Predicted against true. {note}"))


def _rewards_along_episode(run: RunRecord) -> str:
    episode = run.episodes.get("after")
    if episode is None or episode.learned_rewards is None:
        return ""
    true, learned = episode.true_rewards, episode.learned_rewards
    shown = np.arange(min(len(true), MOST_STEPS))
    lines = {
        "true reward": (shown, standardise(true)[shown]),
        "learned reward": (shown, standardise(learned)[shown]),
    }
    pearson = number(metrics.pearson(true, learned))
    note = f"Pearson {pearson}; the first {len(shown):,} of {len(true):,} steps after training"
    return _wide("Reward, step by step", lines, "step of the episode", "standard deviations", note=note, smoothing=0)


def _panel(title: str, lines: Mapping[str, Run], x_label: str, y_label: str, note: str = "", **style: Any) -> str:
    """A figure of one column; nothing where there is nothing to draw."""
    svg = _svg(title, lines, x_label, y_label, **style)
    return _figure(title, note, svg) if svg else ""


def _wide(title: str, lines: Mapping[str, Run], x_label: str, y_label: str, note: str = "", **style: Any) -> str:
    """A figure of the page's width, and one for a phone, whose text would otherwise shrink with it."""
    svg = _svg(title, lines, x_label, y_label, size=WIDE, **style)
    phone = _svg(title, lines, x_label, y_label, size=NARROW, **style)
    both = f'<div class="on-wide">{svg}</div><div class="on-narrow">{phone}</div>'
    return _figure(title, note, both, "wide") if svg else ""


def _svg(title: str, lines: Lines, x_label: str, y_label: str, **style: Any) -> str:
    drawn = {name: [(x, y)] for name, (x, y) in lines.items() if np.any(np.isfinite(x) & np.isfinite(y))}
    if not drawn:
        return ""
    return to_svg(learning_curves(drawn, x_label=x_label, y_label=y_label, **style), f"{title}, over {x_label}")


def _figure(title: str, note: str, drawing: str, kind: str = "") -> str:
    caption = f"<b>{escape(title)}</b> <span>{escape(note)}</span>"
    return f'<figure class="card {kind}"><figcaption>{caption}</figcaption>{drawing}</figure>'


def _grid(panels: list[str]) -> str:
    shown = [panel for panel in panels if panel]
    return f'<div class="panels">{"".join(shown)}</div>' if shown else ""
