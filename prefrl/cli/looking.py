"""prefrl evaluate, play, report, envs: what there is to see."""

from __future__ import annotations

import sys
from pathlib import Path

from prefrl_envs.games import roms
from prefrl_envs.suite import tasks

from prefrl.cli.parsing import Folder
from prefrl.core.errors import PrefrlError
from prefrl.core.settings import check_seed
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore


def evaluate(run: Folder, /) -> int:
    """Prints the summary of a run as JSON."""
    folder = RunFolder(run)
    folder.config()
    folder.summary()  # a damaged one is refused
    print(folder.summary_file.read_text(encoding="utf-8"), end="")
    return 0


def play(run: Folder, /, video: Path | None = None, seed: int = 0, steps: int | None = None) -> int:
    """Shows the agent of a run, in a window or as a video.

    Args:
        run: the run's folder.
        video: a .webm or .mp4 file to write instead of opening a window.
        seed: of the episode.
        steps: so many steps of it; more than an episode has are played on, as of a game.
    """
    from prefrl.playing import film, show

    check_seed(seed)
    if steps is not None and steps < 1:
        raise PrefrlError(f"steps must be at least 1, got {steps}")
    folder = RunFolder(run)
    if video is not None:
        film(folder, video, seed, steps)
        print(video)
    else:
        show(folder, seed, steps)
    return 0


def report(run: Folder, /) -> int:
    """Draws the report of a run again."""
    print(draw_report(RunFolder(run)))
    return 0


REPORTED = 20  # comparisons among which a report chooses: all of a game's would fill the memory


def draw_report(run: RunFolder) -> Path:
    """Writes report.html into a run's folder, with the comparisons in its store."""
    from prefrl.report import write_report

    config = run.config()
    if not config.labels:
        return write_report(run.path, ())
    with PreferenceStore.existing(run.store_location(config)) as store:
        asked = [record.query_id for record in store.records()]
        enough = set(asked[:: max(1, len(asked) // REPORTED)])
        return write_report(run.path, store.answered(known=set(asked) - enough))


def envs() -> int:
    """Lists the environment suite, and the Atari games that --game knows."""
    from rich.console import Console
    from rich.table import Table

    table = Table("environment", "horizon", "clip", "fps", "steps", "true reward", box=None, pad_edge=False)
    for row in tasks():
        table.add_row(
            row.id,
            f"{row.horizon:,}",
            f"{row.clip_steps}",
            f"{row.fps}",
            f"{row.training_steps:,}",
            row.true_reward,
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    console.print(f"\nAtari games, for --game: {', '.join(roms())}", highlight=False)
    return 0
