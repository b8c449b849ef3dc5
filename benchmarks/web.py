"""Labels at the page in a real browser beside a real trainer, at a person's pace and flat out.

    python benchmarks/web.py --out benchmarks/results/web.json                                 # half an hour
    python benchmarks/web.py --pairs 10 --pace-s 0.5 --blocks 1 --alone-s 10

Debian's chromium, driven by Playwright, at `prefrl serve`, all on one machine: the browser's own work, which is
elsewhere for somebody who trains on a server, is part of what the trainer is slowed down by here. The time runs by the
page's own marks from the key to the moment when both clips of the next pair are shown. What is pressed is the clip
with the higher true return, which this script reads from the store and the page does not know; in the end the store is
compared with what should be in it.

Labeling at a pace comes in blocks, with the trainer alone between them: then no page is open. Flat out the next key
comes once the next pair is there and the last answer is on disk, so that what the trainer has asked may run out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from beside import LABELER, Sitting, Trainer, measure, parse
from machine import write
from server import Page, Returns, Server, chromium

from prefrl.store import PreferenceStore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args, plan = parse(parser)
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        Trainer(Path(folder) / "run", args.env) as trainer,
    ):
        trainer.wait_for_a_pair()
        with (
            PreferenceStore.existing(trainer.run.store) as store,
            Server(trainer.run.path, "--repeat", "0") as server,
        ):
            returns = Returns(store)

            def label(pairs: int, pace_s: float) -> Sitting:
                with Page(browser, server, LABELER, returns) as page:
                    return page.label(pairs, pace_s)

            figures = measure(trainer, label, **plan)
    write({"tool": "page", "env": args.env, "browser": f"chromium {browser.version}"} | figures, args.out)


if __name__ == "__main__":
    main()
