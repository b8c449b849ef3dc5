"""The title of a report and its key numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prefrl.report.record import RunRecord
from prefrl.report.text import duration, escape, number, percent


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
    chips = "".join(f"<li>{escape(fact)}</li>" for fact in (run.env_id, *_facts(run)))
    return (
        f"<header><h1>{escape(environment_name(run.env_id))} <span>{taught(run)}</span></h1>"
        f'<p class="lead">{story}</p><ul class="chips">{chips}</ul></header>'
    )


def _facts(run: RunRecord) -> Iterator[str]:
    """What tells this run from others: by its summary, before its end by its settings."""
    facts = {name: run.config.get(name) for name in ("study", "variant", "preset", "seed")}
    if summary := run.summary:
        judged = {
            "study": summary.study, "variant": summary.variant, "preset": summary.preset, "seed": summary.seed,
        }  # fmt: skip
        facts |= {name: value for name, value in judged.items() if value is not None}
    for name, value in facts.items():
        if value is not None and value != "":
            yield f"{name} {value}"


def tiles(run: RunRecord) -> str:
    """The key numbers; those of the reward model only where there is one."""
    summary = run.summary
    steps = summary.steps if summary else run.latest(lambda row: row.step)
    seconds = summary.wall_seconds if summary else run.latest(lambda row: row.seconds)
    speed = summary.steps_per_second if summary else None
    shown = []
    if run.labels:
        shown.append(_tile("Labels used", number(run.labels), "answered comparisons"))
    if run.labels and run.reward_model:
        accuracy = percent(run.reward_model.heldout_accuracy)
        shown.append(_tile("Held-out accuracy", accuracy, "of the reward model; chance is 50 %"))
        rank = run.reward_model.spearman
        shown.append(_tile("Rank correlation", number(rank), "Spearman, learned and true return"))
    shown.append(_tile("Steps", number(steps), "of the environment"))
    shown.append(_tile("Wall time", duration(seconds), f"{number(speed)} steps/s" if speed else ""))
    return f'{_returns(run)}<div class="tiles">{"".join(shown)}</div>'


def _returns(run: RunRecord) -> str:
    """The return of the final policy, and of the random one beside it."""
    summary = run.summary
    if summary is None or summary.true_return_mean is None:
        return '<p class="missing">Not finished: the return of the final policy is measured at the end.</p>'
    episodes = escape(run.config.get("eval_episodes", 20))
    reached = _with_deviation(summary.true_return_mean, summary.true_return_std)
    tile = _tile("True return", reached, f"final policy, mean ± std of {episodes} episodes")
    if summary.score_mean is not None:
        score = _with_deviation(summary.score_mean, summary.score_std)
        tile = _tile("Score", score, f"final policy, mean ± std of {number(summary.score_games)} whole games") + tile
    random = summary.random_return_mean
    beside = "" if random is None else _tile("Random policy", number(random), "the same environment")
    return f'<div class="hero">{tile}{beside}</div>'


def _with_deviation(mean: float, std: float | None) -> str:
    return number(mean) if std is None else f"{number(mean)} <small>± {number(std)}</small>"


def _tile(name: str, value: str, note: str) -> str:
    return (
        f'<div class="tile"><div class="name">{name}</div>'
        f'<div class="value">{value}</div><div class="note">{note}</div></div>'
    )
