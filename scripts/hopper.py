"""Reproduces the Hopper curve of figure 1 in Christiano et al. 2017.

Paper: 700 labels come near RL on the true reward. Options: `prefrl train Hopper --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Hopper", "--labels", "700", *sys.argv[1:]]))
