"""prefrl train, resume, fit: what learns."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro
from prefrl_envs.games import visible_score
from prefrl_envs.suite import canonical_id
from prefrl_envs.task import TaskConfig

from prefrl.cli.labeling import store_of
from prefrl.cli.looking import draw_report
from prefrl.cli.parsing import Folder, with_flags
from prefrl.cli.settings import HELP, HELP_ALL, names_of_settings, settings, show_help
from prefrl.cli.stopping import StopOnSignal
from prefrl.config import RlhfConfig
from prefrl.core.errors import PrefrlError
from prefrl.core.settings import check_seed
from prefrl.labelers.base import Labeler
from prefrl.runs import RunFolder


def train(args: Sequence[str]) -> int:
    """Trains an agent."""
    from prefrl.algorithms.setup import check
    from prefrl.devices import choose_device
    from prefrl.labelers.loading import make_labeler

    if {*HELP, HELP_ALL} & set(args):
        show_help(args)
        return 0
    command = settings(args)
    config, run = command.config(), RunFolder(command.folder())
    check(config, choose_device(config.device))
    labeler = make_labeler(config)
    run.create(config)
    return _run(config, run, labeler)


def resume(
    run: Folder,
    /,
    steps: int | None = None,
    labels: int | None = None,
    horizon: int | None = None,
    fresh_agent: bool = False,
    device: str | None = None,
    threads: int | None = None,
) -> int:
    """Goes on with a run that was stopped or killed, or extends one that has ended.

    Args:
        run: the run's folder.
        steps: the new total of environment steps.
        labels: the new total of comparisons.
        horizon: steps of an episode from here on; longer ones, once what was learned in short ones is to last.
        fresh_agent: extend a run that has ended with an agent that has learned nothing yet; comparisons and reward
            model stay.
        device: auto, cpu, cuda or mps from here on; the run may have begun on another machine.
        threads: from here on.
    """
    from prefrl.labelers.loading import make_labeler

    folder = RunFolder(run)
    config = folder.config()
    canonical_id(config.env_id)  # imports the module of an environment that has one
    agent = config.agent
    if fresh_agent:
        _check_fresh_agent(folder, config, steps)
        agent = dataclasses.replace(agent, reset_step=config.steps)
    steps, labels = config.steps if steps is None else steps, config.labels if labels is None else labels
    horizon = config.horizon if horizon is None else horizon
    device, threads = config.device if device is None else device, config.threads if threads is None else threads
    if steps < config.steps or labels < config.labels:
        raise PrefrlError(f"a run only grows: it has {config.steps} steps and {config.labels} labels")
    extended = dataclasses.replace(
        config, steps=steps, labels=labels, horizon=horizon, agent=agent, device=device, threads=threads
    )
    if config.labels == 0 and extended.labels:
        raise PrefrlError("this run trains on the true reward and has no reward model; start a new one with --labels")
    if folder.has_ended(extended) and not folder.report.exists():
        print(f"{run} has ended, and only its report was missing: {draw_report(folder)}")
        return 0
    if folder.has_ended(extended):
        raise PrefrlError(f"{run} ended at {config.steps} steps; give more --steps or --labels to extend it")
    if fresh_agent:
        print(f"after {config.steps:,} steps a fresh agent begins; comparisons and reward model stay", file=sys.stderr)
    return _run(extended, folder, make_labeler(extended))


def _check_fresh_agent(folder: RunFolder, config: RlhfConfig, steps: int | None) -> None:
    if not folder.has_ended(config):
        raise PrefrlError(
            f"{folder.path} has not come to the end of its {config.steps} steps; `prefrl resume {folder.path}` goes "
            "on, and a fresh agent may begin after them"
        )
    if steps is None or steps <= config.steps:
        raise PrefrlError(f"a fresh agent needs steps to learn in; give more --steps than the run's {config.steps}")


def fit(
    store: tyro.conf.Positional[str],
    /,
    env: str,
    out: Path,
    horizon: int | None = None,
    preset: str = "default",
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> int:
    """Learns a reward model from stored comparisons alone.

    Args:
        store: the file with the comparisons, preferences.sqlite3 in a run's folder, that folder, or a database's URL.
        env: the environment that they are about.
        out: folder for the reward model.
        horizon: steps per episode; needed for environments outside the suite.
        preset: whose reward model it is: default, wide, paper2017 or zoo.
        epochs: passes over the comparisons; None for as many as the preset's first fit makes.
        seed: of the networks' weights and the order of training.
        device: auto, cpu, cuda or mps.
    """
    from prefrl.algorithms.offline import fit_store

    check_seed(seed)
    task = TaskConfig(canonical_id(env), horizon)
    stats = fit_store(store_of(store), task, out, preset=preset, epochs=epochs, seed=seed, device=device)
    print(json.dumps(stats, indent=2))
    return 0


def _run(config: RlhfConfig, run: RunFolder, labeler: Labeler | None) -> int:
    """Trains in the run's folder until its end or until Ctrl-C; without a labeler people answer."""
    from prefrl.algorithms.rlhf import train as train_loop
    from prefrl.devices import choose_device
    from prefrl.progress import ProgressBar

    device = choose_device(config.device)
    what = f"{config.labels} comparisons" if config.labels else "the true reward"
    print(f"{config.env_id}: {config.steps:,} steps from {what}, on {device}, in {run.path}", file=sys.stderr)
    if labeler is None:
        print(f"compare clips with `prefrl label {run.path}` (a window) or `prefrl serve {run.path}`", file=sys.stderr)
    if warning := visible_score(config.task):
        print(with_flags(warning, names_of_settings()), file=sys.stderr)
    stop = StopOnSignal("saving after this rollout")
    with ProgressBar(config, run.path) as bar, stop:

        def judge() -> None:
            bar.judge()
            stop.no_longer_ask()

        def note(text: str) -> None:
            bar.note(with_flags(text, names_of_settings()))

        ended = train_loop(
            config, run, labeler, device=device, on_row=lambda row, _: bar(row), on_wait=bar.wait, on_judge=judge,
            on_note=note, stopped=stop.asked,
        )  # fmt: skip
    if not ended:
        print(f"saved; `prefrl resume {run.path}` goes on", file=sys.stderr)
        return 130
    summary = run.summary()
    if summary.score_mean is not None:
        games = f"of {summary.score_games} whole games; in the stream "
        print(f"score {summary.score_mean:.1f} ± {summary.score_std:.1f} {games}", end="")
    print(
        f"true return {summary.true_return_mean:.1f} ± {summary.true_return_std:.1f} "
        f"(random policy {summary.random_return_mean:.1f})\n"
        f"report: {draw_report(run)}"
    )
    return 0
