"""Features of the processor."""

from __future__ import annotations

import os
import platform
from pathlib import Path

SPEED = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""The flags that decide how fast networks train, as Linux calls them."""


def cpu_name() -> str:
    """The processor's model, its cores, and its flags among SPEED."""
    model = _facts().get("model name") or platform.processor() or platform.machine()
    flags = " ".join(flag for flag in SPEED if has_flag(flag))
    return f"{model}, {os.cpu_count()} cores{', ' + flags if flags else ''}"


def has_flag(flag: str) -> bool:
    """Whether Linux reports the feature; False on other systems."""
    return flag in _facts().get("flags", "").split()


def _facts() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo; none where there is no such file."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return {}
    lines = cpuinfo.read_text().split("\n\n")[0].splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}
