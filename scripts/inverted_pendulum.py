"""Reproduces the Pendulum curve of figure 1 in Christiano et al. 2017.

Episodes of 25 steps that go on after a fall. Options: `prefrl train InvertedPendulum --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "InvertedPendulum", "--labels", "700", *sys.argv[1:]]))
