"""prefrl label, serve, answers: people and what they said."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import tyro

from prefrl.cli.parsing import Folder
from prefrl.core.errors import PrefrlError
from prefrl.labelers.subject import Subject
from prefrl.runs import RunFolder
from prefrl.store import PreferenceStore

REPEAT = 0.05  # of the pairs that a person sees, shown a second time


def label(
    run: Folder,
    /,
    name: str | None = None,
    question: str | None = None,
    repeat: float = REPEAT,
    store: str | None = None,
    by: str | None = None,
) -> int:
    """Opens a window in which a person says which clip is better, or has a labeler of one's own say so.

    Args:
        run: the run's folder; it may be training meanwhile.
        name: of who answers, not "oracle"; the login name where not given.
        question: what everybody is asked from now on; stored with the run.
        repeat: share of the pairs that come a second time, sides swapped: how sure are you?
        store: a database's URL, where the run does not keep its preferences in its folder.
        by: module:function, which returns a labeler: it answers in the person's place, without a window, until Ctrl-C
            or until the run has all its labels.
    """
    if by is not None:
        if (name, question, repeat) != (None, None, REPEAT):
            raise PrefrlError(
                "--name, --question and --repeat are for a person at the window; leave them out with --by"
            )
        return _label_by(by, run, store)

    import numpy as np

    from prefrl.labelers.window.labeling import label_in_window

    with _open(run, store, repeat) as (subject, preferences):
        rng = np.random.default_rng()
        answers = label_in_window(preferences, subject, name or _login_name(), rng, question=question, repeat=repeat)
    print(f"answers saved: {answers}")
    return 0


def _label_by(by: str, run: Path, store: str | None) -> int:
    """Has the labeler `module:function` answer what is asked."""
    from prefrl.cli.stopping import StopOnSignal
    from prefrl.labelers.loading import load_labeler
    from prefrl.labelers.worker import serve_labels

    with _open(run, store, REPEAT) as (subject, preferences):
        labeler = load_labeler(by)
        print(f"{labeler.name} labels {subject.name}; Ctrl-C ends it, and every answer is saved", file=sys.stderr)
        with StopOnSignal("leaving after this batch") as stop:
            answers = serve_labels(preferences, labeler, stop.asked, finished=lambda: subject.trainer().finished)
    print(f"answers saved: {answers}")
    return 0


def serve(
    run: Folder,
    /,
    host: str = "127.0.0.1",
    port: int = 0,
    allow_host: tuple[str, ...] = (),
    question: str | None = None,
    repeat: float = REPEAT,
    store: str | None = None,
) -> int:
    """Opens a page on which people say which clip is better, in any browser, several at once.

    Args:
        run: the run's folder; it may be training meanwhile.
        host: the address to listen at; any but this machine's own needs --allow-host.
        port: 0 for any that is free.
        allow_host: names by which others may call this machine, such as 192.168.1.20.
        question: what everybody is asked from now on; stored with the run.
        repeat: share of the pairs that come a second time, sides swapped: how sure are you?
        store: a database's URL, where the run does not keep its preferences in its folder.
    """
    try:
        from prefrl.labelers.web import serving
    except ModuleNotFoundError as error:
        raise PrefrlError(f"the page needs {error.name}: pip install 'prefrl[web]'") from error
    with _open(run, store, repeat) as (subject, preferences):
        serving.serve(
            preferences, subject, host=host, port=port, allow_host=allow_host, question=question, repeat=repeat
        )
    return 0


def answers(
    where: tyro.conf.Positional[str],
    /,
    list_: Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(name="list")] = False,
    last: int = 20,
    export: Path | None = None,
    export_preferences: Path | None = None,
    import_: Annotated[Path | None, tyro.conf.arg(name="import")] = None,
    withdraw: str | None = None,
    labeler: str | None = None,
    repeat: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> int:
    """Shows what was answered, by whom, how fast and how well; or lists, exports, imports, withdraws answers.

    Args:
        where: a run's folder, a file with comparisons or a database's URL.
        list_: show the answers one by one instead, the latest first.
        last: how many of them.
        export: a .parquet file to write every answer to, with its segments.
        export_preferences: a .parquet file to write what was chosen and what was rejected to, for other libraries.
        import_: a file that --export wrote, to add its answers to these; what was withdrawn there is withdrawn here.
        withdraw: id of a query whose answer no longer counts, or its beginning, as --list shows it; the row stays.
        labeler: whose answer to withdraw.
        repeat: withdraw what this labeler said when the query was shown again, not the first answer.
    """
    from prefrl import exchange
    from prefrl.answers import find_query, latest, overview

    if (withdraw is None) != (labeler is None) or (repeat and withdraw is None):
        raise PrefrlError(
            "--withdraw QUERY and --labeler NAME [--repeat] go together: a query may have several answers"
        )
    if last < 1:
        raise PrefrlError(f"last must be at least 1, got {last}")
    if import_ is not None:
        _check_import(import_, where)  # before a store is made for it
    opened = PreferenceStore.existing if import_ is None else PreferenceStore
    with opened(store_of(where)) as store:
        if import_ is not None:
            changed = exchange.import_answers(store, import_)
            print(f"{changed:,} answers that were not there yet or have been withdrawn since, from {import_}")
        if withdraw is not None and labeler is not None:
            query_id = find_query(store, withdraw)
            store.withdraw(query_id, labeler, repeat, lease_s=0.0)
            print(f"withdrawn: {labeler}'s {'repeated ' * repeat}answer to query {query_id}")
        if export is not None:
            print(f"{exchange.export_answers(store, export):,} answers in {export}")
        if export_preferences is not None:
            print(f"{exchange.export_preferences(store, export_preferences):,} preferences in {export_preferences}")
        if list_:
            _show(latest(store, last))
        elif import_ is withdraw is export is export_preferences is None:
            _show(overview(store))
    return 0


def _show(what: object) -> None:
    """Prints a table of rich's."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False).print(what)


