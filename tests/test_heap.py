import subprocess
import sys

import pytest

PAGES = """
import resource
import numpy as np
from prefrl.heap import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.ones(2**26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(2)
print(faults(8))
"""


def faults(keep):
    """Pages that the system had to give for 8 arrays of 64 MB, one after the other, once two had been freed."""
    return int(subprocess.check_output([sys.executable, "-c", PAGES.format(keep=keep)], text=True))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is Linux's")
def test_freed_memory_is_used_again():
    assert faults(keep=True) < 100 < faults(keep=False)
