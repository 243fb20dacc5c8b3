"""What a person is notified of once: the keys under which the store remembers it.

A key is made of facts (numbers of orders, symbols, quantities), never of words that somebody was shown: those may
change, and whether it was told must not depend on them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote


class NoticeSubject(StrEnum):
    """What a notice that is told once is about. The names are stored: one that was used keeps its meaning."""

    UNCONFIGURED_CLIENT = "UNCONFIGURED_CLIENT"  # it has something open, and the settings do not name it
    REFUSED_ACCOUNT = "REFUSED_ACCOUNT"  # not the one that the rows are of; the state is which, and whose
    FROZEN = "FROZEN"  # at the broker for over an hour
    CANCEL_UNCONFIRMED = "CANCEL_UNCONFIRMED"  # the book still shows an order whose cancel was sent
    UNREADABLE_ORDER_ROW = "UNREADABLE_ORDER_ROW"  # cleared when the broker shows it no more
    UNREADABLE_POSITION_ROW = "UNREADABLE_POSITION_ROW"
    # Of one order and the broker's book; the facts begin with the order's id.
    MAY_BE_ANY_OF = "MAY_BE_ANY_OF"  # several broker orders may be it
    FILL_TAKEN_BACK = "FILL_TAKEN_BACK"  # it was filled, and the book says less
    CONTRADICTION = "CONTRADICTION"  # its rows cannot all be true
    OVERFILL = "OVERFILL"
    PRICE_UNREAD = "PRICE_UNREAD"  # it was filled at a price that could not be read
    TAG_TWICE = "TAG_TWICE"  # several broker orders carry its tag, and none is known to be it
    TAG_ON_OTHERS_TOO = "TAG_ON_OTHERS_TOO"  # besides the one that is it
    NUMBER_IS_ANOTHERS = "NUMBER_IS_ANOTHERS"  # its number is on an order that it is not
    FOLLOWED_IS_MISSING = "FOLLOWED_IS_MISSING"  # the number that an operator gave is not in the book
    FOLLOWED_IS_ANOTHERS = "FOLLOWED_IS_ANOTHERS"  # or is on an order that it is not
    TAG_WAS_THERE_BEFORE = "TAG_WAS_THERE_BEFORE"  # on a broker order that was seen before it was sent
    TAG_IS_ANOTHERS = "TAG_IS_ANOTHERS"  # on a broker order that is another row's


@dataclass(frozen=True, slots=True)
class NoticeKey:
    """One matter; `facts` tell it from others that are about the same kind of thing."""

    about: NoticeSubject
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a person has to hear of, once: under which key, and in which words."""

    key: NoticeKey
    text: str


def of_order(about: NoticeSubject, command_id: str, *facts: str) -> NoticeKey:
    """The key of a matter of one order."""
    return NoticeKey(about, (command_id, *facts))


def joined(facts: Iterable[str]) -> str:
    """Facts as one column keeps them; letters, digits, dots and dashes stand there as they are."""
    return "/".join(quote(fact, safe="", errors="replace") for fact in facts)


def parted(text: str) -> tuple[str, ...]:
    """The facts that `joined` wrote."""
    return tuple(unquote(fact) for fact in text.split("/")) if text else ()
