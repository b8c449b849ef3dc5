"""The error for what a user did wrong."""

from __future__ import annotations


class PrefrlError(ValueError):
    """A name, a setting, a file or an environment that does not fit, and what to do about it, in one line.

    The command line prints the line. Any other exception is a bug and shows its traceback.
    """
