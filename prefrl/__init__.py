"""prefrl: teach agents by preferences. Importing it registers the environments and loads no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import prefrl_envs as prefrl_envs

if TYPE_CHECKING:
    from prefrl.api import train as train
    from prefrl.core.errors import PrefrlError as PrefrlError
    from prefrl.labelers.base import Labeler as Labeler
    from prefrl.labelers.oracle import Oracle as Oracle
    from prefrl.rewards.ensemble import RewardEnsemble as RewardEnsemble
    from prefrl.rewards.wrapper import LearnedReward as LearnedReward
    from prefrl.store import PreferenceStore as PreferenceStore

__version__ = "0.1.0"

_MODULES = {
    "train": "prefrl.api",
    "Oracle": "prefrl.labelers.oracle",
    "Labeler": "prefrl.labelers.base",
    "PreferenceStore": "prefrl.store",
    "RewardEnsemble": "prefrl.rewards.ensemble",
    "LearnedReward": "prefrl.rewards.wrapper",
    "PrefrlError": "prefrl.core.errors",
}
"""Public name -> the module that has it, which is imported when the name is first used."""

__all__ = [*_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'prefrl' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