def _check_import(file: Path, where: str) -> None:
    """Refuses answers that cannot be read, or that the run there, if it is one, could not train on."""
    from prefrl import exchange

    given, run = exchange.check_answers(file), run_of(where)
    if given is None or run is None:
        return
    config = run.config()
    if (given.env_id, len(given)) != (config.env_id, config.clip_steps):
        raise PrefrlError(
            f"cannot import {file}: its clips are {len(given)} steps of {given.env_id}, "
            f"those of the run in {run.path} {config.clip_steps} steps of {config.env_id}"
        )


@contextmanager
def _open(run: Path, store: str | None, repeat: float) -> Iterator[tuple[Subject, PreferenceStore]]:
    """Opens the run that is labeled, and the store for its answers.

    Args:
        store: a database's URL; None for the run's own.
        repeat: of the session, checked before anything opens.
    """
    if not 0 <= repeat <= 1:
        raise PrefrlError(f"repeat is a share of the pairs, from 0 to 1, got {repeat}")
    folder = RunFolder(run)
    config = folder.config()
    subject = Subject(task=config.task, folder=run)
    with PreferenceStore.existing(store or folder.store_location(config)) as preferences:
        yield subject, preferences


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:  # a container's user may have no name
        raise PrefrlError("nothing here says who you are; give --name") from error


def store_of(where: str) -> str | Path:
    """The store of a run's folder, or what is a store's path or URL already."""
    if "://" in where or not Path(where).is_dir():
        return where
    run = RunFolder(Path(where))
    return run.store_location(run.config()) if run.config_file.exists() else run.store


def run_of(where: str) -> RunFolder | None:
    """The run whose folder, or whose file with comparisons, `where` is; None if there is none."""
    path = Path(where)
    run = RunFolder(path if path.is_dir() else path.parent)
    return run if run.config_file.exists() and path in (run.path, run.store) else None
