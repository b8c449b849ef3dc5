"""The command line: parse here, work elsewhere. A command's module is imported once the command is asked for."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prefrl_envs.suite import problems as suite_problems

from prefrl import __version__
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import load_plugin, look_up


@dataclass(frozen=True)
class Command:
    """A row of the table of commands.

    Attributes:
        function: "module:name" of the function that the command calls with its options.
        summary: what it does, in a line.
    """

    function: str
    summary: str

    def load(self) -> Callable[..., int]:
        """Returns the function."""
        function: Callable[..., int] = load_plugin(self.function)
        return function


COMMANDS = {
    "train": Command("prefrl.cli.training:train", "Trains an agent."),
    "resume": Command("prefrl.cli.training:resume", "Resumes a run that was stopped, or extends one that has ended."),
    "evaluate": Command("prefrl.cli.looking:evaluate", "Prints the summary of a run as JSON."),
    "play": Command("prefrl.cli.looking:play", "Shows the agent of a run, in a window or as a video."),
    "label": Command("prefrl.cli.labeling:label", "Opens a window in which a person says which clip is better."),
    "serve": Command("prefrl.cli.labeling:serve", "Opens a page on which people say which clip is better."),
    "report": Command("prefrl.cli.looking:report", "Draws the report of a run again."),
    "envs": Command("prefrl.cli.looking:envs", "Lists the environment suite, and the Atari games."),
    "fit": Command("prefrl.cli.training:fit", "Learns a reward model from stored comparisons alone."),
    "answers": Command("prefrl.cli.labeling:answers", "Shows, exports, imports or withdraws answers."),
    "migrate": Command("prefrl.cli.migrating:migrate", "Converts a preference store that an older prefrl made."),
}
UNPARSED = ("train",)
"""Commands that take their arguments as they were typed: their options depend on some of these."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; a mistake of the user's ends in one line and exit code 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.path.insert(0, str(Path.cwd()))  # where plug-ins of one's own lie
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: prefrl COMMAND ...   (prefrl COMMAND --help says more)\n")
        for name, command in COMMANDS.items():
            print(f"  {name:<10}{command.summary}")
        return 0
    if arguments[0] == "--version":
        print(f"prefrl {__version__}")
        return 0
    name, *typed = arguments
    try:
        return _run(name, typed)
    except Exception as error:
        if not _is_no_bug(error) or "PREFRL_TRACEBACK" in os.environ:
            raise
        print(f"prefrl {name}: {_in_words_of(name, str(error).splitlines()[0])}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"prefrl {name}: stopped; what a run had saved by its latest checkpoint is there", file=sys.stderr)
        return 130


def _run(name: str, typed: list[str]) -> int:
    from prefrl.cli.parsing import parse, prepared

    function = look_up("command", name, COMMANDS).load()
    for problem in suite_problems():
        print(f"prefrl: {problem}", file=sys.stderr)
    if name in UNPARSED:
        return function(typed)
    call: Callable[[], int] = parse(prepared(function), name, typed)
    return call()


def _in_words_of(name: str, text: str) -> str:
    """A text of the library's with its settings spelled as options of that command."""
    if re.search(r"`[a-z0-9_.]+`", text) is None:
        return text
    from prefrl.cli.parsing import with_flags
    from prefrl.cli.settings import names_of_settings

    options = set(inspect.signature(COMMANDS[name].load()).parameters) if name in COMMANDS else set()
    return with_flags(text, names_of_settings() | options)


def _is_no_bug(error: Exception) -> bool:
    """Whether the user can mend it: bad input, a folder that cannot be written, a database that is damaged."""
    databases = sys.modules.get("sqlalchemy.exc")
    is_of_database = databases is not None and isinstance(error, databases.SQLAlchemyError)
    return is_of_database or isinstance(error, (PrefrlError, OSError))
