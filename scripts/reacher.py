"""Reproduces the Reacher curve of figure 1 in Christiano et al. 2017.

Episodes of 50 steps, clips of 15. Options: `prefrl train Reacher --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Reacher", "--labels", "700", *sys.argv[1:]]))
