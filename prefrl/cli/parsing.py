"""Arguments to calls: what tyro makes of them, and what is said of what it does not understand."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tyro

Folder = tyro.conf.Positional[Path]


def parse(command: Callable, name: str, args: Sequence[str], **options: Any) -> Any:
    """What tyro makes of the arguments; what it does not understand in one line instead of a box."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(command, prog=f"prefrl {name}", args=args, **options)
    except SystemExit as stop:
        if stop.code:
            words = re.sub(r"[╭╮╰╯│─\s]+", " ", said.getvalue()).strip()
            raise ValueError(re.sub(r"\s*For full helptext, see.*", f"; see prefrl {name} --help", words)) from stop
        raise


def prepared(command: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """The same arguments, but nothing is done yet: what a command writes to stderr is not the parser's to catch."""

    @functools.wraps(command)
    def prepare(*args: Any, **options: Any) -> Callable[[], int]:
        return functools.partial(command, *args, **options)

    return prepare
