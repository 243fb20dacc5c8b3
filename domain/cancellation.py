"""Cancel requests: when an order can be cancelled, and how far its cancel has come."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.errors import ConcurrentUpdate
from domain.exit_chase import Chase, chase_context, chase_of
from domain.order import Order
from domain.order_events import OrderChange, advance
from domain.reason_codes import Reason
from domain.states import MAY_BE_LIVE, Phase
from domain.times import time_text
from domain.transitions import never_sent

_BY, _REASON = "cancel_by", "cancel_reason"
"""The keys in an order's context for who requested its cancel, and why."""


def hindrance(phase: Phase, broker_order_id: str | None) -> str | None:
    """Explain why an order cannot be cancelled in its present state; None when it can."""
    if phase is Phase.REGISTERED:
        return None
    if phase not in MAY_BE_LIVE:
        return "it has ended, and there is nothing to cancel"
    if phase is Phase.SUBMITTING:
        return "it is being sent at this moment; ask again in a few seconds"
    if broker_order_id is None:
        return (
            "its number at the broker is not known, and a cancel needs one. Look for it in the broker's own order "
            "book: cancel it there, or resolve it here; one that is followed under its number can then be cancelled"
        )
    return None


def cancel_asked(
    order: Order, *, at: datetime, actor: str, reason: str = "", chase: Chase | None = None
) -> OrderChange | None:
    """Record a request to cancel an order.

    Returns None where a cancel was requested before and is still in progress, so requesting twice is harmless. Where
    that was done for a new price, this request means more: nothing takes over from the order.

    Args:
        chase: the cancel is requested so that the order's rest is priced anew.

    - An order that was not sent ends at once.
    - An order that the broker turned away ends when the order book has been read.
    - An order that may be live keeps its phase until the order book shows the result.

    Raises:
        ConcurrentUpdate: the order cannot be cancelled in its present state; says why.
    """
    hindered = hindrance(order.phase, order.broker_order_id)
    if hindered is not None:
        raise ConcurrentUpdate(f"{order.command_id} is {order.phase}: {hindered}")
    if order.phase is Phase.REGISTERED and not order.look_first:
        return never_sent(order, Reason.CANCELLED_BEFORE_SENT, at=at, actor=actor, detail=reason)
    known = chase_of(order)
    if order.cancel_requested_at is not None and (chase is not None or not known.asked):
        return None
    if chase is None and known.asked:
        chase = replace(known, asked=False)
    context = {
        **json.loads(order.context_json or "{}"),
        _BY: actor,
        **({_REASON: reason} if reason else {}),
        **({} if chase is None else chase_context(chase)),
    }
    kept, asked_at = json.dumps(context, ensure_ascii=False), order.cancel_requested_at or at
    return advance(order, order.phase, at=at, actor=actor, cancel_requested_at=asked_at, context_json=kept)


def reason_of_cancel(context_json: str | None) -> str:
    """Return why a cancel was requested, from an order's context as stored; empty where no reason was given."""
    return str(json.loads(context_json or "{}").get(_REASON, ""))


@dataclass(frozen=True, slots=True)
class CancelUnderWay:
    """A cancel that was requested and that the order book has not settled. Times are texts, as in orders.db."""

    by: str
    at: str
    reason: str
    sent_at: str | None  # when the cancel was last sent to the broker

    def told(self, moment: Callable[[str], str] = str) -> str:
        """Return `asked for by ann at 09:30:00 (too wild), sent to the broker at 09:30:01`; `moment` formats a time."""
        why = f" ({self.reason})" if self.reason else ""
        sent = (
            "not sent to the broker yet"
            if self.sent_at is None
            else f"sent to the broker at {moment(self.sent_at)}"
        )
        return f"asked for by {self.by} at {moment(self.at)}{why}, {sent}"


def cancel_wish(order: Order) -> CancelUnderWay | None:
    """Return the cancel that was requested, whatever happened to the order since; None: none was requested."""
    asked, sent = order.cancel_requested_at, order.cancel_sent_at
    if asked is None:
        return None
    said = json.loads(order.context_json or "{}")
    by, reason = said.get(_BY, "somebody"), said.get(_REASON, "")
    return CancelUnderWay(by, time_text(asked), reason, None if sent is None else time_text(sent))


def cancel_under_way(order: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> CancelUnderWay | None:
    """Return how far an order's cancel has come, from its row and its events as stored in orders.db.

    None where no cancel was requested, or where the order is in no phase in which it may be live.
    """
    at = order["cancel_requested_at"]
    if at is None or order["phase"] not in MAY_BE_LIVE:
        return None
    by, reason = "somebody", ""
    for event in events:
        detail = json.loads(event["detail_json"])
        if detail.get("cancel_requested_at") == at:
            by = event["actor"]
            reason = reason_of_cancel(detail.get("context_json"))
    return CancelUnderWay(by, at, reason, order["cancel_sent_at"])
