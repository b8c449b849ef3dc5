"""What a benchmark says of where it ran, how it says it, and how that is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefrl.processor import cpu_name
from prefrl.runs.provenance import git_commit, versions

EXTENSIONS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX-512", "avx2": "AVX2"}


def extensions(cpu: str) -> str:
    """What of a processor, by its name and flags, decides how fast networks train on it."""
    return next((words for flag, words in EXTENSIONS.items() if flag in cpu), "none")


def machine(threads: int) -> dict[str, object]:
    """Processor and flags, threads, commit and versions, to stand beside every figure."""
    return {"cpu": cpu_name(), "threads": threads, "git_commit": git_commit(), "versions": versions()}


def write(figures: Mapping[str, Any], out: Path | None, *, threads: int = 1) -> None:
    """To the terminal, and to a file where one is given; with the machine that they are of."""
    text = json.dumps(dict(figures) | machine(threads), indent=2)
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """What `write` has put into a file."""
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return figures
