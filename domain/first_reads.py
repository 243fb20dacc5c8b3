"""The reads that a client's entries wait for after a watcher starts, kept part by part.

Only this module makes a text for people of them.
"""

from collections.abc import Mapping
from enum import StrEnum


class Part(StrEnum):
    """One part that may be missing."""

    ACCOUNT = "account"  # proof that the rows are of this account: until then the client is not served
    BOOK = "order book"  # a successful read of it
    POSITIONS = "positions"


TO_BE_READ = (Part.BOOK, Part.POSITIONS)

Missing = Mapping[Part, str]
"""Why each part is missing, in a text that may be the broker's; empty: nothing is missing."""


def in_words(missing: Missing) -> str:
    """Return the missing parts as a text: `order book: 502; positions: not read yet`."""
    return "; ".join(f"{part}: {why}" for part, why in missing.items())
