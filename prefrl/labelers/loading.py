"""Labelers by name: the oracle, or what a function of one's own makes."""

from __future__ import annotations

from prefrl.config import RlhfConfig
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import load_plugin, unknown
from prefrl.labelers.base import Labeler, check_labeler
from prefrl.labelers.oracle import Oracle


def make_labeler(config: RlhfConfig) -> Labeler | None:
    """Makes the labeler inside the loop; None if people or other processes answer beside the trainer.

    Raises:
        PrefrlError: there is no such labeler, or it cannot be made.
    """
    if config.labeler == "human":
        return None
    if config.labeler == "oracle":
        return Oracle(config.oracle, config.seed)
    if ":" not in config.labeler:
        raise PrefrlError(unknown("labeler", config.labeler, ("oracle", "human", "module:function")))
    return load_labeler(config.labeler)


def load_labeler(name: str) -> Labeler:
    """The labeler that the function `module:function` returns; it is called without arguments, so a class does, too.

    Raises:
        PrefrlError: there is no such function, it failed, or what it returned is no labeler.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise PrefrlError(f"a labeler is named module:function, got {name!r}")
    make = load_plugin(name)
    if not callable(make):
        raise PrefrlError(f"{name} is no function; it must be one that returns a labeler")
    try:
        labeler = make()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise PrefrlError(
            f"{name} failed with {reason}; it is called without arguments and returns a labeler"
        ) from error
    try:
        check_labeler(labeler)
    except ValueError as error:
        raise PrefrlError(f"{name} returned no labeler: {error}") from error
    return labeler
