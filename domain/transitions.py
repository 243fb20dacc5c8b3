"""The changes that our own actions make of an order, each with its tag and its decision columns filled in."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.alert import DecisionType, ExecutionType
from domain.commands import OrderResult
from domain.entry_waits import Wait
from domain.errors import InvalidResolution, NotSent, OutcomeUnknown, Refused
from domain.money import decimal_text
from domain.order import Order
from domain.order_events import OrderChange, advance
from domain.reason_codes import Family, Reason, broker_tag, tag_of
from domain.reconciliation import FOLLOWED, PLACED, reason_class, unknown_because
from domain.states import Phase
from domain.times import is_within

Outcome = OrderResult | NotSent | Refused | OutcomeUnknown
"""Everything that can come back from asking a broker for an order."""

_TELL_WAITING = timedelta(seconds=15)
_TELL_AGAIN = timedelta(minutes=5)
_LOOK_AGAIN = timedelta(seconds=5)

_FOLLOWED_BY, _FOLLOWED_WHY = "followed_by", "followed_because"
"""Beside FOLLOWED: who gave the number, and how it was found."""

_REPEATS = frozenset({Reason.SIGNAL_ALREADY_SEEN, Reason.CONTENT_ALREADY_SEEN})


def blocked(order: Order, reason: Reason, detail: str, *, at: datetime, actor: str) -> OrderChange:
    """One of our own rules said no; the order is never sent. `detail` are the figures, empty where there are none."""
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
    """One of our own rules stopped it: blocked, or, where a call was made that the broker says it turned away, lapsed,
    from where the book can still revive it."""
    if order.look_first:
        return never_sent(order, reason, at=at, actor=actor)
    return blocked(order, reason, detail, at=at, actor=actor)


def never_sent(order: Order, reason: Reason, *, at: datetime, actor: str, detail: str = "") -> OrderChange:
    """It provably never left us, and will not be sent any more."""
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
    """The broker provably refused the request."""
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
    """An operator found that the broker does not have the order."""
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
    """An operator found the order at the broker, filled in full; `text` is the operator's reason, if there is one.

    Raises:
        InvalidResolution: the fill is not this order's. One that is not its whole quantity is none that a hand could
            settle: a partly filled order is followed.
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
    """An operator says which of the broker's orders it is. Nothing is believed of it until the book has shown that one.

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
    """Who gave the broker's number that the order has, and why; None where no person did."""
    said = json.loads(order.context_json or "{}")
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
    """CREATED → SENT_TO_BROKER: from its commit on, the order may be live."""
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
    """Another send under the same id, where the broker promises that it cannot make a second order."""
    return advance(
        order,
        Phase.UNKNOWN,
        at=at,
        actor=claimant,
        claimed_by=claimant,
        sent_at=at,
        attempts=order.attempts + 1,
    )


def held(order: Order, reason: str, *, at: datetime, actor: str) -> OrderChange:
    """Look again soon; the longer it lasts, the less often, so that waiting costs little. An exit is told."""
    return advance(
        order,
        Phase.REGISTERED,
        at=at,
        actor=actor,
        not_before=at + backoff(at - order.created_at),
        reason_message=reason,
        escalation=_told_waiting(order, at),
    )


def _told_waiting(order: Order, at: datetime) -> int:
    """An exit that is not sent for so long is told, and again while that lasts: its position stays open meanwhile."""
    waited = at - order.created_at
    if order.execution_type is not ExecutionType.EXIT or is_within(order.created_at, at, _TELL_WAITING):
        return order.escalation
    return max(
        order.escalation, 2 + max(waited, timedelta(0)) // _TELL_AGAIN
    )  # of the future: nobody knows how long


def backoff(waited: timedelta) -> timedelta:
    """How long to wait after having waited so long: half as much again, from 0.1 s to 5 s."""
    return min(max(waited / 2, timedelta(seconds=0.1)), timedelta(seconds=5))


def waiting(order: Order, wait: Wait, *, at: datetime, actor: str) -> OrderChange:
    """An entry that something else has to come before: looked at when that moves, and now and then besides."""
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
    """When a waiting entry is looked at again, should nothing have moved by then."""
    return max(min(wait.until, now + _LOOK_AGAIN), now + timedelta(milliseconds=50))


def released(order: Order, *, at: datetime, actor: str) -> OrderChange:
    """What a waiting entry waits for has moved: it is looked at now."""
    return advance(order, Phase.REGISTERED, at=at, actor=actor, not_before=None)


def unknown(order: Order, why: str, *, at: datetime, actor: str) -> OrderChange:
    """The call's outcome is not known: the order may be live."""
    # That it waited to be sent was told; this is told anew.
    return advance(order, Phase.UNKNOWN, at=at, actor=actor, **unknown_because(why), escalation=0)


def answered(
    order: Order, outcome: Outcome, *, resend: bool, visible_after: timedelta, at: datetime, actor: str
) -> OrderChange | None:
    """What a call's outcome does to the row as it stands now, which others may have moved while the call lasted.

    `visible_after`: so long may an order that the broker has taken be missing from its book.
    None where the outcome tells nothing new: the refusal of a re-send, for one, proves nothing about the first send.
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
    """The broker has it."""
    return advance(
        order,
        Phase.WORKING,
        at=at,
        actor=actor,
        tag=None,
        broker_order_id=result.broker_order_id,
        reason_message=result.detail,
        escalation=0,  # that it waited was told; that it rests is told anew
        **PLACED,
    )


def not_sent(
    order: Order, why: str, *, at: datetime, actor: str, look_after: timedelta | None = None
) -> OrderChange:
    """Back to CREATED, to be tried again with backoff within the alert's life; after that it lapses.

    `look_after`: it may have been taken all the same. It keeps when it was sent, the mark by which the next send waits
    for a look at the broker's book, one that begins when a taken order would show there.
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
