"""Reproduces balancing Gymnasium's CartPole over a fixed horizon from comparisons.

A pole that fell stays down: the length of an episode tells nothing. Options: `prefrl train CartPole --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "CartPole", "--labels", "700", *sys.argv[1:]]))
