"""Reproduces the Cheetah curve of figure 1 in Christiano et al. 2017.

Paper: 700 labels come near RL on the true reward. Options: `prefrl train HalfCheetah --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "HalfCheetah", "--labels", "700", *sys.argv[1:]]))
