"""What the sender of an alert is answered, as JSON bytes."""

import json

from domain.errors import InvalidAlert
from domain.money import decimal_text
from domain.order import Order
from domain.receipt import Receipt

_encode = json.JSONEncoder(separators=(",", ":")).encode


def receipt_json(receipt: Receipt) -> bytes:
    """How the legs stand; a duplicate's legs name the first delivery's."""
    legs = [_leg(order) for order in receipt.legs]
    for leg, original in zip(legs, receipt.originals, strict=False):  # the originals may be archived
        leg["duplicate_of"] = original.command_id
    return _encode({"status": receipt.outcome, "alert_id": receipt.alert_id, "legs": legs}).encode()


def error_json(code: str, message: str, field: str | None = None, *, alert_id: str | None = None) -> bytes:
    """What is wrong and where; with the id under which the alert was kept, if it was."""
    answer: dict[str, object] = {"error": {"code": code, "message": message, "field": field}}
    if alert_id is not None:
        answer["alert_id"] = alert_id
    return _encode(answer).encode()


def invalid_json(error: InvalidAlert, *, alert_id: str | None = None) -> bytes:
    """`error_json` of an alert that cannot be traded on."""
    return error_json(error.code, error.message, error.field, alert_id=alert_id)


def _leg(order: Order) -> dict[str, object]:
    quantity = order.quantity
    whole = quantity == quantity.to_integral_value()
    return {
        "command_id": order.command_id,
        "symbol": order.symbol,
        "side": order.side,
        # A float would not be exact: what is no whole number goes out as decimal text.
        "quantity": int(quantity) if whole else decimal_text(quantity),
        "status": order.status,
        "tag": order.tag,
    }
