"""Checkpoints of a run: folders that are complete or not there at all, the latest two of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefrl.core.errors import PrefrlError

MANIFEST = "checkpoint.json"
KEPT = 2  # one may turn out to be damaged

Manifest = dict[str, Any]


def checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints in `folder`, oldest first."""
    return sorted(folder.glob("step-*"))


def write_checkpoint(folder: Path, step: int, write: Callable[[Path], Manifest]) -> Path:
    """Writes folder/step-<n>, complete or not at all, and removes all but the latest two.

    Args:
        write: puts files into the folder that it is given, and returns what is to stand in the manifest.
    """
    target = folder / f"step-{step:012d}"
    draft = folder / f".{target.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    manifest = write(draft)
    manifest["sha256"] = {path.name: _sha256(path) for path in sorted(draft.iterdir())}
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=2))
    for path in draft.iterdir():
        _to_disk(path)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    for old in checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old)
    return target


def read_manifest(checkpoint: Path) -> Manifest:
    """Returns the manifest of a checkpoint all of whose files are as they were written.

    Raises:
        OSError, KeyError, ValueError: the manifest or a file is missing or damaged.
    """
    manifest: Manifest = json.loads((checkpoint / MANIFEST).read_text())
    for name, expected in manifest["sha256"].items():
        if _sha256(checkpoint / name) != expected:
            raise PrefrlError(f"{name} is not what was saved")
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """Survives power loss: the rename that follows must not overtake the content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
