"""Marks: last prices with their instant and source, and what makes a price unusable for a rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.money import ZERO

MARK_MAX_AGE = timedelta(seconds=15)
"""A mark that is older says nothing about the market."""
_AHEAD = timedelta(seconds=2)  # a mark may come from a clock that runs ahead of ours by that much


@dataclass(frozen=True, slots=True)
class Mark:
    """The last price of a symbol. `at`: when it was that price; `source`: who said so."""

    exchange: str
    symbol: str
    price: Decimal
    at: datetime
    source: str

    @property
    def is_price(self) -> bool:
        """True for a finite price above 0."""
        return self.price.is_finite() and self.price > ZERO


class MarkFault(StrEnum):
    """Why there is no price that a rule may look at."""

    MISSING = "MISSING"
    FOREIGN = "FOREIGN"
    NO_PRICE = "NO_PRICE"
    STALE = "STALE"
    FROM_FUTURE = "FROM_FUTURE"
    FILL_UNPRICED = "FILL_UNPRICED"

    @property
    def sentence(self) -> str:
        """The same for people."""
        return _SENTENCES[self]


_SENTENCES = {
    MarkFault.MISSING: "no last price is known",
    MarkFault.FOREIGN: "the only last price is that of another symbol",
    MarkFault.NO_PRICE: "the last price is not a price above 0",
    MarkFault.STALE: "the last price is too old",
    MarkFault.FROM_FUTURE: "the last price is dated in the future",
    MarkFault.FILL_UNPRICED: "the price at which the entry was filled is not known",
}


def fault_of(
    mark: Mark | None, exchange: str, symbol: str, *, since: datetime, now: datetime
) -> MarkFault | None:
    """Return why a rule about this symbol may not look at the mark; None: it may.

    Args:
        since: a mark of before says nothing about the position, which was not there yet.
    """
    if mark is None:
        return MarkFault.MISSING
    if (mark.exchange, mark.symbol) != (exchange, symbol):
        return MarkFault.FOREIGN
    if not mark.is_price:
        return MarkFault.NO_PRICE
    if mark.at > now + _AHEAD:
        return MarkFault.FROM_FUTURE
    if mark.at < since or now - mark.at > MARK_MAX_AGE:
        return MarkFault.STALE
    return None


def youngest(marks: Iterable[Mark], exchange: str, symbol: str) -> Mark | None:
    """Return the last known price of a symbol, of several sources the youngest; one that is none counts as well."""
    found = [mark for mark in marks if (mark.exchange, mark.symbol) == (exchange, symbol)]
    return max(found, key=lambda mark: mark.at, default=None)
