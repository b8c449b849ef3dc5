"""Numbers and states as words: how far the person is and how far the agent, and why nothing is open."""

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


def emptiness(trainer: Trainer, resume: str) -> tuple[str, str]:
    """The message while no query is open, and its reason.

    Args:
        resume: the command that goes on with the training.
    """
    if trainer.content:
        return "That was the last one", "This run has all the labels it needs. Thank you."
    if trainer.ended:
        return "The run has ended", "The agent has made all of its steps, and asks nothing more. Thank you."
    if trainer.running is False:
        return "Training is not running", f"`{resume}` goes on with it; then new pairs appear here by themselves."
    return "Waiting for the trainer", "New pairs appear here by themselves."


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def short(number: int) -> str:
    """1234 as 1,234; 20,500 as 20k; 1,250,000 as 1.25M."""
    if number < 10_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number // 1000}k"
    return f"{number / 1e6:.2f}".rstrip("0").rstrip(".") + "M"
