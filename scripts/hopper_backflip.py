"""Reproduces the backflip of sec. 3.2 in Christiano et al. 2017, answered by a hand-written reward as the authors' was.

Paper: 900 queries to a person. Once they are answered, `prefrl resume RUN --steps 5000000 --fresh-agent` has a new
agent learn from them; README, "Labeling", has what is surest. Options: `prefrl train HopperBackflip --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "HopperBackflip", "--labels", "900", *sys.argv[1:]]))
