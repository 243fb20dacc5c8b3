"""Build order requests strictly in the form of Kite Connect. An order that it cannot express is refused here.

A market order carries `market_protection`: since the retail-algo rules one without it is refused. Zerodha turns it into
a limit order that many percent beyond the market, and its book then shows a LIMIT. So no order is ever recognised by
its type.
"""

import re
from decimal import Decimal

from broker.fields import VALIDATION, price_text, quantity_text
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType
from domain.errors import Refused
from domain.money import decimal_text

AUTOMATIC = Decimal(-1)
"""The market protection that lets Zerodha set the percentage."""

PRODUCTS = ("CNC", "NRML", "MIS")
EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX")

_TAG = re.compile(r"[A-Za-z0-9]{1,20}")  # a longer one is refused, not cut; other characters are not promised
_ORDER_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "SL-M",
    OrderType.STOP_LIMIT: "SL",
}
_HAS_PRICE = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_HAS_TRIGGER = (OrderType.STOP, OrderType.STOP_LIMIT)


def place_fields(command: UniversalOrderCommand, protection: Decimal, algo_id: str = "") -> dict[str, str]:
    """Return the form of `POST /orders/regular`. Our client order id goes into `tag`, which the book echoes.

    `protection`: in percent, or `AUTOMATIC`.

    Raises:
        Refused: the API cannot express the order; nothing was sent.
    """
    if command.product not in PRODUCTS:
        raise Refused(f"product {command.product!r}: expected one of {', '.join(PRODUCTS)}", VALIDATION)
    if command.exchange.upper() not in EXCHANGES:
        raise Refused(f"exchange {command.exchange!r}: expected one of {', '.join(EXCHANGES)}", VALIDATION)
    if not _TAG.fullmatch(command.client_order_id):
        raise Refused(
            f"client order id {command.client_order_id!r}: expected 1 to 20 letters and digits", VALIDATION
        )
    if not command.symbol.strip():
        raise Refused("the symbol is empty", VALIDATION)
    fields = {
        "exchange": command.exchange.upper(),
        "tradingsymbol": command.symbol,
        "transaction_type": command.side.value,
        "product": command.product,
        "tag": command.client_order_id,
        **_terms(command, protection),
    }
    return {**fields, "algo_id": algo_id} if algo_id else fields


def modify_fields(command: UniversalOrderCommand, protection: Decimal) -> dict[str, str]:
    """Return the form of `PUT /orders/regular/…`. The quantity is that of the whole order, its filled part included.

    Raises:
        Refused: the API cannot express the order; nothing was sent.
    """
    return _terms(command, protection)


def told(command: UniversalOrderCommand, protection: Decimal) -> str | None:
    """Describe how an order was sent, where not as the command says; None if it was."""
    if command.order_type in _HAS_PRICE:
        return None
    percent = "the broker's own" if protection == AUTOMATIC else f"{decimal_text(protection)} %"
    return f"sent with a market protection of {percent}: the broker shows it as a limit order"


def _terms(command: UniversalOrderCommand, protection: Decimal) -> dict[str, str]:
    """Return the fields that both calls share. A price is sent only where the type uses it."""
    kind = command.order_type
    terms = {
        "quantity": quantity_text(command.quantity),
        "order_type": _ORDER_TYPES[kind],
        "validity": "DAY",
    }
    if kind in _HAS_PRICE:
        terms["price"] = price_text("price", command.price)
    else:
        terms["market_protection"] = decimal_text(protection)
    if kind in _HAS_TRIGGER:
        terms["trigger_price"] = price_text("trigger price", command.trigger_price)
    return terms
