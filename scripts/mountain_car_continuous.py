"""Reproduces driving Gymnasium's MountainCarContinuous up its hill from comparisons.

The goal is seldom reached at first, so early comparisons say little.
Options: `prefrl train MountainCarContinuous --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "MountainCarContinuous", "--labels", "700", *sys.argv[1:]]))
