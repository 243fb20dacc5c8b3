"""The reading path of an alert, from its bytes to its legs, as the door takes it; and the time that it takes."""

import time
from decimal import Decimal
from typing import NamedTuple

from alerts.auth import Secrets
from alerts.decoding import decode
from alerts.formats.registry import DIALECTS
from domain.alert import LegRequest
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from domain.enums import Side
from domain.errors import InvalidAlert
from domain.protection_terms import Terms

SECRETS = Secrets({"default": "a secret of some length", "other": "another one as long"}, "default")

FULL = AlertDefaultsBook(
    AlertDefaults(exchange="DEFEX", product="MIS", quantity=Decimal(7919), side=Side.BUY, currency="USD"),
    {},
    "Fuzzed",
)
"""All that a strategy may name; its quantity and exchange are none that a body names by chance."""
BARE = AlertDefaultsBook(AlertDefaults(exchange="DEFEX", product="MIS"), {}, "Fuzzed")
"""As little as most alerts need."""
BOOKS = (FULL, BARE)


class Outcome(NamedTuple):
    """What became of a body.

    - `legs`: none where it was refused, or asks for nothing.
    - `code`: why there are none; empty where there are legs.
    - `field`: what the refusal names.
    - `unread`: keys that nothing was read from.
    - `before`: seconds of processor time until the sender would be known; `seconds`: in all.
    """

    dialect: str
    legs: tuple[LegRequest, ...]
    code: str
    field: str
    message: str
    unread: tuple[str, ...]
    before: float
    seconds: float

    @property
    def trades(self) -> bool:
        """Whether there are orders."""
        return bool(self.legs)

    @property
    def orders(self) -> tuple[tuple[object, ...], ...]:
        """What would be ordered, without the price at the signal, which is for people."""
        return tuple(order_of(leg) for leg in self.legs)


def order_of(leg: LegRequest) -> tuple[object, ...]:
    """All of a leg that a broker would see."""
    terms: Terms | None = leg.protection
    return (
        leg.kind, leg.side, leg.order_side, leg.symbol, leg.exchange, leg.quantity, leg.product, leg.order_type,
        leg.price, leg.trigger_price, leg.size, terms,
    )  # fmt: skip


def stranger(raw: bytes) -> float:
    """Do what happens before the sender is known; return the seconds of processor time."""
    began = time.thread_time()
    body = decode(raw)
    dialect = DIALECTS.dialect_of(body)
    secret = dialect.secret.find(body)
    dialect.client_of(body)
    SECRETS.authenticate(raw, body_secret=secret, path_token=None, signature="sha256=00")
    return time.thread_time() - began


NAMES = DIALECTS.names
"""Of all dialects, as a path may name one."""


def read(raw: bytes, book: AlertDefaultsBook, name: str | None = None) -> Outcome:
    """Read a body, as one of the dialect that a path names. Whatever but `InvalidAlert` it raises is a fault."""
    began = time.thread_time()
    body = decode(raw)
    dialect = DIALECTS.dialect_of(body, name)
    dialect.secret.find(body)
    dialect.client_of(body)
    before = time.thread_time() - began
    legs: tuple[LegRequest, ...] = ()
    unread: tuple[str, ...] = ()
    error = body.unreadable_as(dialect.form)
    if error is None:
        try:
            alert = dialect.parse(body, default_client="default", defaults=book)
            legs, unread = alert.legs, alert.unread
        except InvalidAlert as refused:
            error = refused
            dialect.asked_for(body)
    seconds = time.thread_time() - began
    code, field, message = ("", "", "") if error is None else (error.code, error.field or "", error.message)
    return Outcome(dialect.name, legs, code, field, message, unread, before, seconds)
