"""Reproduces the Qbert curve of sec. 3.1.2 in Christiano et al. 2017.

Paper: gets near RL on the true reward, slower. Options: `prefrl train Qbert --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "Qbert", "--labels", "5500", *sys.argv[1:]]))
