"""Reproduces the Double-pendulum curve of figure 1 in Christiano et al. 2017.

Episodes of 50 steps that go on after a fall. Options: `prefrl train InvertedDoublePendulum --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "InvertedDoublePendulum", "--labels", "700", *sys.argv[1:]]))
