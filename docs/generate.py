"""Writes the pages that are made from the code: run `python docs/generate.py` when a test calls one stale."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from domain.reason_codes import reasons_table  # noqa: E402 - found only once the checkout is on the path

# A page about tests is made from them: the table of defects is what they plant. No part of the program does so.
from tests.defects.table import defects_table  # noqa: E402

REASON_CODES = """\
# Reason codes

<!-- Made from domain/reason_codes.py by `python docs/generate.py`: change it there. -->

Why an order is FAILED stands in its `tag`, `FAMILY:REASON`. These are the reasons of our own rules. A broker's word
carries the broker's code in the reason's place (`BROKER_REJECTED:<code>`), or nothing (`BROKER_CANCELLED`,
`BROKER_EXPIRED`).

"""

PLANTED_DEFECTS = """\
# Planted defects

<!-- Made from tests/defects/ by `python docs/generate.py`: change it there. -->

What order bots have done wrong, as changes to this program. Each test run plants every one of them into a copy of the
source and fails unless the named test notices it (`tests/defects/test_defects.py`); `make defects` runs each against
the wider suite and counts the tests that notice. A change that only breaks the program is no defect: an assertion has
to fail, or a test has to meet an error that the program itself raises. Where a public report is linked, the same
mistake was seen there.

"""


def pages() -> dict[Path, str]:
    """Each page that is made, and what belongs in it."""
    return {
        ROOT / "docs" / "reason-codes.md": REASON_CODES + reasons_table(),
        ROOT / "docs" / "planted-defects.md": PLANTED_DEFECTS + defects_table(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
