"""Reproduces the Ant curve of figure 1 in Christiano et al. 2017.

Paper: synthetic labels reach what the true reward does. Options: `prefrl train Ant --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Ant", "--labels", "700", *sys.argv[1:]]))
