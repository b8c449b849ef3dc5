"""The command line: parse here, work elsewhere. Torch and SB3 are imported inside the commands that need them."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from prefrl import __version__
from prefrl.cli.labeling import answers, label, serve
from prefrl.cli.looking import envs, evaluate, play, report
from prefrl.cli.migrating import migrate
from prefrl.cli.parsing import parse, prepared, with_flags
from prefrl.cli.settings import names_of_settings
from prefrl.cli.training import fit, resume, train
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import unknown

COMMANDS: dict[str, Callable[..., int]] = {
    "train": train,
    "resume": resume,
    "evaluate": evaluate,
    "play": play,
    "label": label,
    "serve": serve,
    "report": report,
    "envs": envs,
    "fit": fit,
    "answers": answers,
    "migrate": migrate,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; a mistake of the user's ends in one line and exit code 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.path.insert(0, str(Path.cwd()))  # where plug-ins of one's own lie
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: prefrl COMMAND ...   (prefrl COMMAND --help says more)\n")
        for name, command in COMMANDS.items():
            print(f"  {name:<10}{(command.__doc__ or '').splitlines()[0]}")
        return 0
    if arguments[0] == "--version":
        print(f"prefrl {__version__}")
        return 0
    name, *rest = arguments
    try:
        if name not in COMMANDS:
            raise PrefrlError(unknown("command", name, COMMANDS))
        command = COMMANDS[name]
        return command(rest) if command is train else parse(prepared(command), name, rest)()
    except Exception as error:
        if not _is_no_bug(error) or "PREFRL_TRACEBACK" in os.environ:
            raise
        print(f"prefrl {name}: {in_words_of(name, str(error).splitlines()[0])}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"prefrl {name}: stopped; what a run had saved by its latest checkpoint is there", file=sys.stderr)
        return 130


def in_words_of(name: str, text: str) -> str:
    """A text of the library's with its settings spelled as options of that command."""
    options = set(inspect.signature(COMMANDS[name]).parameters) if name in COMMANDS else set()
    return with_flags(text, names_of_settings() | options)


def _is_no_bug(error: Exception) -> bool:
    """Whether the user can mend it: bad input, a folder that cannot be written, a database that is damaged."""
    databases = sys.modules.get("sqlalchemy.exc")
    is_of_database = databases is not None and isinstance(error, databases.SQLAlchemyError)
    return is_of_database or isinstance(error, (PrefrlError, OSError))
