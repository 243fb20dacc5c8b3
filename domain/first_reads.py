"""What keeps a client's entries waiting since a watcher began: kept part by part, and worded for people here alone."""

from collections.abc import Mapping
from enum import StrEnum


class Part(StrEnum):
    """What is missing."""

    ACCOUNT = "account"  # that the rows are this account's: until then the client is not served at all
    BOOK = "order book"  # a read of it that succeeded
    POSITIONS = "positions"


TO_BE_READ = (Part.BOOK, Part.POSITIONS)

Missing = Mapping[Part, str]
"""Why each part is missing, in words that may be the broker's; empty: nothing is."""


def in_words(missing: Missing) -> str:
    """`order book: 502; positions: not read yet`."""
    return "; ".join(f"{part}: {why}" for part, why in missing.items())
