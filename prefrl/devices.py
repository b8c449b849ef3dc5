"""The device of the networks."""

from __future__ import annotations

import torch

from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up


def choose_device(name: str) -> str:
    """Resolves a name: auto is cuda where there is one, else cpu (which is faster than mps for small networks).

    Raises:
        PrefrlError: not a device, or not one of this machine's.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not look_up("device", name, available):
        raise PrefrlError(f"this machine has no {name} device; use `device` auto or cpu")
    return name
