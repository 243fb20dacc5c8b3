"""Build order requests strictly in the form of the Noren API: every value is a string.

An order that the API cannot express is refused here.
"""

from collections.abc import Mapping
from decimal import Decimal

from broker.noren.presets import NorenAccount
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.errors import Refused
from domain.money import decimal_text

_VALIDATION = "VALIDATION"

_PRICE_TYPES = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "SL-MKT",
    OrderType.STOP_LIMIT: "SL-LMT",
}
_HAS_PRICE = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_HAS_TRIGGER = (OrderType.STOP, OrderType.STOP_LIMIT)


def place_fields(
    command: UniversalOrderCommand, account: NorenAccount, products: Mapping[str, str]
) -> dict[str, str]:
    """Return the fields of `PlaceOrder`. Our client order id goes into `remarks`, which the order book echoes.

    Raises:
        Refused: the API cannot express the order; nothing was sent.
    """
    if command.product not in products:
        raise Refused(f"product {command.product!r}: expected one of {', '.join(products)}", _VALIDATION)
    return {
        "uid": account.user_id,
        "actid": account.user_id,
        "trantype": "B" if command.side is Side.BUY else "S",
        "prd": products[command.product],
        "dscqty": "0",
        "ordersource": "API",
        "remarks": _word("client order id", command.client_order_id),
        **_terms(command),
    }


def modify_fields(
    broker_order_id: str, command: UniversalOrderCommand, account: NorenAccount
) -> dict[str, str]:
    """Return the fields of `ModifyOrder`. The quantity is that of the whole order, its filled part included.

    Raises:
        Refused: the API cannot express the order; nothing was sent.
    """
    return {
        "uid": account.user_id,
        "actid": account.user_id,
        "norenordno": _word("broker order id", broker_order_id),
        "ordersource": "API",
        **_terms(command),
    }


def _terms(command: UniversalOrderCommand) -> dict[str, str]:
    """Return the fields that both calls share. `trgprc` is sent only for stops; a market order's `prc` is 0."""
    kind = command.order_type
    terms = {
        "exch": _word("exchange", command.exchange),
        "tsym": _word("symbol", command.symbol),
        "qty": _quantity(command.quantity),
        "prctyp": _PRICE_TYPES[kind],
        "prc": _price("price", command.price) if kind in _HAS_PRICE else "0",
        "ret": "DAY",
    }
    if kind in _HAS_TRIGGER:
        terms["trgprc"] = _price("trigger price", command.trigger_price)
    return terms


def _quantity(quantity: Decimal) -> str:
    if not quantity.is_finite() or quantity <= 0 or quantity != quantity.to_integral_value():
        raise Refused(f"quantity {quantity}: expected a whole number of units", _VALIDATION)
    return decimal_text(quantity)


def _price(name: str, price: Decimal | None) -> str:
    if price is None or not price.is_finite() or price <= 0:
        raise Refused(f"{name} {price}: expected one above 0", _VALIDATION)
    return decimal_text(price)


def _word(name: str, value: str) -> str:
    if not value.strip():
        raise Refused(f"the {name} is empty", _VALIDATION)
    return value
