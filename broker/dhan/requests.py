"""Build order requests strictly in the form of DhanHQ. An order that it cannot express is refused here.

A market order is sent as one: since the retail-algo rules Dhan turns it into a limit order of its own choice, and its
book then shows a LIMIT. A stop at market has been refused there or filled at once, so it is sent as a stop with a limit
beyond its trigger. No order is ever recognised by its type.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from broker.dhan.security_ids import SEGMENTS
from broker.fields import VALIDATION, price_text, quantity_text
from broker.protection import Quote, protected
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.errors import Refused
from domain.money import decimal_text

PRODUCTS = {"CNC": "CNC", "MIS": "INTRADAY", "NRML": "MARGIN"}
"""Dhan's words for the products."""

TAG_LENGTH = 30
_TAG = re.compile(
    rf"[A-Za-z0-9_-]{{1,{TAG_LENGTH}}}"
)  # spaces are taken too, but would have to be escaped in an address
_ORDER_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP_LIMIT: "STOP_LOSS",
}
_HAS_PRICE = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_SMALLEST_TICK = Decimal(
    "0.05"
)  # where the list does not say; the limit is a whole number then, on every step


def check(command: UniversalOrderCommand) -> None:
    """Check what does not depend on the instrument's number.

    Raises:
        Refused: the API cannot express the order; nothing was sent.
    """
    if command.product not in PRODUCTS:
        raise Refused(f"product {command.product!r}: expected one of {', '.join(PRODUCTS)}", VALIDATION)
    if command.exchange.upper() not in SEGMENTS:
        raise Refused(f"exchange {command.exchange!r}: expected one of {', '.join(SEGMENTS)}", VALIDATION)
    if not is_tag(command.client_order_id):
        raise Refused(
            f"client order id {command.client_order_id!r}: expected 1 to 30 letters, digits, _ or -",
            VALIDATION,
        )
    if not command.symbol.strip():
        raise Refused("the symbol is empty", VALIDATION)
    _terms(with_limit(command, None, Decimal(1)))


def with_limit(
    command: UniversalOrderCommand, tick: Decimal | None, percent: Decimal
) -> UniversalOrderCommand:
    """Return a stop at market as a stop with a limit `percent` beyond its trigger; any other order as it is.

    `tick` None: it is not known, and the limit is a whole number.

    Raises:
        Refused: the stop has no trigger above 0.
    """
    if command.order_type is not OrderType.STOP:
        return command
    price_text("trigger price", command.trigger_price)
    if tick is not None:
        return protected(command, Quote(tick), percent)
    found = protected(command, Quote(_SMALLEST_TICK), percent)
    assert found.price is not None
    whole = found.price.to_integral_value(ROUND_CEILING if found.side is Side.BUY else ROUND_FLOOR)
    return replace(found, price=whole) if whole else found


def place_fields(command: UniversalOrderCommand, client_id: str, security_id: str) -> Mapping[str, object]:
    """Return the body of `POST /orders`. Our client order id goes into `correlationId`, which the book echoes."""
    return {
        "dhanClientId": client_id,
        "correlationId": command.client_order_id,
        "transactionType": command.side.value,
        "exchangeSegment": SEGMENTS[command.exchange.upper()],
        "productType": PRODUCTS[command.product],
        "securityId": security_id,
        "afterMarketOrder": False,
        **_terms(command),
    }


def modify_fields(
    command: UniversalOrderCommand, client_id: str, broker_order_id: str
) -> Mapping[str, object]:
    """Return the body of `PUT /orders/…`. The quantity is that of the whole order, its filled part included.

    Raises:
        Refused: the API cannot express the order; nothing was sent.
    """
    return {"dhanClientId": client_id, "orderId": broker_order_id, **_terms(command)}


def is_tag(client_order_id: str) -> bool:
    """True when it can be a `correlationId`, and a part of an address."""
    return _TAG.fullmatch(client_order_id) is not None


def told(command: UniversalOrderCommand, sent: UniversalOrderCommand) -> str | None:
    """Describe how an order was sent, where not as the command says; None if it was."""
    if command.order_type is OrderType.MARKET:
        return "sent as a market order: the broker makes a limit order of it, at a price of its own"
    if sent.price == command.price:
        return None
    return f"sent as a stop order with the limit {decimal_text(sent.price or Decimal(0))}"


def _terms(command: UniversalOrderCommand) -> dict[str, object]:
    """Return the fields that both calls share. A price that the type does not use is 0."""
    has_trigger = command.order_type is OrderType.STOP_LIMIT
    return {
        "orderType": _ORDER_TYPES[command.order_type],
        "validity": "DAY",
        "quantity": int(quantity_text(command.quantity)),
        "disclosedQuantity": 0,
        "price": _number("price", command.price) if command.order_type in _HAS_PRICE else 0,
        "triggerPrice": _number("trigger price", command.trigger_price) if has_trigger else 0,
    }


def _number(name: str, price: Decimal | None) -> float:
    """Return a price as a number of JSON, whose digits are the same."""
    text = price_text(name, price)
    number = float(text)
    if Decimal(repr(number)) != Decimal(text):
        raise Refused(f"{name} {text}: expected one of fewer digits", VALIDATION)
    return number
