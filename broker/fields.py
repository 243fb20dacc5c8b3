"""Read the fields of brokers' rows strictly, and write those of orders: what several adapters over HTTP do alike."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.errors import Refused
from domain.money import ZERO, decimal_text, parse_decimal

VALIDATION = "VALIDATION"
"""The code of an order that the API cannot express."""

Row = Mapping[str, Any]


def text_of(row: Row, name: str) -> str:
    """Return a field as text, whether it came as text or as a number; empty if it is missing."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def needed(row: Row, name: str) -> str:
    """Return a required field.

    Raises:
        ValueError: the field is missing.
    """
    text = text_of(row, name)
    if not text:
        raise ValueError(f"{name} is missing")
    return text


def number(row: Row, name: str, default: Decimal | None = None) -> Decimal:
    """Parse a number that was sent as a number or as text.

    Raises:
        ValueError: the field is no number, or it is missing and there is no default.
    """
    text = text_of(row, name)
    if not text and default is not None:
        return default
    try:
        return parse_decimal(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def price_in(row: Row, name: str) -> tuple[Decimal | None, str]:
    """Parse a price: None if there is none or it is unreadable. The text says what could not be read."""
    try:
        return number(row, name, ZERO) or None, ""
    except ValueError:
        return None, f"{name} {text_of(row, name)[:40]!r} cannot be read"


def is_order_number(broker_order_id: str) -> bool:
    """True when it can be an order's number: it becomes a part of an address."""
    return re.fullmatch(r"[A-Za-z0-9]{1,40}", broker_order_id) is not None


def in_address(broker_order_id: str) -> str:
    """Return an order's number as a part of the address of an order call.

    Raises:
        Refused: it cannot be one; nothing was sent.
    """
    if not is_order_number(broker_order_id):
        raise Refused(f"order number {broker_order_id!r}: expected letters and digits", VALIDATION)
    return broker_order_id


def quantity_text(quantity: Decimal) -> str:
    """Return an order's quantity as text.

    Raises:
        Refused: it is no whole number of units above 0.
    """
    if not quantity.is_finite() or quantity <= 0 or quantity != quantity.to_integral_value():
        raise Refused(f"quantity {quantity}: expected a whole number of units", VALIDATION)
    return decimal_text(quantity)


def price_text(name: str, price: Decimal | None) -> str:
    """Return an order's price as text.

    Raises:
        Refused: there is none above 0.
    """
    if price is None or not price.is_finite() or price <= 0:
        raise Refused(f"{name} {price}: expected one above 0", VALIDATION)
    return decimal_text(price)
