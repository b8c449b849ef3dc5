"""The title of a report and its key numbers."""

from __future__ import annotations

import re

from prefrl.report.record import RunRecord
from prefrl.report.text import MISSING, duration, escape, number, percent


def environment_name(env_id: str) -> str:
    """ "prefrl/HalfCheetah-v0" as Half Cheetah."""
    bare = re.sub(r"-v\d+$", "", re.split("[/:]", env_id)[-1])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", bare) or env_id


def taught(run: RunRecord) -> str:
    """The source of the agent's rewards, in three words."""
    return f"learned from {run.labels:,} comparisons" if run.labels else "trained on the true reward"


def masthead(run: RunRecord) -> str:
    """Environment, what it learned from, and one sentence for somebody who has never heard of it."""
    if run.labels:
        story = (
            "An agent that never saw the environment&rsquo;s reward. All it was told, "
            f"{run.labels:,} times, is which of two short clips is better; from the answers it learned a "
            "reward, and from that reward to act."
        )
    else:
        story = (
            "A baseline: an agent trained on the environment&rsquo;s own reward, for comparison with the "
            "agents that have to learn theirs from preferences."
        )
    facts = [run.env_id, *(_fact(run, name) for name in ("study", "variant", "preset", "seed"))]
    chips = "".join(f"<li>{escape(fact)}</li>" for fact in facts if fact)
    return (
        f"<header><h1>{escape(environment_name(run.env_id))} <span>{taught(run)}</span></h1>"
        f'<p class="lead">{story}</p><ul class="chips">{chips}</ul></header>'
    )


def _fact(run: RunRecord, name: str) -> str:
    value = run.summary.get(name, run.config.get(name))
    return "" if value is None or value == "" else f"{name} {value}"


def tiles(run: RunRecord) -> str:
    """The key numbers; those of the reward model only where there is one."""
    summary, steps = run.summary, run.summary.get("steps", _last(run, "step"))
    shown = []
    if run.labels:
        shown.append(_tile("Labels used", number(run.labels), "answered comparisons"))
    if run.labels and run.reward_model:
        accuracy = run.reward_model.get("heldout_accuracy")
        shown.append(_tile("Held-out accuracy", percent(accuracy), "of the reward model; chance is 50 %"))
        rank = run.reward_model.get("spearman")
        shown.append(_tile("Rank correlation", number(rank), "Spearman, learned and true return"))
    shown.append(_tile("Steps", number(steps), "of the environment"))
    seconds = summary.get("wall_seconds", _last(run, "seconds"))
    speed = summary.get("steps_per_second")
    shown.append(_tile("Wall time", duration(seconds), f"{number(speed)} steps/s" if speed else ""))
    return f'{_returns(run)}<div class="tiles">{"".join(shown)}</div>'


def _returns(run: RunRecord) -> str:
    """The return of the final policy, and of the random one beside it."""
    mean, std = (number(run.summary.get(f"true_return_{name}")) for name in ("mean", "std"))
    if mean == MISSING:
        return '<p class="missing">Not finished: the return of the final policy is measured at the end.</p>'
    episodes = escape(run.config.get("eval_episodes", 20))
    spread = f" <small>± {std}</small>" if std != MISSING else ""
    tile = _tile("True return", mean + spread, f"final policy, mean ± std of {episodes} episodes")
    if "score_mean" in run.summary:
        score, deviation, games = (number(run.summary.get(f"score_{name}")) for name in ("mean", "std", "games"))
        played = f"final policy, mean ± std of {games} whole games"
        tile = _tile("Score", f"{score} <small>± {deviation}</small>", played) + tile
    random = number(run.summary.get("random_return_mean"))
    beside = _tile("Random policy", random, "the same environment") if random != MISSING else ""
    return f'<div class="hero">{tile}{beside}</div>'


def _tile(name: str, value: str, note: str) -> str:
    return (
        f'<div class="tile"><div class="name">{name}</div>'
        f'<div class="value">{value}</div><div class="note">{note}</div></div>'
    )


def _last(run: RunRecord, name: str) -> int | float | None:
    """The last value of a column of the progress; whole numbers as such."""
    values = run.column(name)
    values = values[values == values]
    if not len(values):
        return None
    return int(values[-1]) if float(values[-1]).is_integer() else float(values[-1])
