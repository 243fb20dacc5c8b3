"""Make the order changes that follow from our own actions, each with its tag and its decision columns."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.commands import OrderResult
from domain.entry_waits import Wait
from domain.enums import DecisionType, ExecutionType
from domain.error_class import reason_class
from domain.errors import InvalidResolution, NotSent, OutcomeUnknown, Refused
from domain.followed_number import FOLLOWED
from domain.money import decimal_text
from domain.order import Order
from domain.order_events import OrderChange, advance
from domain.reason_codes import Family, Reason, broker_tag, tag_of
from domain.reconciliation import PLACED, unknown_because
from domain.states import Phase
from domain.times import is_within

Outcome = OrderResult | NotSent | Refused | OutcomeUnknown
"""Every result that a call to place an order can have."""

_TELL_WAITING = timedelta(seconds=15)
_TELL_AGAIN = timedelta(minutes=5)
_LOOK_AGAIN = timedelta(seconds=5)

_FOLLOWED_BY, _FOLLOWED_WHY = "followed_by", "followed_because"
"""Context keys beside FOLLOWED: who gave the number, and why."""

_REPEATS = frozenset({Reason.SIGNAL_ALREADY_SEEN, Reason.CONTENT_ALREADY_SEEN})


def blocked(order: Order, reason: Reason, detail: str, *, at: datetime, actor: str) -> OrderChange:
    """Block an order by one of our own rules: it is never sent. `detail`: the figures, empty where there are none."""
    return advance(
        order,
        Phase.BLOCKED,
        at=at,
        actor=actor,
        tag=tag_of(reason),
        not_before=None,
        waits_for=None,
        decision_type=DecisionType.SKIPPED,
        reason_code="IDEMPOTENCY_BLOCKED" if reason in _REPEATS else reason.value,
        reason_message=reason.with_detail(detail),
        reason_detail=detail,
    )


def stopped(order: Order, reason: Reason, detail: str, *, at: datetime, actor: str) -> OrderChange:
    """Stop an order by one of our own rules.

    The order is blocked. Where a call was made that the broker says it turned away, it lapses instead: from LAPSED the
    book can still revive it, should the broker have accepted the order after all.
    """
    if order.look_first:
        return never_sent(order, reason, at=at, actor=actor)
    return blocked(order, reason, detail, at=at, actor=actor)


def never_sent(order: Order, reason: Reason, *, at: datetime, actor: str, detail: str = "") -> OrderChange:
    """End an order that will not be sent any more: it never left us, or the broker said that it turned it away."""
    return advance(
        order,
        Phase.LAPSED,
        at=at,
        actor=actor,
        tag=tag_of(reason),
        not_before=None,
        waits_for=None,
        decision_type=DecisionType.FAILED,
        reason_code=reason.value,
        reason_message=reason.with_detail(detail),
        reason_detail=detail,
    )


def refused(order: Order, code: str, text: str, *, at: datetime, actor: str) -> OrderChange:
    """End an order whose request the broker provably refused."""
    return advance(
        order,
        Phase.REFUSED,
        at=at,
        actor=actor,
        tag=broker_tag(Family.BROKER_REJECTED, code),
        decision_type=DecisionType.FAILED,
        reason_code=reason_class(code, text),
        reason_message=text,
        exchange_error_snippet=text[:500] or None,
    )


def resolved_absent(order: Order, text: str, *, at: datetime, actor: str) -> OrderChange:
    """Record an operator's finding that the broker does not have the order."""
    return advance(
        order,
        Phase.ABSENT,
        at=at,
        actor=actor,
        tag=tag_of(Reason.OPERATOR_RESOLVED),
        provisional_until=None,
        decision_type=DecisionType.FAILED,
        reason_code=Reason.OPERATOR_RESOLVED.value,
        reason_message=text,
    )


