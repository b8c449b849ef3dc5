"""What figures.py says of behaviours without a reward, from results/behaviours/: a row for each measure."""

from __future__ import annotations

from pathlib import Path

from committed import Summary, runs

MEASURES = {
    "rotations_mean": "whole backward rotations in 1,000 steps",
    "one_leg_share_mean": "share of the time in stretches of 1 s or more on the rear leg",
    "one_leg_metres_mean": "metres run in these, in 1,000 steps",
}

GIVEN = {"default": "in the loop", "human": "by another process"}
"""By the variant of a run: benchmarks/study.py's, benchmarks/behaviours.py's."""


def table(study: Path) -> str:
    """Behavior by behavior, what was measured of each seed's final policy."""
    variants: dict[Path, list[Summary]] = {}
    for folder, summary in runs(study):
        variants.setdefault(folder.parent, []).append(summary)
    columns = ("behavior", "comparisons", "given", "steps", "measured, mean of 20 episodes", "each seed")
    head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    return head + "".join(_row(seeds, name) for seeds in variants.values() for name in MEASURES if name in seeds[0])


def _row(seeds: list[Summary], name: str) -> str:
    cells = [
        seeds[0]["env_id"].removeprefix("prefrl/").removesuffix("-v0"),
        f"{seeds[0]['labels']:,}" if seeds[0]["labels"] else "the oracle's own reward",
        GIVEN[seeds[0]["variant"]],
        f"{seeds[0]['steps']:,}",
        MEASURES[name],
        "**" + ", ".join(f"{summary[name]:.3g}" for summary in seeds) + "**",
    ]
    return f"| {' | '.join(cells)} |\n"
