"""Reproduces swinging Gymnasium's Acrobot up from comparisons.

Discrete actions. Options: `prefrl train Acrobot --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Acrobot", "--labels", "700", *sys.argv[1:]]))
