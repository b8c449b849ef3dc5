"""Reproduces the SpaceInvaders curve of sec. 3.1.2 in Christiano et al. 2017.

Paper: does not match RL on the true reward. Options: `prefrl train SpaceInvaders --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "SpaceInvaders", "--labels", "5500", *sys.argv[1:]]))
