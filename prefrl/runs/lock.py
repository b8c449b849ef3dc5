"""One trainer in a run's folder: it keeps others out, and shows who looks on that it is there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

from prefrl.core.errors import PrefrlError
from prefrl.core.repeating import repeating

LOCK, SIGN = ".training", ".alive"
SIGN_EVERY_S = 10.0
GONE_AFTER_S = 60.0  # without a sign

_ours: set[Path] = set()  # folders in which this process trains


@contextmanager
def only_trainer(folder: Path) -> Iterator[None]:
    """Two trainers in one folder would overwrite each other's checkpoints; the lock goes with its process.

    Raises:
        PrefrlError: there is one.
    """
    try:
        with FileLock(folder / LOCK, timeout=0), _signs_of_life(folder / SIGN), _noted(folder.resolve()):
            yield
    except Timeout as error:
        raise _another(folder) from error


@contextmanager
def no_other_trainer(folder: Path) -> Iterator[None]:
    """Keeps trainers other than this process out of a folder, for work that none may see half done.

    Raises:
        PrefrlError: there is one, here or on another machine that shares the folder.
    """
    if folder.resolve() in _ours:
        yield
        return
    if trainer_is_present(folder):
        raise _another(folder)
    try:
        with FileLock(folder / LOCK, timeout=0) if (folder / LOCK).exists() else nullcontext():
            yield
    except Timeout as error:
        raise _another(folder) from error


def _another(folder: Path) -> PrefrlError:
    return PrefrlError(f"another process is training in {folder}; wait for it or stop it")


@contextmanager
def _noted(folder: Path) -> Iterator[None]:
    _ours.add(folder)
    try:
        yield
    finally:
        _ours.discard(folder)


def trainer_is_present(folder: Path) -> bool:
    """Whether a trainer gave a sign of life lately, on any machine that shares the folder: one that was killed is gone
    after a minute, one that has ended at once.

    The lock would say more, but only to who tries to take it: a trainer that starts in that moment would be refused.
    """
    try:
        return time.time() - (folder / SIGN).stat().st_mtime < GONE_AFTER_S
    except OSError:
        return False


@contextmanager
def _signs_of_life(sign: Path) -> Iterator[None]:
    """Touches a file every now and then, also during a long fit. Removes it at the end."""
    sign.touch()
    try:
        with repeating(sign.touch, SIGN_EVERY_S, passing=OSError):
            yield
    finally:
        sign.unlink(missing_ok=True)
