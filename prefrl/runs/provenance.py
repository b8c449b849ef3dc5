"""What a result was computed with: versions, commit, memory."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def versions() -> dict[str, str]:
    """Of Python and of every package that a result depends on."""
    names = ("prefrl", "gymnasium", "mujoco", "ale-py", "stable-baselines3", "torch", "numpy")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def peak_memory_mb() -> int | None:
    """The most that this process has held at once, whatever it did before; None on Windows, which does not say."""
    if sys.platform == "win32":
        return None
    import resource  # there is none on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def git_commit() -> str | None:
    """The commit of the checkout that prefrl runs from, or None outside one."""
    here = Path(__file__)
    git = ["git", "-C", str(here.parent)]
    try:  # a checkout that merely contains the installed package is not ours
        subprocess.run([*git, "ls-files", "--error-unmatch", here.name], capture_output=True, check=True)
        return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
