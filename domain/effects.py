"""What a change of an order does to its intent and to its alert's decision. Pure: a store writes what stands here."""

from typing import NamedTuple

from domain.enums import DecisionType
from domain.order import Order
from domain.reason_codes import Family, Reason, family_of, reason_in
from domain.states import Phase, Status


class IntentEffect(NamedTuple):
    """The intent's columns as they are after the change."""

    status: str
    broker_order_id: str | None
    error: str | None


class DecisionEffect(NamedTuple):
    """The alert's decision, where it has none yet or one of `replaces`."""

    decision: DecisionType
    code: str | None
    message: str | None
    exchange_error: str | None
    replaces: tuple[DecisionType, ...]


_STATUS = {Status.CREATED: "PENDING", Status.EXECUTED: "ORDER_PLACED", Status.FAILED: "ORDER_FAILED"}

_REPLACES = {
    DecisionType.EXECUTED: (DecisionType.SKIPPED, DecisionType.FAILED),
    DecisionType.FAILED: (DecisionType.SKIPPED, DecisionType.FAILED),
    DecisionType.SKIPPED: (DecisionType.SKIPPED,),
}
"""An alert is decided as its most consequential leg is: executed before failed before skipped."""


def intent_effect(before: Order, after: Order) -> IntentEffect | None:
    """The intent's new columns; None when the change leaves them as they are."""
    status = _intent_status(after)
    if status == _intent_status(before) and before.broker_order_id == after.broker_order_id:
        return None
    return IntentEffect(status, after.broker_order_id, after.tag)


def decision_effect(before: Order, after: Order) -> DecisionEffect | None:
    """The decision that the change makes; None when it makes none."""
    decision = after.decision_type
    if decision is None or decision is before.decision_type:
        return None
    reason = (after.reason_code, after.reason_message, after.exchange_error_snippet)
    return DecisionEffect(decision, *reason, _REPLACES[decision])


def releases_waiting(before: Order, after: Order) -> bool:
    """True when entries of its alert, or of its strategy and symbol, may have waited for this change.

    The order is over, or it is an entry that no longer waits for what it waited for.
    """
    if before.waits_for is not None and before.waits_for is not after.waits_for:
        return True
    return after.status in (Status.EXECUTED, Status.FAILED) and before.status is not after.status


def _intent_status(order: Order) -> str:
    if order.phase is Phase.BLOCKED:
        if family_of(order.tag) is Family.DUPLICATE_BLOCKED:
            return "DEDUP_SKIPPED"
        if reason_in(order.tag) == Reason.ORDER_BLOCKED_LIVE_TRADING:
            return "ORDER_BLOCKED_LIVE_TRADING"
    if order.status is Status.SENT_TO_BROKER:
        return "ORDER_PLACED" if order.broker_order_id else "PENDING"
    return _STATUS[order.status]
