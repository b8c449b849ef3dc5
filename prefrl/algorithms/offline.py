"""Learning a reward model from stored comparisons alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from prefrl_envs.wrappers import make_env

from prefrl.agents.ppo import choose_device
from prefrl.config import RewardConfig
from prefrl.metrics import pearson, spearman
from prefrl.rewards.ensemble import DESCRIPTION, Ensemble
from prefrl.rewards.fitting import ComparisonData, fit, make_optimizer
from prefrl.runs import versions
from prefrl.store import PreferenceStore


def fit_store(
    store: str | Path, env_id: str, out: Path, *, horizon: int | None, epochs: int, seed: int, device: str
) -> dict[str, Any]:
    """Fits an ensemble to every comparison in `store` and saves it in `out`.

    Returns:
        The fit's losses and accuracies, and how predicted and true returns of the compared segments correlate.

    Raises:
        ValueError: no comparisons, comparisons of another environment, or a folder that holds a reward model.
    """
    if (out / DESCRIPTION).exists():
        raise ValueError(f"{out} already holds a reward model; choose another folder with --out")
    with PreferenceStore.existing(store) as preferences:
        comparisons = preferences.answered()
    segments = list({s.id: s for c in comparisons for s in c.query.segments}.values())
    if not any(comparison.answer.comparable for comparison in comparisons):
        raise ValueError(f"{store} has no answered comparisons to learn from")
    if strange := sorted({segment.env_id for segment in segments} - {env_id}):
        raise ValueError(f"{store} has comparisons of {', '.join(strange)}, not of {env_id}")
    env = make_env(env_id, horizon)
    ensemble = Ensemble(env.observation_space, env.action_space, RewardConfig(), seed, choose_device(device))
    env.close()
    data = ComparisonData(ensemble)
    data.add(comparisons)
    ensemble.see(segments)
    stats = fit(ensemble, make_optimizer(ensemble), data, epochs, torch.Generator().manual_seed(seed))
    ensemble.standardise(segments)
    ensemble.save(out, versions())
    predicted = ensemble.returns(segments)
    true = [segment.true_return for segment in segments]
    return {
        "comparisons": len(data),
        **asdict(stats),
        "pearson": pearson(predicted, true),
        "spearman": spearman(predicted, true),
        "reward_model": str(out),
    }
