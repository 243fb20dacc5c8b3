"""`make fuzz`: bodies that no platform sends, by the million. Exit status 1 where something was found.

Usage: `python -m tests.fuzz [--bodies N] [--seed S] [--workers W] [--only NUMBER]`.
"""

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count

from tests.fuzz.doors import doors
from tests.fuzz.runs import Runner, Tally, large_bodies

_AT_ONCE = 5_000  # trials of one piece of work at most: each piece opens whole doors
_SHOWN = 3  # finds of one kind
_TRIALS_OF_A_LARGE_ONE = 1_000


def main(arguments: Sequence[str]) -> int:
    """Run, and print the figures and what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="the trial of this number alone")
    asked = parser.parse_args(arguments)
    if asked.only is not None:
        with doors(receiver=1, web=1) as through:
            tally = Runner(asked.seed, through).run([asked.only])
        _tell(tally)
        return 1 if tally.finds else 0
    began, total = time.monotonic(), Tally()
    with ProcessPoolExecutor(asked.workers) as pool:
        size = min(_AT_ONCE, asked.bodies // (2 * asked.workers) + 1)
        pieces = (range(start, start + size) for start in count(0, size))
        running = [pool.submit(_piece, asked.seed, next(pieces)) for _ in range(asked.workers)]
        while running:
            total.add(running.pop(0).result())
            if total.bodies < asked.bodies:
                running.append(pool.submit(_piece, asked.seed, next(pieces)))
            print(f"{total.bodies} bodies, {len(total.finds)} finds", flush=True)
    _tell(total)
    seconds = time.monotonic() - began
    print(
        f"{total.bodies} bodies in {seconds:.0f} s: {total.bodies / seconds:.0f} a second, seed {asked.seed}"
    )
    return 1 if total.finds else 0


def _piece(seed: int, numbers: range) -> Tally:
    """One piece of work, in a process of its own. What the doors log of each body is nothing to read by the million."""
    logging.disable(logging.CRITICAL)
    with doors() as through:
        tally = Runner(seed, through).run(numbers)
    large = max(1, len(numbers) // _TRIALS_OF_A_LARGE_ONE)
    tally.finds += large_bodies(seed * 1_000_000 + numbers.start, large)
    tally.counts["large bodies"] += large
    return tally


def _tell(tally: Tally) -> None:
    kinds = Counter(f"{find.why}" for find in tally.finds)
    shown = Counter[str]()
    for find in tally.finds:
        shown[find.why] += 1
        if shown[find.why] <= _SHOWN:
            print(find)
    for name, number in sorted(tally.counts.items()):
        print(f"  {name}: {number}")
    print(
        f"traded {tally.traded}; the slowest took {1000 * tally.slowest:.1f} ms; finds: {dict(kinds) or 'none'}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
