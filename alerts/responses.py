"""Build the answers to the sender of an alert, as JSON bytes."""

import json

from domain.cancel_by_alert import EntryCancel
from domain.enums import Outcome
from domain.errors import InvalidAlert
from domain.money import decimal_text
from domain.order import Order
from domain.receipt import Receipt

_encode = json.JSONEncoder(separators=(",", ":")).encode


def receipt_json(receipt: Receipt) -> bytes:
    """The state of the legs; each leg of a duplicate names the leg of the first delivery.

    `cancels` lists the entries that an alert takes back, with what became of each, and `message` says it in words.
    `not_traded` lists the clients of several that trade nothing of the alert, or not its entries, where there are any.
    """
    legs = [_leg(order) for order in receipt.legs]
    for leg, original in zip(legs, receipt.originals, strict=False):  # the originals may be archived
        leg["duplicate_of"] = original.command_id
    answer = {"status": receipt.outcome, "alert_id": receipt.alert_id, "legs": legs}
    if receipt.cancels is not None:
        answer["cancels"] = [_cancel(each) for each in receipt.cancels]
        answer["message"] = receipt.message
    if receipt.not_traded:
        answer["not_traded"] = [each._asdict() for each in receipt.not_traded]
    return _encode(answer).encode()


def info_json(alert_id: str) -> bytes:
    """The answer to an alert that asks for nothing and was stored."""
    return _encode({"status": Outcome.INFO, "alert_id": alert_id}).encode()


def error_json(code: str, message: str, field: str | None = None, *, alert_id: str | None = None) -> bytes:
    """An error and the field that has it; with the alert's id if the alert was stored."""
    answer: dict[str, object] = {"error": {"code": code, "message": message, "field": field}}
    if alert_id is not None:
        answer["alert_id"] = alert_id
    return _encode(answer).encode()


def invalid_json(error: InvalidAlert, *, alert_id: str | None = None) -> bytes:
    """`error_json` for an alert that cannot be traded on."""
    return error_json(error.code, error.message, error.field, alert_id=alert_id)


def _cancel(cancel: EntryCancel) -> dict[str, object]:
    detail = {"message": cancel.detail} if cancel.detail else {}
    return {**_leg(cancel.order), "result": cancel.result, **detail}


def _leg(order: Order) -> dict[str, object]:
    quantity = order.quantity
    whole = quantity == quantity.to_integral_value()
    return {
        "command_id": order.command_id,
        "client_id": order.client_id,
        "symbol": order.symbol,
        "side": order.side,
        # A float would not be exact, so a fraction is sent as decimal text.
        "quantity": int(quantity) if whole else decimal_text(quantity),
        "status": order.status,
        "tag": order.tag,
    }
