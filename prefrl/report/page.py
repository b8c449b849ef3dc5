"""Puts the sections of a report together into one file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template

from prefrl import clips
from prefrl.queries import Comparison
from prefrl.report import details, figures, footage, head, watching
from prefrl.report.record import RunRecord, read_run
from prefrl.report.text import escape
from prefrl.runs import RunFolder


def write_report(run_dir: Path, comparisons: Sequence[Comparison] = ()) -> Path:
    """Writes `run_dir`/report.html: one file, curves and clips inside, no request to the network.

    Args:
        run_dir: a run's folder, finished or not; whatever is not in it is not in the report.
        comparisons: answered ones, of which an early, a middle and a late one are shown; those whose
            segments have no render states are passed over.

    Returns:
        The path of the report.
    """
    run = read_run(run_dir)
    fps = clips.shown_fps(run.env_id)
    filmed = footage.film(run, comparisons, footage.open_renderer, fps)
    path = RunFolder(run_dir).report
    path.write_text(page(run, filmed), encoding="utf-8")
    return path


def page(run: RunRecord, filmed: footage.Footage) -> str:
    """The whole page as HTML."""
    sections = (
        head.masthead(run),
        head.tiles(run),
        watching.episodes(run, filmed),
        figures.curves(run),
        figures.diagnostics(run),
        watching.comparisons(filmed),
        details.details(run),
    )
    return Template(_asset("page.html")).substitute(
        title=f"{escape(head.environment_name(run.env_id))}, {head.taught(run)}",
        style=_asset("page.css"),
        script=_asset("page.js"),
        body="\n".join(part for part in sections if part),
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
