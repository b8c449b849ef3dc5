"""Reproduces Enduro's behavior of sec. 3.2 in Christiano et al. 2017: keep level with the other cars.

Paper: about 1,300 queries to a person. Here `prefrl_envs.enduro.levelness` answers.
Options: `prefrl train EnduroLevel --help`.
"""

import sys

from prefrl.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", "EnduroLevel", "--labels", "1300", *sys.argv[1:]]))
