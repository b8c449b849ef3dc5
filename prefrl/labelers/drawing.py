"""What a process that draws clips is, for the window and for the page alike."""

from __future__ import annotations

import os
import signal
import sys

NICENESS = 5  # a trainer on the same machine goes first


def become_a_drawing_process() -> None:
    """Leaves Ctrl-C to the parent, yields to trainers, and has MuJoCo draw without a display.

    To be called before a simulator is loaded, which is when MUJOCO_GL is read.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent then closes the connection, which ends this process
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")
