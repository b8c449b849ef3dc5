"""The command line: parse here, work elsewhere. Torch and SB3 are imported inside the commands that need them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import getpass
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from prefrl_envs.suite import SUITE, canonical_id

from prefrl.config import RlhfConfig
from prefrl.names import unknown
from prefrl.presets import preset_config
from prefrl.queries import Comparison
from prefrl.runs import RunFolder

Folder = tyro.conf.Positional[Path]


@dataclass(frozen=True, kw_only=True)
class TrainCommand(RlhfConfig):
    """Trains an agent from comparisons, or on the true reward with --labels 0."""

    env_id: tyro.conf.Positional[str]  # in the suite (`prefrl envs`), or any Gymnasium id with --horizon
    out: Path | None = None  # the run's folder; runs/<env>-<variant>-<labels>-seed-<seed> where not given

    def __post_init__(self) -> None:
        """Nothing: what cannot work is refused by `config`, in one line, not in the parser's box."""

    def config(self) -> RlhfConfig:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(RlhfConfig)}
        return RlhfConfig(**fields)

    def folder(self) -> Path:
        name = self.env_id.removeprefix("prefrl/").removesuffix("-v0").replace("/", "-")
        variant = self.variant or self.preset
        return self.out or Path("runs") / f"{name}-{variant}-{self.labels}-seed-{self.seed}"


def train(args: Sequence[str]) -> int:
    """Trains an agent."""
    from prefrl.agents.ppo import choose_device
    from prefrl.algorithms.rlhf import check

    # Twice: only once the environment and the preset are known is it known what the other options default to.
    first = _parse_train(args, TrainCommand(env_id=tyro.MISSING, labels=700, steps=0, seed=0))
    env_id, steps = canonical_id(first.env_id), first.steps or None
    config = preset_config(first.preset, env_id, labels=first.labels, steps=steps, seed=first.seed)
    defaults = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    command = dataclasses.replace(_parse_train(args, TrainCommand(**defaults)), env_id=env_id)
    config, run = command.config(), RunFolder(command.folder())
    check(config, choose_device(config.device))
    run.create(config)
    return _run(config, run)


def _parse_train(args: Sequence[str], default: TrainCommand) -> TrainCommand:
    return parse(TrainCommand, "train", args, default=default, config=(tyro.conf.OmitArgPrefixes,))


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


def _prepared(command: Callable[..., int]) -> Callable[..., Callable[[], int]]:
    """The same arguments, but nothing is done yet: what a command writes to stderr is not the parser's to catch."""

    @functools.wraps(command)
    def prepare(*args: Any, **options: Any) -> Callable[[], int]:
        return functools.partial(command, *args, **options)

    return prepare


def resume(
    run: Folder,
    /,
    steps: int | None = None,
    labels: int | None = None,
) -> int:
    """Goes on with a run that was stopped or killed, or extends one that has ended.

    Args:
        run: the run's folder.
        steps: the new total of environment steps.
        labels: the new total of comparisons.
    """

    folder = RunFolder(run)
    config = folder.config()
    steps, labels = config.steps if steps is None else steps, config.labels if labels is None else labels
    if steps < config.steps or labels < config.labels:
        raise ValueError(f"a run only grows: it has {config.steps} steps and {config.labels} labels")
    extended = dataclasses.replace(config, steps=steps, labels=labels)
    if config.labels == 0 and extended.labels:
        raise ValueError("this run trains on the true reward and has no reward model; start a new one with --labels")
    if folder.has_ended(extended):
        raise ValueError(f"{run} ended at {config.steps} steps; give more --steps or --labels to extend it")
    return _run(extended, folder)


def _run(config: RlhfConfig, run: RunFolder) -> int:
    """Trains in the run's folder until its end or until Ctrl-C."""
    from prefrl.agents.ppo import choose_device
    from prefrl.algorithms.rlhf import train as train_loop
    from prefrl.labelers.oracle import Oracle
    from prefrl.progress import ProgressBar
    from prefrl.report import write_report

    device = choose_device(config.device)
    what = f"{config.labels} comparisons" if config.labels else "the true reward"
    print(f"{config.env_id}: {config.steps:,} steps from {what}, on {device}, in {run.path}", file=sys.stderr)
    oracle = Oracle(config.oracle, config.seed) if config.labeler == "oracle" else None
    if config.labeler == "human":
        print(f"compare clips with `prefrl label {run.path}` (a window) or `prefrl serve {run.path}`", file=sys.stderr)
    stop = StopOnSignal()
    with ProgressBar(config, run.path) as bar, stop:
        ended = train_loop(config, run, oracle, device=device, on_row=bar, on_wait=bar.wait, stopped=stop.asked)
    if not ended:
        print(f"saved; `prefrl resume {run.path}` goes on", file=sys.stderr)
        return 130
    summary = run.summary()
    print(
        f"true return {summary['true_return_mean']:.1f} ± {summary['true_return_std']:.1f} "
        f"(random policy {summary['random_return_mean']:.1f})\n"
        f"report: {write_report(run.path, comparisons_of(run))}"
    )
    return 0


