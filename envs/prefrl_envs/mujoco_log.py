"""Keeps MuJoCo from writing its warnings into MUJOCO_LOG.TXT in the folder that the user stands in."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import mujoco


@contextmanager
def no_log_file() -> Iterator[None]:
    """While an environment is made: Gymnasium's cheetah is of an older format, which MuJoCo warns of."""
    mujoco.set_mju_user_warning(lambda text: None if "deprecated" in text else warnings.warn(text, stacklevel=4))
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(None)