def resolved_fill(
    order: Order,
    broker_order_id: str,
    filled: Decimal,
    price: Decimal | None,
    *,
    at: datetime,
    actor: str,
    text: str | None = None,
) -> OrderChange:
    """Record an operator's finding that the broker filled the order in full; `text`: the operator's reason, if any.

    Raises:
        InvalidResolution: the fill is not this order's. An operator cannot settle a fill of another quantity than the
            order's whole one: a partly filled order is followed under its broker number (`followed`).
    """
    _check_number(order, broker_order_id)
    if filled != order.quantity:
        raise InvalidResolution(
            "filled_quantity",
            f"expected {decimal_text(order.quantity)}, the order's whole quantity, not {decimal_text(filled)}",
        )
    if price is not None and price <= 0:
        raise InvalidResolution("average_price", "expected a positive price")
    return advance(
        order,
        Phase.FILLED,
        at=at,
        actor=actor,
        broker_order_id=broker_order_id,
        filled_quantity=filled,
        average_price=order.average_price if price is None else price,
        **PLACED,
        reason_message=text,
    )


def followed(
    order: Order, broker_order_id: str, *, at: datetime, actor: str, text: str | None = None
) -> OrderChange:
    """Record the broker order number that an operator gave. Nothing is decided by it until the book shows that order.

    Raises:
        InvalidResolution: the number cannot be this order's.
    """
    _check_number(order, broker_order_id)
    why = f"said to be the broker's {broker_order_id}" + (f" ({text})" if text else "")
    said = {FOLLOWED: broker_order_id, _FOLLOWED_BY: actor, _FOLLOWED_WHY: text or ""}
    return advance(
        order,
        Phase.UNKNOWN,
        at=at,
        actor=actor,
        context_json=json.dumps({**json.loads(order.context_json or "{}"), **said}, ensure_ascii=False),
        **unknown_because(why),
    )


def number_given_by(order: Order) -> tuple[str, str] | None:
    """Return who gave the order's broker number, and why; None where no person did."""
    said = json.loads(order.context_json) if order.context_json else {}
    if order.broker_order_id is None or said.get(FOLLOWED) != order.broker_order_id:
        return None
    return said.get(_FOLLOWED_BY, "somebody"), said.get(_FOLLOWED_WHY, "")


def _check_number(order: Order, broker_order_id: str) -> None:
    if not broker_order_id:
        raise InvalidResolution("broker_order_id", "expected the broker's number of the order")
    if order.broker_order_id not in (None, broker_order_id):
        raise InvalidResolution(
            "broker_order_id",
            f"expected {order.broker_order_id}, under which the broker acknowledged the order",
        )


def claimed(order: Order, *, at: datetime, claimant: str, **sized: Any) -> OrderChange:
    """Claim an order for sending (CREATED → SENT_TO_BROKER). From the commit on, it may be live."""
    return advance(
        order,
        Phase.SUBMITTING,
        at=at,
        actor=claimant,
        claimed_by=claimant,
        sent_at=at,
        attempts=order.attempts + 1,
        not_before=None,
        waits_for=None,
        reason_message=None,
        **sized,
    )


def claimed_again(order: Order, *, at: datetime, claimant: str) -> OrderChange:
    """Claim an order for a resend under the same id, where the broker promises that this makes no second order."""
    return advance(
        order,
        Phase.UNKNOWN,
        at=at,
        actor=claimant,
        claimed_by=claimant,
        sent_at=at,
        attempts=order.attempts + 1,
    )


def held(order: Order, reason: str, *, at: datetime, actor: str, **kept: str) -> OrderChange:
    """Postpone an order that cannot be sent yet, with backoff; an exit that waits long is escalated.

    The longer it waits, the less often it is tried, so that waiting costs little.

    Args:
        kept: further columns to write.
    """
    return advance(
        order,
        Phase.REGISTERED,
        at=at,
        actor=actor,
        not_before=at + backoff(at - order.created_at),
        reason_message=reason,
        escalation=_told_waiting(order, at),
        **kept,
    )


