"""Build order requests strictly in the form of the Noren API: every value is a string.

An order that the API cannot express is refused here.
"""

from collections.abc import Mapping

from broker.fields import VALIDATION, price_text, quantity_text
from broker.noren.presets import NorenAccount
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.errors import Refused

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
        raise Refused(f"product {command.product!r}: expected one of {', '.join(products)}", VALIDATION)
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
        "qty": quantity_text(command.quantity),
        "prctyp": _PRICE_TYPES[kind],
        "prc": price_text("price", command.price) if kind in _HAS_PRICE else "0",
        "ret": "DAY",
    }
    if kind in _HAS_TRIGGER:
        terms["trgprc"] = price_text("trigger price", command.trigger_price)
    return terms


def _word(name: str, value: str) -> str:
    if not value.strip():
        raise Refused(f"the {name} is empty", VALIDATION)
    return value
