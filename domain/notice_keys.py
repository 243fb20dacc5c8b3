"""Keys of notifications that are made once: the store remembers each notification under its key.

A key is made of facts (order numbers, symbols, quantities), never of the text that was shown. Texts may change, and
that must not repeat a notification.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote


class NoticeSubject(StrEnum):
    """The subject of a notification that is made once. The names are stored, so a used name must keep its meaning."""

    UNCONFIGURED_CLIENT = "UNCONFIGURED_CLIENT"  # it has something open, and the settings do not name it
    REFUSED_ACCOUNT = "REFUSED_ACCOUNT"  # not the account of the rows; the state says which one, and whose
    FROZEN = "FROZEN"  # at the broker for over an hour
    CANCEL_UNCONFIRMED = "CANCEL_UNCONFIRMED"  # the book still shows an order whose cancel was sent
    CANCEL_NOT_ASKED = "CANCEL_NOT_ASKED"  # an alert takes an entry back, and it cannot be cancelled then
    UNREADABLE_ORDER_ROW = "UNREADABLE_ORDER_ROW"  # cleared when the broker no longer shows it
    UNREADABLE_POSITION_ROW = "UNREADABLE_POSITION_ROW"
    UNREMEMBERED = "UNREMEMBERED"  # a broker order under a tag of ours that no row knows
    PROTECTION_UNKNOWN = "PROTECTION_UNKNOWN"  # cleared when its price is known again
    RISK_WARNED = (
        "RISK_WARNED"  # a share of a limit is used up; the facts say whose, which limit and which day
    )
    RISK_UNKNOWN = (
        "RISK_UNKNOWN"  # a sum that a limit needs; the fact says whose; cleared when it is known again
    )
    RISK_EXIT_FAILED = "RISK_EXIT_FAILED"  # no attempt closed what a limit wants flat
    DAY_SUMMARY = "DAY_SUMMARY"  # what a trading day brought; the facts say which day
    PNL_DIFFERS = (
        "PNL_DIFFERS"  # our own profit and loss is another than the broker's; the facts say which day
    )
    HEDGE_SOLD_FIRST = "HEDGE_SOLD_FIRST"  # the exit of a bought leg waited in vain; the fact is its id
    GROUP_WAITS = "GROUP_WAITS"  # an unwinding cannot go on; cleared when the group has ended
    PROTECTION_FAILED = "PROTECTION_FAILED"  # it cannot be followed; cleared when it can
    EXIT_DOES_NOT_END = "EXIT_DOES_NOT_END"  # it rests at the broker; the fact is its leg
    EXIT_LEFT_RESTING = "EXIT_LEFT_RESTING"  # it is not priced anew any more; the fact is its leg
    INSTRUMENTS = "INSTRUMENTS"  # not loaded, or not today's; the state says which master is used
    TELEGRAM_CONFLICT = (
        "TELEGRAM_CONFLICT"  # another program receives the bot's updates; cleared when none does
    )
    OUTSIDE_MONITOR = "OUTSIDE_MONITOR"  # it is not reached; cleared when it is
    # About one order and the broker's book; the facts begin with the order's id.
    MAY_BE_ANY_OF = "MAY_BE_ANY_OF"  # the broker orders that the order may be; the book cannot tell
    FILL_TAKEN_BACK = "FILL_TAKEN_BACK"  # the order was filled, and the book now shows less
    CONTRADICTION = "CONTRADICTION"  # the broker's rows of the order cannot all be true
    OVERFILL = "OVERFILL"
    PRICE_UNREAD = "PRICE_UNREAD"  # the order was filled at a price that could not be read
    TAG_TWICE = "TAG_TWICE"  # several broker orders carry the order's tag, and its number is not known
    TAG_ON_OTHERS_TOO = "TAG_ON_OTHERS_TOO"  # other broker orders carry its tag besides its own one
    NUMBER_IS_ANOTHERS = "NUMBER_IS_ANOTHERS"  # its number is on a broker order that it is not
    FOLLOWED_IS_MISSING = "FOLLOWED_IS_MISSING"  # the number that an operator gave is not in the book
    FOLLOWED_IS_ANOTHERS = "FOLLOWED_IS_ANOTHERS"  # that number is on a broker order that it is not
    TAG_WAS_THERE_BEFORE = "TAG_WAS_THERE_BEFORE"  # its tag is on a broker order seen before it was sent
    TAG_IS_ANOTHERS = "TAG_IS_ANOTHERS"  # its tag is on a broker order that belongs to another row


@dataclass(frozen=True, slots=True)
class NoticeKey:
    """The key of one notification; `facts` distinguish it from others about the same subject."""

    about: NoticeSubject
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition that people have to be notified of once: its key and its text."""

    key: NoticeKey
    text: str


def of_order(about: NoticeSubject, command_id: str, *facts: str) -> NoticeKey:
    """Return the key of a notification about one order."""
    return NoticeKey(about, (command_id, *facts))


def joined(facts: Iterable[str]) -> str:
    """Join facts to the text of one column; letters, digits, dots and dashes stay as they are."""
    return "/".join(quote(fact, safe="", errors="replace") for fact in facts)


def parted(text: str) -> tuple[str, ...]:
    """Return the facts that `joined` wrote."""
    return tuple(unquote(fact) for fact in text.split("/")) if text else ()
