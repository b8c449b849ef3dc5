"""Reproduces the Swimmer curve of figure 1 in Christiano et al. 2017.

Pays only for strokes of hundreds of steps: gamma is 0.9999. Options: `prefrl train Swimmer --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Swimmer", "--labels", "700", *sys.argv[1:]]))