def comparisons_of(run: RunFolder) -> list[Comparison]:
    """Every comparison in the run's store."""
    from prefrl.store import PreferenceStore

    with PreferenceStore.existing(run.store_location(run.config())) as store:
        return store.answered()


class StopOnSignal:
    """Ctrl-C or a polite kill asks to stop; a second Ctrl-C does not ask."""

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        return self._asked

    def __enter__(self) -> StopOnSignal:
        self._before = {kind: signal.signal(kind, self._handle) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _handle(self, kind: int, _: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print("\nsaving after this rollout; once more to leave at once", file=sys.stderr)


def evaluate(run: Folder, /) -> int:
    """Prints the summary of a run as JSON."""

    RunFolder(run).config()
    print(json.dumps(RunFolder(run).summary(), indent=2))
    return 0


def play(run: Folder, /, video: Path | None = None, seed: int = 0, steps: int | None = None) -> int:
    """Shows the agent of a run, in a window or as a video.

    Args:
        run: the run's folder.
        video: a .webm or .mp4 file to write instead of opening a window.
        seed: of the episode.
        steps: at most so many steps of it.
    """
    from prefrl.playing import film, show

    if steps is not None and steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    folder = RunFolder(run)
    if video is not None:
        film(folder, video, seed, steps)
        print(video)
    else:
        show(folder, seed, steps)
    return 0


def label(
    run: Folder,
    /,
    name: str | None = None,
    question: str | None = None,
    repeat: float = 0.05,
    store: str | None = None,
) -> int:
    """Opens a window in which a person says which clip is better.

    Args:
        run: the run's folder; it may be training meanwhile.
        name: of who answers; the login name where not given.
        question: what to ask in this window, instead of the run's own question.
        repeat: share of the pairs that come a second time, sides swapped: how sure are you?
        store: a database's URL, where the run does not keep its preferences in its folder.
    """
    import numpy as np

    from prefrl.labelers.window.labeling import Subject, label_in_window
    from prefrl.store import PreferenceStore

    if not 0 <= repeat <= 1:
        raise ValueError(f"repeat is a share of the pairs, from 0 to 1, got {repeat}")
    folder = RunFolder(run)
    config = folder.config()
    subject = Subject(env_id=config.env_id, horizon=config.horizon, on_end=config.on_end, folder=run)
    with PreferenceStore.existing(store or folder.store_location(config)) as preferences:
        answers = label_in_window(
            preferences, subject, name or _login_name(), np.random.default_rng(), question=question, repeat=repeat
        )
    print(f"answers saved: {answers}")
    return 0


def serve(
    run: Folder,
    /,
    host: str = "127.0.0.1",
    port: int = 0,
    allow_host: tuple[str, ...] = (),
    question: str | None = None,
    repeat: float = 0.05,
    store: str | None = None,
) -> int:
    """Opens a page on which people say which clip is better, in any browser, several at once.

    Args:
        run: the run's folder; it may be training meanwhile.
        host: the address to listen at; any but this machine's own needs --allow-host.
        port: 0 for any that is free.
        allow_host: names by which others may call this machine, such as 192.168.1.20.
        question: what to ask on this page, instead of the run's own question.
        repeat: share of the pairs that come a second time, sides swapped: how sure are you?
        store: a database's URL, where the run does not keep its preferences in its folder.
    """
    from prefrl.store import PreferenceStore

    try:
        from prefrl.labelers.web import serving
    except ModuleNotFoundError as error:
        raise ValueError(f"the page needs {error.name}: pip install 'prefrl[web]'") from error
    from prefrl.labelers.web.subject import Subject

    if not 0 <= repeat <= 1:
        raise ValueError(f"repeat is a share of the pairs, from 0 to 1, got {repeat}")
    folder = RunFolder(run)
    config = folder.config()
    subject = Subject(env_id=config.env_id, horizon=config.horizon, on_end=config.on_end, folder=run)
    with PreferenceStore.existing(store or folder.store_location(config)) as preferences:
        serving.serve(
            preferences, subject, host=host, port=port, allow_host=allow_host, question=question, repeat=repeat
        )
    return 0


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:  # a container's user may have no name
        raise ValueError("nothing here says who you are; give --name") from error


def report(run: Folder, /) -> int:
    """Draws the report of a run again."""
    from prefrl.report import write_report

    folder = RunFolder(run)
    print(write_report(run, comparisons_of(folder) if folder.config().labels else ()))
    return 0


def envs() -> int:
    """Lists the environment suite."""
    from rich.console import Console
    from rich.table import Table

    table = Table("environment", "horizon", "clip", "fps", "steps", "true reward", box=None, pad_edge=False)
    for row in SUITE:
        table.add_row(
            row.id,
            f"{row.horizon:,}",
            f"{row.clip_steps}",
            f"{row.fps}",
            f"{row.training_steps:,}",
            row.true_reward,
        )
    width = None if sys.stdout.isatty() else 160
    Console(width=width).print(table)
    return 0


def fit(
    store: tyro.conf.Positional[str],
    /,
    env: str,
    out: Path,
    horizon: int | None = None,
    epochs: int = 200,
    seed: int = 0,
    device: str = "auto",
) -> int:
    """Learns a reward model from stored comparisons alone.

    Args:
        store: the file with the comparisons, preferences.sqlite3 in a run's folder, or a database's URL.
        env: the environment that they are about.
        out: folder for the reward model.
        horizon: steps per episode; needed for environments outside the suite.
        epochs: passes over the comparisons.
        seed: of the networks' weights and the order of training.
        device: auto, cpu, cuda or mps.
    """
    from prefrl.algorithms.offline import fit_store

    stats = fit_store(store, canonical_id(env), out, horizon=horizon, epochs=epochs, seed=seed, device=device)
    print(json.dumps(stats, indent=2))
    return 0


def answers(
    where: tyro.conf.Positional[str],
    /,
    export: Path | None = None,
    export_preferences: Path | None = None,
    import_: Annotated[Path | None, tyro.conf.arg(name="import")] = None,
    withdraw: str | None = None,
    labeler: str | None = None,
) -> int:
    """Shows what was answered, by whom, how fast and how well; or exports, imports, withdraws answers.

    Args:
        where: a run's folder, a file with comparisons or a database's URL.
        export: a .parquet file to write every answer to, with its segments.
        export_preferences: a .parquet file to write what was chosen and what was rejected to, for other libraries.
        import_: a file that --export wrote, to add its answers to these.
        withdraw: id of a query whose answer no longer counts; its row stays.
        labeler: whose answer to withdraw.
    """
    from rich.console import Console

    from prefrl import exchange
    from prefrl.answers import overview
    from prefrl.store import PreferenceStore

    if (withdraw is None) != (labeler is None):
        raise ValueError("--withdraw QUERY_ID and --labeler NAME go together: a query may have several answers")
    if import_ is not None:
        exchange.check_answers(import_)  # before a store is made for it
    opened = PreferenceStore.existing if import_ is None else PreferenceStore
    with opened(store_of(where)) as store:
        if import_ is not None:
            print(f"{exchange.import_answers(store, import_):,} answers that were not there yet, from {import_}")
        if withdraw is not None and labeler is not None:
            store.withdraw(withdraw, labeler, lease_s=0.0)
            print(f"withdrawn: {labeler}'s answer to query {withdraw}")
        if export is not None:
            print(f"{exchange.export_answers(store, export):,} answers in {export}")
        if export_preferences is not None:
            print(f"{exchange.export_preferences(store, export_preferences):,} preferences in {export_preferences}")
        if import_ is withdraw is export is export_preferences is None:
            width = None if sys.stdout.isatty() else 160
            Console(width=width, markup=False, highlight=False).print(overview(store))
    return 0


def store_of(where: str) -> str | Path:
    """The store of a run's folder, or what is a store's path or URL already."""
    if "://" in where or not Path(where).is_dir():
        return where
    run = RunFolder(Path(where))
    return run.store_location(run.config()) if run.config_file.exists() else run.store


def _is_no_bug(error: Exception) -> bool:
    """Bad input, a folder that cannot be written, a database that is damaged: for the user to mend."""
    databases = sys.modules.get("sqlalchemy.exc")
    kinds = (ValueError, OSError) if databases is None else (ValueError, OSError, databases.SQLAlchemyError)
    return isinstance(error, kinds)


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
    name, *rest = arguments
    try:
        if name not in COMMANDS:
            raise ValueError(unknown("command", name, COMMANDS))
        command = COMMANDS[name]
        return command(rest) if command is train else parse(_prepared(command), name, rest)()
    except Exception as error:
        if not _is_no_bug(error) or "PREFRL_TRACEBACK" in os.environ:
            raise
        print(f"prefrl {name}: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"prefrl {name}: stopped; what a run had saved by its latest checkpoint is there", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
