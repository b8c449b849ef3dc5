"""JSON files that are complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefrl.core.errors import PrefrlError


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        PrefrlError: the file is no JSON, or holds something else.
    """
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise PrefrlError(f"it holds {type(values).__name__}, not settings by name")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a JSON object; a file that is there is replaced as a whole, or stays as it was."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
