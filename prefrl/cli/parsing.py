"""Arguments to calls: what tyro makes of them, and what is said of what it does not understand."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import tyro

from prefrl.core.errors import PrefrlError

Folder = tyro.conf.Positional[Path]


def parse(command: Callable, name: str, args: Sequence[str], **options: Any) -> Any:
    """Parses the arguments with tyro; its errors are one line instead of a box."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(command, prog=f"prefrl {name}", args=args, **options)
    except SystemExit as stop:
        if stop.code:
            raise PrefrlError(f"{one_line(said.getvalue())}; see prefrl {name} --help") from stop
        raise


def one_line(said: str) -> str:
    """Shortens an error of tyro's to one line; for a value that it cannot read, to the value and the accepted ones."""
    content = "\n".join(said.splitlines()[1:])
    words = " ".join(re.sub(r"[╰╯│─]|---+", " ", content).split())  # dashes where the terminal knows no lines
    words = re.sub(r"[.\s]*For full helptext, .*", "", words)
    unread = r"Error parsing (--\S+): .*(\['[^\]]*'\]|'[^']*') Argument helptext: \1 (.*?)\.? \((?:default|required).*"
    if found := re.fullmatch(unread, words):
        option, listed, takes = found.groups()
        given = " ".join(re.findall("'([^']*)'", listed))
        return f"{option} cannot be {given!r}; it takes {takes}"
    return words


def with_flags(text: str, settings: Collection[str]) -> str:
    """A text of the library's in which settings in backticks, such as `query.pool_steps`, are spelled as flags."""

    def spell(found: re.Match[str]) -> str:
        name = found.group(1)
        return f"--{name.replace('_', '-')}" if name in settings else found.group(0)

    return re.sub(r"`([a-z0-9_.]+)`", spell, text)


def prepared(command: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """The same arguments, but nothing is done yet: what a command writes to stderr is not the parser's to catch."""

    @functools.wraps(command)
    def prepare(*args: Any, **options: Any) -> Callable[[], int]:
        return functools.partial(command, *args, **options)

    return prepare
