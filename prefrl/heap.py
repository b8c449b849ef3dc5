"""Settings of the memory allocator."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST = 2**30  # bytes


def keep_freed_memory() -> bool:
    """Lets the process reuse large blocks that it has freed; returns whether that could be set (glibc alone has it).

    Of itself glibc gives a block of 32 MB or more back at once, and gets it anew page by page, each filled with
    zeros: a fifth of the time of a fit on images, whose layers put out such blocks at every gradient.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # In this order: an old glibc refuses the first, and the second alone would make things worse.
    return mallopt is not None and all(mallopt(option, _LARGEST) for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))