def _told_waiting(order: Order, at: datetime) -> int:
    """Return the escalation level of an order that waits to be sent.

    People are notified when an exit has waited for `_TELL_WAITING`, and again every `_TELL_AGAIN` while it waits: its
    position stays open meanwhile. The level of an entry stays as it is.
    """
    waited = at - order.created_at
    if order.execution_type is not ExecutionType.EXIT or is_within(order.created_at, at, _TELL_WAITING):
        return order.escalation
    # A creation time in the future (the clock was set back) gives a negative wait: its true length is not known.
    return max(order.escalation, 2 + max(waited, timedelta(0)) // _TELL_AGAIN)


def backoff(waited: timedelta) -> timedelta:
    """Return how long to wait next after a wait of that length: half of it, at least 0.1 s and at most 5 s."""
    return min(max(waited / 2, timedelta(seconds=0.1)), timedelta(seconds=5))


def waiting(order: Order, wait: Wait, *, at: datetime, actor: str) -> OrderChange:
    """Make an entry wait for something that has to come first.

    It is checked again when that moves, and every `_LOOK_AGAIN` besides.
    """
    return advance(
        order,
        Phase.REGISTERED,
        at=at,
        actor=actor,
        waits_for=wait.waits_for,
        not_before=looked_at(wait, at),
        reason_message=wait.waits_for.sentence,
    )


def looked_at(wait: Wait, now: datetime) -> datetime:
    """Return when a waiting entry is checked again if nothing has moved by then."""
    return max(min(wait.until, now + _LOOK_AGAIN), now + timedelta(milliseconds=50))


def released(order: Order, *, at: datetime, actor: str) -> OrderChange:
    """Release a waiting entry, because what it waits for has moved: it is checked now.

    One that was turned away is checked no sooner than the book would show it.
    """
    not_before = order.not_before if order.look_first else None
    return advance(order, Phase.REGISTERED, at=at, actor=actor, not_before=not_before)


def unknown(order: Order, why: str, *, at: datetime, actor: str) -> OrderChange:
    """Mark an order whose call has an unknown outcome: it may be live."""
    # Escalation starts anew: a notification that it waited to be sent says nothing of an unknown outcome.
    return advance(order, Phase.UNKNOWN, at=at, actor=actor, **unknown_because(why), escalation=0)


def answered(
    order: Order, outcome: Outcome, *, resend: bool, visible_after: timedelta, at: datetime, actor: str
) -> OrderChange | None:
    """Apply the outcome of a call to the current row, which others may have moved during the call.

    `visible_after`: how long an order that the broker has accepted may be missing from its book.
    Returns None where the outcome says nothing new. For example, the refusal of a resend proves nothing about the first
    send.
    """
    if isinstance(outcome, OrderResult):
        return None if order.broker_order_id is not None else placed(order, outcome, at=at, actor=actor)
    if isinstance(outcome, Refused):
        if resend or order.phase not in (Phase.SUBMITTING, Phase.UNKNOWN):
            return None
        return refused(order, outcome.code, outcome.message, at=at, actor=actor)
    if order.phase is not Phase.SUBMITTING:
        return None
    if isinstance(outcome, NotSent):
        look_after = visible_after if outcome.look_first else None
        return not_sent(order, outcome.message, look_after=look_after, at=at, actor=actor)
    return unknown(order, outcome.message, at=at, actor=actor)


def placed(order: Order, result: OrderResult, *, at: datetime, actor: str) -> OrderChange:
    """Record that the broker acknowledged the order."""
    return advance(
        order,
        Phase.WORKING,
        at=at,
        actor=actor,
        tag=None,
        broker_order_id=result.broker_order_id,
        reason_message=result.detail,
        escalation=0,  # a notification that it waited says nothing of an order that rests
        **PLACED,
    )


def not_sent(
    order: Order, why: str, *, at: datetime, actor: str, look_after: timedelta | None = None
) -> OrderChange:
    """Move an order back to CREATED, to be sent again with backoff within the alert's life; after that it lapses.

    `look_after`: the broker turned the order away, but may have accepted it all the same. The order then keeps
    `sent_at`, by which the next send knows that it has to wait for a read of the order book. That read must begin when
    an accepted order would show there, `look_after` later at the earliest. It does not lapse here.
    """
    look_first = look_after is not None
    not_before = at + max(backoff(at - order.created_at), look_after or timedelta(0))
    if not look_first and (not_before > order.expires_at or order.is_over(at)):
        return never_sent(order, Reason.ALERT_TOO_OLD, at=at, actor=actor, detail=why)
    return advance(
        order,
        Phase.REGISTERED,
        at=at,
        actor=actor,
        attempts=order.attempts - 1,
        sent_at=order.sent_at if look_first else None,
        not_before=not_before,
        reason_message=f"turned away, the book is looked at: {why}" if look_first else f"not sent: {why}",
        escalation=_told_waiting(order, at),
    )
