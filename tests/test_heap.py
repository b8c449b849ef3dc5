import subprocess
import sys

PAGES = """
import numpy as np
from prefrl.heap import keep_freed_memory
kept = keep_freed_memory() if {keep} else None
try:
    import resource
    given = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
except ImportError:  # Windows counts no pages, and has no glibc: there nothing may claim to be kept
    given = lambda: 0
def faults(times):
    before = given()
    for _ in range(times):
        np.ones(2**26, np.uint8)
    return given() - before
faults(2)
print(kept, faults(8))
"""


def faults(keep):
    """Whether memory is kept, and pages that the system gave for 8 arrays of 64 MB, once two had been freed."""
    kept, number = subprocess.check_output([sys.executable, "-c", PAGES.format(keep=keep)], text=True).split()
    return kept == "True", int(number)


def test_freed_memory_is_used_again():
    (kept, number), (_, untold) = faults(keep=True), faults(keep=False)
    if kept:
        assert number < 100 < untold
    else:  # an allocator that cannot be told so is as good as it was
        assert number < 1.1 * untold + 100
