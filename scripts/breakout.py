"""Reproduces the Breakout curve of sec. 3.1.2 in Christiano et al. 2017.

Paper: does not match RL on the true reward; 20 points, 50 with enough labels. Options: `prefrl train Breakout --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Breakout", "--labels", "5500", *sys.argv[1:]]))
