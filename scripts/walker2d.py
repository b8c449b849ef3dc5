"""Reproduces the Walker curve of figure 1 in Christiano et al. 2017.

Paper: 700 labels come near RL on the true reward. Options: `prefrl train Walker2d --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Walker2d", "--labels", "700", *sys.argv[1:]]))
