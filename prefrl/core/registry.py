"""Lookup by name, with an error that helps."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from prefrl.core.errors import PrefrlError

T = TypeVar("T")


def look_up(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The value that `name` stands for.

    Raises:
        PrefrlError: unknown name; says which known one is near and which there are.
    """
    if name not in known:
        raise PrefrlError(unknown(kind, name, known))
    return known[name]


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line: what was given, what was near, what there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(names)}"


def look_up_or_load(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The value of a known name, or the object that `module:name` names: a plug-in."""
    return load_plugin(name) if ":" in name else look_up(kind, name, known)


def load_plugin(name: str) -> Any:
    """The object that `module:name` names.

    Raises:
        PrefrlError: there is no such module, or nothing of that name in it.
    """
    module, attribute = name.split(":", 1)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PrefrlError(f"cannot load {name!r}: {error}") from error
