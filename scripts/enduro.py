"""Trains for the Enduro curve of sec. 3.1.2 in Christiano et al. 2017.

Paper: three seeds with 3,300 to 10,000 labels each. Options: `prefrl train Enduro --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Enduro", "--labels", "5500", *sys.argv[1:]]))
