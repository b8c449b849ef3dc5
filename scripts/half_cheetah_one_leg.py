"""Reproduces the one-legged cheetah of sec. 3.2 in Christiano et al. 2017, answered by a hand-written reward.

Paper: 800 queries to a person. Options: `prefrl train HalfCheetahOneLeg --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "HalfCheetahOneLeg", "--labels", "800", *sys.argv[1:]]))
