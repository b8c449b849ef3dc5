"""Reproduces the BeamRider curve of sec. 3.1.2 in Christiano et al. 2017.

Paper: 3,300 labels come near RL on the true reward. Options: `prefrl train BeamRider --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "BeamRider", "--labels", "5500", *sys.argv[1:]]))
