"""The examples of docs/extending, which tests run as they stand there."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[1] / "docs" / "extending"


def examples(page):
    """The blocks of Python on a page, in order."""
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)


def commands(page):
    """The command lines on a page, each as a list of words after `prefrl`."""
    blocks = re.findall(r"```console\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line.split()[1:] for block in blocks for line in block.splitlines()]
