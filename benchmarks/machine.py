"""What a benchmark says of where it ran."""

from __future__ import annotations

from prefrl.runs import cpu_name, git_commit, versions


def machine(threads: int) -> dict[str, object]:
    """Processor and flags, threads, commit and versions, to stand beside every figure."""
    return {"cpu": cpu_name(), "threads": threads, "git_commit": git_commit(), "versions": versions()}
