"""Classify an answer of Alpaca: accepted, refused, the id is in use, not sent, or outcome unknown.

Only this module decides what an answer means. An answer that proves nothing leads to no conclusion.

An order call ends in one of five ways:

| answer | outcome |
|---|---|
| HTTP 2xx with an order's id; for a cancel HTTP 204 | accepted |
| HTTP 4xx whose text says that the client order id must be unique | `IdInUse`: the order that stands there is looked \
at |
| HTTP 401, or 403 with the text `forbidden.`: the keys; HTTP 429 whose whole text is the broker's own (`_RATES`) \
| `NotSent` with `look_first`: the call was turned away, and the book is read before it goes again with the same id |
| HTTP 4xx with one of the codes that only checks make (`_CHECKS`) and a text that leaves no doubt | `Refused` |
| everything else: 5xx, no JSON, no code or an unknown one, a 2xx without an id, any other 429 | `OutcomeUnknown` |

A 429 is no proof that nothing was taken: the machine that counts calls is not the one that takes orders. Nor is the
refusal of the keys. Nothing is lost by that: what goes again goes with the same id, of which Alpaca takes only one.
"""

import re
from typing import Any

from broker.fields import text_of
from broker.refusals import prefix_of, proves_refusal
from broker.sessions import AUTHENTICATION
from broker.wire import Reply
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused

RATE_LIMIT = "429"
NO_SUCH_ORDER = "ORDER_NOT_FOUND"
ID_IN_USE = "ID_IN_USE"
BUSY = "ORDER_BUSY"
NOT_OPEN = "ORDER_NOT_OPEN"
"""The code of a cancel that was refused for an end that may be that of an order which another one replaced."""
KEYS_REFUSED = (
    "keys of paper trading work with ALPACA_SANDBOX=true alone, and those of the real account without it; keys end "
    "when others are made: set those that Alpaca's page shows under API Keys"
)
_CHECKS = frozenset(
    {"40010000", "40010001", "40310000", "40310100", "40410000", "42210000"}
)  # body, fields, account and funds, day trades, no such order, values
_ID_IN_USE = re.compile(r"client[ _-]?order[ _-]?id must be unique")
_BEING_CANCELLED = re.compile(r"\bpending[ _]cancel")
_RATES = re.compile(r"(too many requests|(api )?rate limit exceeded)\.?")
_NOT_ALLOWED = re.compile(r"forbidden\.?|(request is )?(un|not )authorized\.?")

_NAMED = {
    "SUB_PENNY": (
        re.compile(r"sub-?penny|minimum pricing criteria"),
        "prices of 1 USD and more have two decimals, below that four",
    ),
    "WASH_TRADE": (
        re.compile(r"wash trade|opposite side .*order exists"),
        "an order of the other side rests in this symbol: it has to be cancelled first",
    ),
    "DAY_TRADES": (
        re.compile(r"pattern day trad"),
        "Alpaca's protection against day trades refuses it: the account's page says what it may still do today",
    ),
    "QUANTITY_HELD": (
        re.compile(r"insufficient (qty|quantity|balance)"),
        "less is free than was asked for: other open orders hold it, or the account has less",
    ),
    "BUYING_POWER": (
        re.compile(r"insufficient .*buying power|cost basis"),
        "the account's buying power is too small",
    ),
    "NOT_FRACTIONABLE": (re.compile(r"not fractionable|fractional"), "whole shares alone are taken for this"),
    "ORDER_ENDED": (re.compile(r'already in "?(filled|canceled|expired|rejected)\b'), "it has ended"),
    NOT_OPEN: (re.compile(r"order is already in|not cancell?able|not open"), "it is not open any more"),
}
"""Refusals that have their own name and remedy."""


class IdInUse(Refused):
    """The broker has an order with this client order id already: this very one, sent before, or another one."""


def accepted(reply: Reply) -> dict[str, Any]:
    """Return the answer that accepted an order call; without content for a cancel.

    Raises:
        IdInUse, NotSent, Refused, OutcomeUnknown: as the module's table says.
    """
    if reply.status == 204:
        return {}
    if isinstance(reply.data, dict) and text_of(reply.data, "id"):
        found: dict[str, Any] = reply.data
        return found
    if keys_refused(reply):
        raise NotSent(
            f"the broker refused the keys: {reply.error}; {KEYS_REFUSED}", AUTHENTICATION, look_first=True
        )
    if exceeds_rate(reply):
        raise NotSent(reply.error, RATE_LIMIT, look_first=True)
    if id_in_use(reply):
        raise IdInUse(reply.error, ID_IN_USE)
    if not proves_refusal(reply, _CHECKS):
        raise OutcomeUnknown(f"HTTP {reply.status}: {_said(reply)}", _status(reply))
    if _BEING_CANCELLED.search(reply.error.lower()):  # of a second cancel; the first one goes on
        raise NotSent(reply.error, BUSY)
    raise Refused(with_advice(reply.error), code_of(reply.error, reply.code))


def keys_refused(reply: Reply) -> bool:
    """True when the broker does not know the pair of keys."""
    if reply.status == 401:
        return True
    return reply.status == 403 and not reply.code and bool(_NOT_ALLOWED.fullmatch(reply.error.lower()))


def token_refused(reply: Reply) -> bool:
    """The same, by the name that account calls know."""
    return keys_refused(reply)


def id_in_use(reply: Reply) -> bool:
    """True when the broker says only that it has an order with this client order id already."""
    return 400 <= reply.status < 500 and bool(_ID_IN_USE.search(reply.error.lower()))


def exceeds_rate(reply: Reply) -> bool:
    """True when the broker itself says only that it turned the call away because of the rate."""
    return reply.status == 429 and bool(_RATES.fullmatch(reply.error.lower()))


def minute_is_full(reply: Reply) -> bool:
    """True when the account has made too many calls in this minute."""
    return reply.status == 429


def is_missing(reply: Reply) -> bool:
    """True when the broker says that it has no such order."""
    return reply.status == 404 and reply.code == "40410000"


def with_advice(error: str) -> str:
    """Return the broker's text, followed by the remedy where one is known."""
    name = _name_of(error)
    return error if name is None else f"{error} ({_NAMED[name][1]})"


def code_of(error: str, code: str = "") -> str:
    """Return a code for the broker's text: a name of ours, its prefix, or else the broker's own number."""
    if code == "40410000":
        return NO_SUCH_ORDER
    return _name_of(error) or prefix_of(error) or code


def _name_of(error: str) -> str | None:
    return next((name for name, (words, _) in _NAMED.items() if words.search(error.lower())), None)


def data_in(reply: Reply) -> Any:
    """Return the answer of a read; None where there is no such order.

    Raises:
        ReadFailed: the answer is not a successful one; it proves nothing about what was read.
    """
    if reply.data is not None:
        return reply.data
    if is_missing(reply):
        return None
    if reply.status == 429:
        raise ReadFailed(reply.error or "too many requests", RATE_LIMIT)
    if keys_refused(reply):
        raise ReadFailed(f"the broker refused the keys: {reply.error}; {KEYS_REFUSED}", AUTHENTICATION)
    raise ReadFailed(f"HTTP {reply.status}: {_said(reply)}", _status(reply))


def _said(reply: Reply) -> str:
    return f"{reply.code}: {reply.error}" if reply.error else "an answer that cannot be read"


def _status(reply: Reply) -> str:
    return "" if reply.ok else str(reply.status)
