"""Request parsing: `jData=<json>` with an optional `&jKey=<token>`, whatever content type it is sent as."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar
from urllib.parse import parse_qsl

from broker.simulated_exchange.model import NEEDS_PRICE, NEEDS_TRIGGER, SimOrder
from broker.simulator.exchange import Modification
from broker.simulator.words import PRICE_TYPES, PRODUCTS, RETENTIONS, OrderTerms
from domain.enums import OrderType, Side

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,8})?")
_SIDES = {"B": Side.BUY, "S": Side.SELL}
Data = Mapping[str, str | None]
T = TypeVar("T")


class InvalidInput(Exception):
    """The request cannot be parsed. The text is what the wire answers."""

    def __init__(self, text: str) -> None:
        super().__init__(f"Invalid Input : {text}")


def read_form(body: bytes) -> tuple[Data, str | None]:
    """Return the content of `jData`, and the `jKey`.

    The body is decoded as a form: a bare `&` ends the value, `+` is a space, `%26` is an `&`.

    Raises:
        InvalidInput: the body is not such a form, or a value in `jData` is not a string (or null, which the official
            client sends).
    """
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        data = json.loads(fields.get("jData", ""))
    except ValueError:
        raise InvalidInput("jData is not valid json object") from None
    if not isinstance(data, dict):
        raise InvalidInput("jData is not valid json object")
    for name, value in data.items():
        if not (value is None or isinstance(value, str)):
            raise InvalidInput(f"{name} is not a string")
    return data, fields.get("jKey")


def needed(data: Data, *names: str) -> list[str]:
    """Return the values of these fields.

    Raises:
        InvalidInput: one is missing or empty.
    """
    values = []
    for name in names:
        value = data.get(name)
        if not value:
            raise InvalidInput(f"{name} is missing")
        values.append(value)
    return values


def order_in(data: Data) -> tuple[OrderTerms, SimOrder]:
    """Return the order that a `PlaceOrder` asks for, still without its number.

    Raises:
        InvalidInput: a field is missing, or has a value that is not allowed.
    """
    uid, actid, exch, tsym, prd = needed(data, "uid", "actid", "exch", "tsym", "prd")
    side, ret = one_of(data, "trantype", _SIDES), one_of(data, "ret", {word: word for word in RETENTIONS})
    if prd not in PRODUCTS:
        raise InvalidInput("prd")
    changes = changes_in(data)
    quantity = changes.quantity
    if quantity is None:
        raise InvalidInput("qty is missing")
    ticket = OrderTerms(
        norenordno="",
        sequence=0,
        uid=uid,
        actid=actid,
        exch=exch,
        tsym=tsym,
        prd=prd,
        ret=ret,
        remarks=data.get("remarks"),
        dscqty=data.get("dscqty") or "0",
        ordersource=data.get("ordersource") or "API",
        amo=data.get("amo") or "NO",
    )
    order = SimOrder(0, prd, side, changes.order_type, quantity, changes.price, changes.trigger_price)
    return ticket, order


def changes_in(data: Data) -> Modification:
    """Return type, quantity and prices. A price that orders of that type do not use is None.

    Raises:
        InvalidInput: the type, or a price that it needs, is missing or not valid, or the quantity is not a
            positive number, or not a whole one and the wire does not say that it takes `fractions`.
    """
    order_type = one_of(data, "prctyp", PRICE_TYPES)
    quantity = number_in(data, "qty") if data.get("qty") else None
    takes_parts = data.get("fractions") == "YES"
    if quantity is not None and quantity != quantity.to_integral_value() and not takes_parts:
        raise InvalidInput("qty")
    return Modification(
        order_type,
        quantity,
        _price(data, "prc", order_type, NEEDS_PRICE),
        _price(data, "trgprc", order_type, NEEDS_TRIGGER),
    )


def number_in(data: Data, name: str) -> Decimal:
    """Return a field as a positive number.

    Raises:
        InvalidInput: the field is missing, or not such a number.
    """
    (text,) = needed(data, name)
    if not _NUMBER.fullmatch(text) or not Decimal(text):
        raise InvalidInput(name)
    return Decimal(text)


def one_of(data: Data, name: str, words: Mapping[str, T]) -> T:
    """Return what the field's value stands for.

    Raises:
        InvalidInput: the field is missing, or its value is none of `words`.
    """
    (word,) = needed(data, name)
    if word not in words:
        raise InvalidInput(name)
    return words[word]


def _price(data: Data, name: str, order_type: OrderType, needing: frozenset[OrderType]) -> Decimal | None:
    return number_in(data, name) if order_type in needing else None
