"""What a person is notified of once: the keys under which the store remembers it.

A key is made of facts (numbers of orders, symbols, quantities), never of words that somebody was shown: those may
change, and whether it was told must not depend on them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote


class About(StrEnum):
    """What a notice that is told once is about. The names are stored: one that was used keeps its meaning."""

    UNCONFIGURED_CLIENT = "UNCONFIGURED_CLIENT"  # it has something open, and the settings do not name it
    REFUSED_ACCOUNT = (
        "REFUSED_ACCOUNT"  # the settings name another than the rows do; state: which, and whose it is
    )
    FROZEN = "FROZEN"  # at the broker for over an hour
    CANCEL_UNCONFIRMED = "CANCEL_UNCONFIRMED"  # the book still shows an order whose cancel was sent


@dataclass(frozen=True, slots=True)
class NoticeKey:
    """One matter; `facts` tell it from others that are about the same kind of thing."""

    about: About
    facts: tuple[str, ...] = ()


def joined(facts: Iterable[str]) -> str:
    """Facts as one column keeps them; letters, digits, dots and dashes stand there as they are."""
    return "/".join(quote(fact, safe="") for fact in facts)
