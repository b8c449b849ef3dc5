"""What figures.py says of speed, from benchmarks/results/: steps a second beside stock SB3, and where the time goes."""

from __future__ import annotations

from pathlib import Path

from machine import extensions, read

Contenders = dict[str, dict[str, float]]
"""Name -> what was measured of it."""

CONTROL = {
    "stock-dummy": "stock SB3 on the true reward, DummyVecEnv",
    "stock-subproc": "stock SB3 on the true reward, SubprocVecEnv",
    "prefrl-equal": "prefrl, the same settings, 700 comparisons",
    "per-step": "the same through a wrapper at every step, without fits",
    "imitation": "imitation 1.0.1, the same settings, 700 comparisons",
    "stock-large-batches": "stock SB3 with the default preset's settings",
    "prefrl-default": "**prefrl, default preset, 700 comparisons**",
}
GAMES = {
    "stock-dummy": "stock SB3 on the score, DummyVecEnv",
    "stock-subproc": "stock SB3 on the score, SubprocVecEnv",
    "prefrl-score": "prefrl on the score",
    "prefrl-labels": "**prefrl from comparisons, 5,500 in 2e6 steps**",
}


def control(folder: Path) -> dict[str, Contenders]:
    """Task -> contenders, by throughput.py."""
    tasks: dict[str, Contenders] = read(folder / "throughput.json")["tasks"]
    return tasks


def games(folder: Path) -> dict[str, Contenders]:
    """Game and processor, or GPU -> contenders, by atari_throughput.py on each of them."""
    measured = list(map(read, sorted(folder.glob("atari_throughput*.json"))))
    where = [extensions(each["cpu"]) if each["device"] == "cpu" else each["device"] for each in measured]
    return {f"{each['game']}, {place}": each["contenders"] for each, place in zip(measured, where, strict=True)}


def table(tasks: dict[str, Contenders], what: dict[str, str]) -> str:
    """Steps per second of every contender, against the faster of stock SB3's two, and its memory."""
    head = "| | " + " | ".join(f"{task}, steps/s | of stock" for task in tasks) + " | memory |\n"
    head += "|---|" + "---|---|" * len(tasks) + "---|\n"
    return head + "".join(_row(name, words, tasks) for name, words in what.items())


def _row(name: str, words: str, tasks: dict[str, Contenders]) -> str:
    cells = [words]
    for found in tasks.values():
        faster = max(found[stock]["steps_per_second"] for stock in ("stock-dummy", "stock-subproc"))
        rate = found[name]["steps_per_second"]
        cells += [f"{rate:,.0f}", f"{rate / faster:.2f}"]
    cells.append(f"{max(found[name]['peak_mb'] for found in tasks.values()):,.0f} MB")
    return f"| {' | '.join(cells)} |\n"


def shares(tasks: dict[str, Contenders], contender: str) -> str:
    """Where a contender's time goes on each task, the first task's largest share first."""
    found = {task: _shares(contenders[contender]) for task, contenders in tasks.items()}
    first = next(iter(found.values()))
    names = sorted(first, key=lambda name: -first[name])
    head = f"| share of the time | {' | '.join(found)} |\n|---|" + "---|" * len(found) + "\n"
    return head + "".join(
        f"| {name} | {' | '.join(f'{100 * each[name]:.1f} %' for each in found.values())} |\n" for name in names
    )


def _shares(result: dict[str, float]) -> dict[str, float]:
    return {name.removeprefix("share: "): value for name, value in result.items() if name.startswith("share: ")}
