"""Settings: their checks, and their form in JSON. Each room declares its own in a module called config."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from prefrl.core.errors import PrefrlError

Precision = Literal["fp32", "bf16"]


def require(holds: bool, otherwise: str) -> None:
    """Raises PrefrlError with that text unless the condition holds."""
    if not holds:
        raise PrefrlError(otherwise)


def require_at_least(least: int, settings: object, *names: str) -> None:
    """Refuses a setting below `least`."""
    for name in names:
        value = getattr(settings, name)
        require(value >= least, f"{name} must be at least {least}, got {value}")


def require_positive(settings: object, *names: str) -> None:
    """Refuses a setting that is not a finite number above 0."""
    for name in names:
        value = getattr(settings, name)
        require(0 < value < math.inf, f"{name} must be a number above 0, got {value}")


def require_not_negative(settings: object, *names: str) -> None:
    """Refuses a setting that is not a finite number from 0 up."""
    for name in names:
        value = getattr(settings, name)
        require(0 <= value < math.inf, f"{name} must be a number from 0 up, got {value}")


def require_units(name: str, sizes: tuple[int, ...]) -> None:
    """Refuses hidden layers without units."""
    require(all(size >= 1 for size in sizes), f"layers need at least 1 unit, got {name} {sizes}")


def check_seed(seed: int) -> None:
    """Refuses a seed that NumPy or torch does not take."""
    require(0 <= seed < 2**32, f"seed must be in [0, 2**32), got {seed}")


def to_plain(value: Any) -> Any:
    """A value that JSON can hold: infinities become the strings "inf" and "-inf"."""
    if isinstance(value, Mapping):
        return {key: to_plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def build(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass of the type `kind` from the values in JSON.

    Raises:
        PrefrlError: a setting that it does not have, or one that is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if strange := sorted(set(values) - set(fields)):
        raise PrefrlError(f"unknown setting {strange[0]!r} in {kind.__name__}; known: {', '.join(fields)}")
    for name, field in fields.items():
        is_needed = field.default is field.default_factory is dataclasses.MISSING
        require(name in values or not is_needed, f"setting {name!r} is missing from {kind.__name__}")
    return kind(**{name: _restore(fields[name].type, value) for name, value in values.items()})


def _restore(kind: Any, value: Any) -> Any:
    """JSON knows neither tuples nor infinities."""
    if isinstance(value, list):
        return tuple(_restore("", item) for item in value)
    return float(value) if kind == "float" else value
