"""Learning a reward model from stored comparisons alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from prefrl_envs.task import TaskConfig
from prefrl_envs.wrappers import make_env

from prefrl.agents.precision import choose_precision
from prefrl.core.errors import PrefrlError
from prefrl.devices import choose_device
from prefrl.heap import keep_freed_memory
from prefrl.metrics import pearson, spearman
from prefrl.preferences.dataset import PreferenceDataset
from prefrl.presets import preset_groups
from prefrl.rewards.config import RewardConfig
from prefrl.rewards.encoding import EncodedPreferences
from prefrl.rewards.ensemble import DESCRIPTION, RewardEnsemble
from prefrl.rewards.fitting import fit, make_optimizer
from prefrl.runs import RunFolder
from prefrl.runs.provenance import versions
from prefrl.seeds import Purpose, seed_of
from prefrl.segments import Segment
from prefrl.store import PreferenceStore


def fit_store(
    store: str | Path,
    task: TaskConfig,
    out: Path,
    *,
    preset: str,
    epochs: int | None,
    seed: int,
    device: str,
) -> dict[str, Any]:
    """Fits an ensemble to every comparison in `store` and saves it in `out`.

    Segments are read a few hundred comparisons at a time, and again for each thing that is done with them: those of
    5,500 comparisons of a game would take 2.2 GB.

    Args:
        task: that the comparisons are about.
        preset: whose reward model it is.
        epochs: passes over all comparisons; None for as many as the preset's first fit makes.

    Returns:
        The fit's losses and accuracies, and how predicted and true returns of the compared segments correlate.

    Raises:
        PrefrlError: no comparisons, comparisons of another environment, no epochs, or a folder that holds a reward
            model or a run.
    """
    if epochs is not None and epochs < 1:
        raise PrefrlError(f"epochs must be at least 1, got {epochs}")
    device = choose_device(device)
    keep_freed_memory()
    if (out / DESCRIPTION).exists():
        raise PrefrlError(f"{out} already holds a reward model; choose another folder")
    if RunFolder(out).config_file.exists():
        raise PrefrlError(f"{out} holds a run; choose another folder")
    with PreferenceStore.existing(store) as preferences:
        number = preferences.labels()
        if not number:
            raise PrefrlError(f"{store} has no answered comparisons to learn from")
        config = reward_config(preset, task.id, number)
        ensemble = fresh_ensemble(task, config, seed, device)
        for comparisons in preferences.answered_in_parts():
            segments = [segment for comparison in comparisons for segment in comparison.query.segments]
            if strange := sorted({segment.env_id for segment in segments} - {task.id}):
                raise PrefrlError(f"{store} has comparisons of {', '.join(strange)}, not of {task.id}")
            ensemble.see(segments)
        dataset, data = PreferenceDataset(preferences.queries), EncodedPreferences(ensemble)
        dataset.add(preferences.answered_queries())
        data.update(dataset)
        passes = config.initial_epochs if epochs is None else epochs
        generator = torch.Generator().manual_seed(seed_of(seed, Purpose.FIT))
        stats = fit(ensemble, make_optimizer(ensemble), data, passes, generator)
        judged = [
            (ensemble.raw_of(distinct), [segment.true_return for segment in distinct])
            for distinct in distinct_segments(preferences)
        ]
    raw = torch.cat([part for part, _ in judged], dim=1)
    ensemble.standardise_by(raw)
    ensemble.save(out, versions())
    predicted, true = ensemble.returns_of(raw), [value for _, returns in judged for value in returns]
    return {
        "comparisons": len(data),
        "epochs": passes,
        **asdict(stats),
        "pearson": pearson(predicted, true),
        "spearman": spearman(predicted, true),
        "reward_model": str(out),
    }


def fresh_ensemble(task: TaskConfig, config: RewardConfig, seed: int, device: str) -> RewardEnsemble:
    """Reward networks for a task, that have learned nothing yet."""
    with closing(make_env(task)) as env:
        precision = choose_precision("auto", env.observation_space, device)
        weights = seed_of(seed, Purpose.REWARD_MODEL)
        return RewardEnsemble(env.observation_space, env.action_space, config, weights, device, precision)


def reward_config(preset: str, env_id: str, labels: int) -> RewardConfig:
    """The preset's reward model, to be fitted once to all there is.

    Its window and its sample are for fits that come again and again while an agent learns.
    """
    _, reward, _ = preset_groups(preset, env_id, labels)
    return replace(reward, label_window=None, fit_sample=None)


def distinct_segments(preferences: PreferenceStore) -> Iterator[list[Segment]]:
    """Every compared segment once, a few hundred at a time."""
    known: set[str] = set()
    for comparisons in preferences.answered_in_parts():
        new = {s.id: s for comparison in comparisons for s in comparison.query.segments if s.id not in known}
        known.update(new)
        if new:
            yield list(new.values())
