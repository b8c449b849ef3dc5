"""Reproduces the backflip of sec. 3.2 in Christiano et al. 2017, answered by a hand-written reward as the authors' was.

Paper: 900 queries to a person. Two stages: short episodes until it flips, long ones so that it goes on flipping.
Options of the first: `prefrl train HopperBackflip --help`.
"""

import sys

from prefrl.cli import main
from prefrl.cli.training import settings

SHORT = ["HopperBackflip", "--labels", "600", "--steps", "500000", *sys.argv[1:]]
LONG = ["--labels", "900", "--steps", "1500000", "--horizon", "1000"]

if __name__ == "__main__":
    sys.exit(main(["train", *SHORT]) or main(["resume", str(settings(SHORT).folder()), *LONG]))
