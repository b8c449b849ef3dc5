"""Reproduces swinging up Gymnasium's Pendulum from comparisons.

The smallest continuous task of the suite. Options: `prefrl train Pendulum --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Pendulum", "--labels", "700", *sys.argv[1:]]))
