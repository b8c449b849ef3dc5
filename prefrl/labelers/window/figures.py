"""The quiet figures of the window, as text: how far the person is, and how far the agent."""

from __future__ import annotations

from prefrl.labelers.subject import Trainer


def figures(answers: int, per_minute: float, waiting: int, trainer: Trainer) -> list[str]:
    """The parts of the line under the clips, the most important first."""
    parts = [counted(answers, "answer")]  # skips and repeats among them, which are no labels
    if answers >= 3:  # a rate over less is noise
        parts.append(f"{per_minute:.0f} a minute")
    parts.append(f"{waiting:,} waiting")
    if trainer.step is not None:
        parts.append(f"step {short(trainer.step)}" + (f" of {short(trainer.steps)}" if trainer.steps else ""))
    return parts


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def short(number: int) -> str:
    """1234 as 1,234; 20,500 as 20k; 1,250,000 as 1.25M."""
    if number < 10_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number // 1000}k"
    return f"{number / 1e6:.2f}".rstrip("0").rstrip(".") + "M"
