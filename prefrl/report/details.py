"""The end of a report: what is needed to judge, repeat and go on with the run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from prefrl.report.record import RunRecord
from prefrl.report.text import escape, file_size, section, table
from prefrl.runs.folder import CONTENTS, RunFolder
from prefrl.runs.summary import Summary


def details(run: RunRecord) -> str:
    """Commands, machine and versions, files, settings."""
    about = _card("Machine and versions", table(_about(run.summary))) if run.summary else ""
    files = _card("Files in the folder", table(_files(run.path)))
    settings = ""
    if run.config:
        groups = "".join(f"<h4>{escape(name)}</h4>{table(rows)}" for name, rows in _settings(run.config))
        opened = f'<div class="settings">{groups}</div>'
        settings = f'<details class="card"><summary>All settings</summary>{opened}</details>'
    columns = f'<div class="panels">{about}{files}</div>'
    return section("Details", "", _card("Go on from here", _commands(run.path)), columns, settings, id="details")


def _card(title: str, body: str) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3>{body}</div>'


def _commands(path: Path) -> str:
    """With the folder as seen from where the report was made, where it lies below it."""
    folder = path.resolve()
    here = Path.cwd().resolve()
    shown = shlex.quote(str(folder.relative_to(here) if folder.is_relative_to(here) else path))
    lines = (("play", "watch the agent"), ("resume", "train on, from the last checkpoint"))
    rows = (f"<dt><code>prefrl {command} {escape(shown)}</code></dt><dd>{what}</dd>" for command, what in lines)
    return f'<dl class="commands">{"".join(rows)}</dl>'


def _about(summary: Summary) -> Iterator[tuple[str, object]]:
    about = {"git commit": summary.git_commit, "processor": summary.cpu, "threads": summary.threads}
    yield from ((name, value) for name, value in about.items() if value)
    yield from summary.versions.items()


def _files(path: Path) -> Iterator[tuple[str, str]]:
    report = RunFolder(path).report.name  # is written once its content is known
    names = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    for name in sorted(names | {report}):
        entry = path / name
        what = CONTENTS.get(name, "")
        size = file_size(entry.stat().st_size) if entry.is_file() and name != report else ""
        yield name + "/" * entry.is_dir(), " · ".join(part for part in (what, size) if part)


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, object]]]]:
    """The run's own settings first, then those of each part."""
    yield "run", [(name, _public(name, value)) for name, value in config.items() if not isinstance(value, Mapping)]
    for name, values in config.items():
        if isinstance(values, Mapping):
            yield name, list(values.items())


def _public(name: str, value: object) -> object:
    """A report is shown around: a database's URL stands in it without its password."""
    is_url = name == "store" and "://" in str(value)
    return make_url(str(value)).render_as_string(hide_password=True) if is_url else value
