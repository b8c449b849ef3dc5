"""Reproduces the Pong curve of sec. 3.1.2 in Christiano et al. 2017.

Paper: 3,300 labels match RL on the true reward. Options: `prefrl train Pong --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Pong", "--labels", "5500", *sys.argv[1:]]))
