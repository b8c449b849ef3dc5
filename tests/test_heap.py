import subprocess
import sys

import pytest

PAGES = """
import resource
import numpy as np
from prefrl.heap import keep_freed_memory
kept = keep_freed_memory() if {keep} else None
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.ones(2**26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(2)
print(kept, faults(8))
"""


def faults(keep):
    """Pages that the system had to give for 8 arrays of 64 MB, one after the other, once two had been freed."""
    kept, number = subprocess.check_output([sys.executable, "-c", PAGES.format(keep=keep)], text=True).split()
    if kept == "False":
        pytest.skip("only a recent glibc's malloc can be told to keep large blocks")
    return int(number)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not count pages")
def test_freed_memory_is_used_again():
    assert faults(keep=True) < 100 < faults(keep=False)
