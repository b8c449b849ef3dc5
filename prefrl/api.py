"""Training from Python, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefrl_envs.suite import canonical_id

from prefrl.algorithms import rlhf
from prefrl.algorithms.setup import check
from prefrl.config import with_settings
from prefrl.core.errors import PrefrlError
from prefrl.devices import choose_device
from prefrl.labelers.base import Labeler, check_labeler
from prefrl.labelers.loading import make_labeler
from prefrl.presets import preset_config, usual_labels
from prefrl.runs import RunFolder
from prefrl.runs.summary import Summary


def train(
    task: str,
    out: str | Path,
    *,
    labels: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    preset: str = "default",
    agent: str = "ppo",
    labeler: Labeler | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Summary:
    """Trains an agent from comparisons, or on the true reward where `labels` is 0.

    It does what `prefrl train` does, and goes on with the same run where `out` has one that was stopped.

    Args:
        task: an environment of a suite, such as "Hopper", or any other Gymnasium id.
        out: the run's folder.
        labels: comparisons to learn from; None for the task's usual number.
        steps: environment steps, over all parallel environments; None for the task's usual number.
        seed: of everything that is drawn.
        preset: where the other settings come from.
        agent: a name in `prefrl.agents.registry.AGENTS`.
        labeler: answers the queries; None for the one that the settings name, which is the oracle by default.
        settings: other settings by their path, such as {"agent.n_steps": 64, "horizon": 500}.

    Returns:
        The run's summary.

    Raises:
        PrefrlError: what was asked for cannot be trained, or `out` holds something else.
    """
    env_id = canonical_id(task)
    if labels is None:
        labels = usual_labels(env_id)
    config = preset_config(preset, env_id, labels=labels, steps=steps, seed=seed, agent=agent)
    config = with_settings(config, settings or {})
    if labeler is not None:
        check_labeler(labeler)
    device = choose_device(config.device)
    run = RunFolder(Path(out))
    if not run.config_file.exists():
        check(config, device)
        run.create(config)
    elif with_settings(run.config(), {"precision": config.precision}) != config:
        raise PrefrlError(f"{out} holds a run with other settings; choose another folder")
    if not run.has_ended(config):
        rlhf.train(config, run, labeler or make_labeler(config), device=device)
    return run.summary()
