"""Build order requests strictly in the form of Alpaca. An order that it cannot express is refused here.

Numbers go as texts, so that no digit of a fraction is lost. Steps of prices are not checked: they are the broker's
matter (the rule about half a penny is changing), and its refusal is one that proves itself.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from broker.alpaca.settings import Account
from broker.fields import VALIDATION, Row, number, price_text, text_of
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType
from domain.errors import Refused
from domain.money import decimal_text

TAG_LENGTH = 48
"""Older pages of the vendor say 48 characters, newer ones 128."""

TYPES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
}
"""Alpaca's words for the types."""

_TAG = re.compile(rf"[A-Za-z0-9_-]{{1,{TAG_LENGTH}}}")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{0,20}")
_OPTION = re.compile(r"[A-Z][A-Z0-9]{0,5}\d{6}[CP]\d{8}")  # as the OCC writes them: AAPL270115C00150000
_HAS_PRICE = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_HAS_TRIGGER = (OrderType.STOP, OrderType.STOP_LIMIT)
_SMALLEST = Decimal("1E-9")


def place_fields(command: UniversalOrderCommand, account: Account) -> Mapping[str, object]:
    """Return the body of `POST /v2/orders`. Our id goes into `client_order_id`, of which Alpaca takes each once.

    Raises:
        Refused: the API cannot express the order; nothing was sent.
    """
    for name, ours, expected in (
        ("exchange", command.exchange, account.exchange),
        ("product", command.product, account.product),
    ):
        if ours.upper() != expected:
            setting = f"ALPACA_{name.upper()}"
            raise Refused(f"{name} {ours!r}: expected {expected}, the word of {setting}", VALIDATION)
    if not is_tag(command.client_order_id):
        raise Refused(
            f"client order id {command.client_order_id!r}: expected 1 to {TAG_LENGTH} letters, digits, _ or -",
            VALIDATION,
        )
    symbol = command.symbol.upper()
    if not _SYMBOL.fullmatch(symbol):
        raise Refused(
            f"symbol {command.symbol!r}: expected that of a share, or of an option as the OCC writes it",
            VALIDATION,
        )
    fields: dict[str, object] = {
        "symbol": symbol,
        "qty": _quantity_text(command.quantity, is_option=is_option(symbol)),
        "side": command.side.value.lower(),
        "type": TYPES[command.order_type],
        "time_in_force": "day",
        "client_order_id": command.client_order_id,
    }
    if command.order_type in _HAS_PRICE:
        fields["limit_price"] = price_text("price", command.price)
    if command.order_type in _HAS_TRIGGER:
        fields["stop_price"] = price_text("trigger price", command.trigger_price)
    if account.extended_hours and command.order_type is OrderType.LIMIT and not is_option(symbol):
        fields["extended_hours"] = True  # of other orders Alpaca refuses it
    return fields


def plain_side(row: Row) -> str:
    """Return a row's side in small letters. A sale of what is not held is called `sell_short` in some rows."""
    return text_of(row, "side").lower().removesuffix("_short")


def differences(fields: Mapping[str, Any], row: Row) -> list[str]:
    """Return in which of the fields that were sent an order of the broker's differs; empty: it is the same order.

    What cannot be read differs. A price that the order's type does not use is not compared.
    """
    found = []
    for name in ("symbol", "side", "type", "time_in_force"):
        said = plain_side(row) if name == "side" else text_of(row, name).lower()
        if said != str(fields[name]).lower():
            found.append(f"{name} {text_of(row, name) or 'none'}, not {fields[name]}")
    for name in ("qty", "limit_price", "stop_price"):
        if name in fields and not _is_number(row, name, Decimal(str(fields[name]))):
            found.append(f"{name} {text_of(row, name) or 'none'}, not {fields[name]}")
    return found


def is_option(symbol: str) -> bool:
    """True for the symbol of an option as the OCC writes it."""
    return _OPTION.fullmatch(symbol) is not None


def is_number(broker_order_id: str) -> bool:
    """True when it can be an order's id: it becomes a part of an address."""
    return re.fullmatch(r"[A-Za-z0-9-]{1,64}", broker_order_id) is not None


def is_tag(client_order_id: str) -> bool:
    """True when it can be a `client_order_id`, and a part of an address."""
    return _TAG.fullmatch(client_order_id) is not None


def _is_number(row: Row, name: str, expected: Decimal) -> bool:
    try:
        return number(row, name) == expected
    except ValueError:
        return False


def _quantity_text(quantity: Decimal, *, is_option: bool) -> str:
    """Return the quantity as text: whole contracts of an option, shares with nine decimals at most."""
    step = Decimal(1) if is_option else _SMALLEST
    if not quantity.is_finite() or quantity <= 0 or quantity > Decimal(10) ** 12 or quantity % step:
        what = "a whole number of contracts" if is_option else "shares above 0 with nine decimals at most"
        raise Refused(f"quantity {quantity}: expected {what}", VALIDATION)
    return decimal_text(quantity)
