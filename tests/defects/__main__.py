"""`make defects`: each defect against the whole suite below the services, to see how many tests notice it.

Usage: `python -m tests.defects [--minutes N] [name …]`; all defects by default, and no more than an hour.
Exit status 1 when a defect was noticed by no test, or could not be planted.
"""

import argparse
import queue
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from tests.defects.defect import Defect, DoesNotApply, Edit
from tests.defects.table import DEFECTS, WIDE
from tests.defects.workshop import Run, Workshop

AT_ONCE = 2
RUN_SECONDS = 900

Shops = queue.Queue[Workshop]


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for and print a line for each defect."""
    asked = _asked(arguments)
    chosen = [defect for defect in DEFECTS if not asked.names or defect.name in asked.names]
    counts = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="defects-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        shops: Shops = queue.Queue()
        for number in range(AT_ONCE):
            shops.put(Workshop(Path(folder) / str(number)))
        also = sorted({test for defect in chosen for test in defect.also})
        healthy = _run(shops, (*WIDE, *also))
        red = {test for test, _ in healthy.failed}
        print(f"with nothing planted: {len(red)} fail, in {healthy.seconds:.0f} s", *sorted(red), sep="\n  ")
        give_up = monotonic() + 60 * asked.minutes
        for outcome, line in pool.map(lambda defect: _look(shops, defect, red, give_up), chosen):
            counts[outcome] += 1
            print(line, flush=True)
    print(f"{counts['noticed']} noticed, {counts['missed']} missed, {counts['left']} not run to the end")
    return 1 if counts["missed"] else 0


def _look(shops: Shops, defect: Defect, red: Set[str], give_up: float) -> tuple[str, str]:
    """The outcome in a word, and what to print."""
    if monotonic() > give_up:
        return "left", f"not run  {defect.name}"
    try:
        run = _run(shops, (*WIDE, *defect.also), defect.edits)
    except DoesNotApply as error:
        return "missed", f"MISSED  {defect.name}: {error}"
    if run.timed_out:
        return "left", f"not done after {RUN_SECONDS} s  {defect.name}"
    # Set-ups may break of it too: that it is a working program was seen by the quick tests.
    caught = [test for test, _ in run.failed if test not in red]
    if not caught:
        return "missed", f"MISSED  {defect.name}\n{run.tail}"
    return "noticed", f"{len(caught):4} tests  {defect.name}  ({run.seconds:.0f} s)"


def _run(shops: Shops, tests: Sequence[str], edits: Sequence[Edit] = ()) -> Run:
    shop = shops.get()
    try:
        return shop.run(tests, edits=edits, timeout=RUN_SECONDS, stop_at_first=False)
    finally:
        shops.put(shop)


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.defects", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="a defect of the table; all by default")
    parser.add_argument("--minutes", type=float, default=60, help="begin no run after so many minutes")
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - {defect.name for defect in DEFECTS}
    if unknown:
        parser.error(f"no such defect: {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
