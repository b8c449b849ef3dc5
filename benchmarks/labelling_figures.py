"""What figures.py says of labeling, from what window.py, web.py and crowd.py wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import machine

Figures = dict[str, Any]


def read(folder: Path, *names: str) -> list[Figures]:
    return [machine.read(folder / f"{name}.json") for name in names]


def tools_table(tools: list[Figures]) -> str:
    """Window and page side by side: what a labeler waits for, and what it costs the trainer."""
    pace = tools[0]["pace_s"]
    waits, flat_out = [tool["key_to_next_pair_ms"] for tool in tools], [tool["flat_out"] for tool in tools]
    rows = {
        "from `prefrl train` to the first pair": [f"{tool['from_train_to_first_pair_s']:.0f} s" for tool in tools],
        f"key to next pair, a key every {pace:g} s: median, p99": map(_spread, waits),
        "trainer's speed meanwhile, of alone": [f"**{tool['trainer_beside_over_alone']:.2f}**" for tool in tools],
        "flat out: answers a minute": [f"{figures['labels_per_minute']:.0f}" for figures in flat_out],
        "flat out: key to next pair: median, p99": [_spread(figures["key_to_next_pair_ms"]) for figures in flat_out],
        "answers wrong, lost or double": [str(tool["wrong_lost_or_double"]) for tool in tools],
    }
    head = f"| | {' | '.join(tool['tool'] for tool in tools)} |\n|---|" + "---|" * len(tools) + "\n"
    return head + "".join(f"| {what} | {' | '.join(cells)} |\n" for what, cells in rows.items())


def crowd_table(crowds: list[Figures]) -> str:
    """A row for each store that eight labelers answered into."""
    head = "| store | answers | lost, double | a minute | answer to reply: median, p99 | browser, key to next pair |\n"
    return head + "|---|---|---|---|---|---|\n" + "".join(map(_crowd_row, crowds))


def _crowd_row(crowd: Figures) -> str:
    cells = [
        crowd["store"],
        f"{crowd['answers']:,} ({crowd['of_the_browser']} of them the browser's)",
        f"{crowd['lost']}, {crowd['double']}",
        f"{crowd['answers_per_minute']:,}",
        _spread(crowd["answer_ms"]),
        _spread(crowd["page_ms"]),
    ]
    return f"| {' | '.join(cells)} |\n"


def _spread(times: Figures) -> str:
    return f"{times['median']:.0f} ms, {times['p99']:.0f} ms"
