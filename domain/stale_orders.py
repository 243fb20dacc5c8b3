"""Stale orders: those that have been at the broker for over an hour and that a person should check.

A long time alone is no fault: a limit order may rest all day. But an order that its broker forgot, that nobody follows,
or whose outcome stays unknown looks the same from outside. So people are notified once, to check whether it should
still be there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.enums import OrderType
from domain.money import decimal_text
from domain.order import Order
from domain.states import Phase

FROZEN_AFTER = timedelta(hours=1)
FROZEN_MEANS = "SENT_TO_BROKER for over an hour: look whether it should still be there"


@dataclass(frozen=True, slots=True)
class StaleOrder:
    """An order that has been SENT_TO_BROKER since `since`, for longer than `FROZEN_AFTER`."""

    order: Order
    since: datetime


def why_still_open(order: Order) -> str:
    """Explain why an order is still SENT_TO_BROKER, as far as its row shows."""
    why = _why(order)
    return why if order.cancel_requested_at is None else f"{why}; a cancel was asked for and is not confirmed"


def _why(order: Order) -> str:
    if order.phase is Phase.PARTIALLY_FILLED:
        done, asked = decimal_text(order.filled_quantity), decimal_text(order.quantity)
        return f"{done} of {asked} filled, the rest waits at the broker"
    if order.phase is Phase.WORKING and order.reason_message:
        return f"the broker has it and has filled nothing: {order.reason_message}"
    if order.phase is Phase.WORKING and order.order_type is OrderType.MARKET:
        return "the broker has it and has filled nothing, which is odd for a MARKET order"
    if order.phase is Phase.WORKING:
        return f"the broker has it and has filled nothing: a {order.order_type} order may rest"
    if order.phase is Phase.UNKNOWN:
        return order.reason_message or "its outcome is unknown"
    return f"claimed by {order.claimed_by}, and no end of its call is recorded"
