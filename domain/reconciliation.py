"""Reconcile one order with the broker's order book: pure, idempotent, without guessing.

Invariants, tested by shuffling, repeating and dropping reports:

- one pass converges: deciding again on the result changes nothing;
- a filled quantity never shrinks, in whatever sequence the reports arrive;
- without a report an order ends only as ABSENT, proven by the book, or, a day order of yesterday, as EXPIRED;
- EXECUTED needs the broker's order id; what the broker shows live or filled is never left FAILED.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, BrokerStatus, OrderRef, OrderReport
from domain.enums import DecisionType, ExecutionType
from domain.error_class import reason_class
from domain.followed_number import find_followed
from domain.money import decimal_text
from domain.notice_keys import Alarm, NoticeSubject, of_order
from domain.order import Order
from domain.order_matching import NOT_LOOKED_FOR, Attribution, shows_all_since
from domain.reason_codes import Family, Reason, broker_tag, tag_of
from domain.states import STATUS_OF, Phase, Status

PLACED = {"decision_type": DecisionType.EXECUTED, "reason_code": "EXEC_ORDER_PLACED"}
"""The decision columns of an order that the broker has accepted."""


def unknown_because(why: str) -> dict[str, str]:
    """Return the reason columns of an order whose outcome is not known."""
    return {"reason_message": _because(why), "reason_detail": why}


def _because(why: str) -> str:
    return f"outcome unknown: {why}"


DEAD = {
    BrokerStatus.REJECTED: (Phase.REJECTED, Family.BROKER_REJECTED),
    BrokerStatus.CANCELLED: (Phase.CANCELLED, Family.BROKER_CANCELLED),
    BrokerStatus.EXPIRED: (Phase.EXPIRED, Family.BROKER_EXPIRED),
}
LIVE = frozenset({BrokerStatus.PENDING, BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase to move the order to, and the columns that change with it.

    Without a phase the order stays as it is. Alarms are for people. Each later book that shows the same condition
    raises the same alarm again; the caller notifies once for each.
    """

    phase: Phase | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()


NOTHING = Verdict()


def decide(
    order: Order,
    book: Book,
    traits: BrokerTraits,
    *,
    sending_ends: timedelta,
    attribution: Attribution = NOT_LOOKED_FOR,
) -> Verdict:
    """Decide what a successful read of the order book means for one order.

    Args:
        order: the current row.
        book: a read that succeeded. A failed read is never passed in.
        traits: what the broker promises.
        sending_ends: how long after `sent_at` the call may still be on its way to the broker.
        attribution: which reports of this book belong to which orders, for a broker that echoes nothing (C0). Without
            it, nothing is decided there about an order whose broker id is not known.
    """
    nameless = found_by_shape(order, traits)
    report, alarms = (attribution.owned.get(order.command_id), ()) if nameless else find_report(order, book)
    if report is None and order.broker_order_id is None:
        report, alarms = find_followed(order, book)
    if report is None:
        said = _absent(order, book, traits, sending_ends)
        if nameless:
            said = _unattributed(order, book, traits, sending_ends, attribution)
        return replace(said, alarms=(*said.alarms, *alarms))
    if _is_of_one_send(order, report) and not shows_all_since(order, book, traits, sending_ends=sending_ends):
        return Verdict(alarms=alarms)
    phase, tag = _phase_said(order, report)
    if phase is None or _stale(order, phase, report, book, traits):
        back = taken_back(order, report)
        if back is None or not _is_after_its_end(order, book, traits):
            return Verdict(alarms=alarms)
        # Keep the fill: a status that contradicts what the broker reported before proves nothing.
        return noted(order, order.phase, back, alarms)
    changes = _changes(order, report, phase, tag)
    others = _successors(order, report, book) if order.broker_order_id is not None else ()
    if others:
        text = f"broker order {', '.join(others)} carries the tag of {report.broker_order_id} too"
        key = of_order(NoticeSubject.TAG_ON_OTHERS_TOO, order.command_id, report.broker_order_id, *others)
        alarms = (*alarms, Alarm(key, text))
        if STATUS_OF[phase] is Status.FAILED and order.may_be_live:
            filled = max(report.filled_quantity, order.filled_quantity)
            wanted = {**unknown_because(text), "filled_quantity": filled}
            phase, changes = Phase.UNKNOWN, _differing(order, wanted)
    if report.filled_quantity > max(order.quantity, order.filled_quantity):
        figures = (decimal_text(report.filled_quantity), decimal_text(order.quantity))
        key = of_order(NoticeSubject.OVERFILL, order.command_id, *figures)
        alarms = (*alarms, Alarm(key, f"overfill: {report.filled_quantity} of {order.quantity}"))
    if phase is order.phase and not changes:
        return Verdict(alarms=alarms)
    if report.unread:
        text = f"broker order {report.broker_order_id}: {report.unread}; its fill counts, at a price that is not known"
        key = of_order(NoticeSubject.PRICE_UNREAD, order.command_id, report.broker_order_id)
        alarms = (*alarms, Alarm(key, text))
    return Verdict(phase, changes, alarms)


def _is_of_one_send(order: Order, report: OrderReport) -> bool:
    """Return True for a dead report that may be of one send only, where the order was sent more than once.

    An earlier send may have been accepted under another number, which this book does not show yet.
    """
    is_dead = report.status in DEAD and not report.filled_quantity
    return is_dead and order.broker_order_id is None and order.attempts > 1


def noted(order: Order, phase: Phase, alarm: Alarm, others: tuple[Alarm, ...] = ()) -> Verdict:
    """Return a verdict that raises an alarm and shows its text as the row's reason."""
    changes = _differing(order, {"reason_message": alarm.text})
    return Verdict(phase if changes else None, changes, (*others, alarm))


def find_report(order: Order, book: Book) -> tuple[OrderReport | None, tuple[Alarm, ...]]:
    """Find the report about this order by the broker's id, or by our tag while that id is not known.

    Where several broker orders carry our tag, the one that is live or filled is used and an alarm is raised. Not every
    broker keeps tags unique, and at one that does this must never happen.
    """
    if order.broker_order_id is not None:
        return _numbered(order, book)
    before = turned_away(order)
    tagged = book.by_tag.get(order.client_order_id, ())
    # One that was dead and has come back is the order after all.
    tagged = [r for r in tagged if r.broker_order_id not in before or not r.came_to_nothing]
    if not tagged:
        return None, ()
    tagged.sort(key=likeliest)
    if len(tagged) == 1:
        return tagged[0], ()
    ids = [r.broker_order_id for r in tagged]
    text = f"{len(tagged)} broker orders carry the tag {order.client_order_id}: {', '.join(ids)}"
    return tagged[0], (Alarm(of_order(NoticeSubject.TAG_TWICE, order.command_id, *ids), text),)


TURNED_AWAY = "turned_away"
"""The key in an order's context for the dead broker orders of calls before its last one."""


def turned_away(order: Order) -> frozenset[str]:
    """Return the numbers of the dead orders that the broker kept of calls that it had turned away before the last."""
    return (
        frozenset(json.loads(order.context_json).get(TURNED_AWAY, ())) if order.context_json else frozenset()
    )


def likeliest(report: OrderReport) -> tuple[bool, str]:
    """Sort key for reports that carry the same tag: those that are live or were filled come first."""
    return report.status in DEAD and not report.filled_quantity, report.broker_order_id


def _numbered(order: Order, book: Book) -> tuple[OrderReport | None, tuple[Alarm, ...]]:
    """Find the report under the order's number, unless the broker gave that number to another order.

    Some brokers use their numbers again on another day.
    """
    assert order.broker_order_id is not None
    report = book.by_id.get(order.broker_order_id)
    if report is None or is_about(order, report):
        return report, ()
    text = f"broker order {report.broker_order_id} is {report.side} {report.symbol}: not this order"
    ours = [r.broker_order_id for r in book.by_tag.get(order.client_order_id, ())]
    facts = (report.broker_order_id, report.side, report.symbol, *ours)
    text += f", whose tag is on {', '.join(ours)}" if ours else ""
    return None, (Alarm(of_order(NoticeSubject.NUMBER_IS_ANOTHERS, order.command_id, *facts), text),)


def is_about(order: Order, report: OrderReport) -> bool:
    """Return False when a report under the order's number certainly belongs to another order.

    That is a report without our tag and with another exchange, symbol or side. A missing tag alone proves nothing: it
    may be lost when the order is changed at the broker's terminal.
    """
    same = (report.exchange, report.symbol, report.side) == (order.exchange, order.symbol, order.side)
    return same or report.client_order_id == order.client_order_id


def is_own(order: Order, report: OrderReport) -> bool:
    """Return True when a report with the tag of an order that counts as not sent is that order, sent earlier.

    Where an alert has a `signal_id`, the tag is derived from it. A `signal_id` that was used before for another symbol
    or side gives the same tag, and the report belongs to that other order.
    """
    place = (report.exchange.casefold(), report.symbol.casefold())
    if report.client_order_id != order.client_order_id:
        return False
    if place != (order.exchange.casefold(), order.symbol.casefold()):
        return False
    if order.execution_type is ExecutionType.EXIT:  # an exit that names no side takes it from the position
        return order.requested_side in (None, report.side)
    return report.side is order.side


def _successors(order: Order, report: OrderReport, book: Book) -> tuple[str, ...]:
    """List other broker orders under our tag that are live or were filled.

    Either the broker replaced the order's number, or the order was placed twice.
    """
    return tuple(
        r.broker_order_id
        for r in book.by_tag.get(order.client_order_id, ())
        if r.broker_order_id != report.broker_order_id and (r.status in LIVE or r.filled_quantity)
    )


def silence(order: Order, book: Book) -> str | None:
    """Explain why a successful read says nothing about an acknowledged order; None when it does."""
    report, _ = find_report(order, book)
    if report is None and hidden_in(order, book):
        return None  # people are notified of the unreadable row that may be it, and the order stays as it is
    if report is None:
        return "the broker's book, which can be read, does not show it"
    if report.status is BrokerStatus.UNRECOGNISED:
        return f"the broker's book gives {report.broker_order_id} a status that is not known"
    said = contradiction(order, book)
    return None if said is None else said.text


def hidden_in(order: Order, book: Book) -> bool:
    """Return True when an unreadable row may be this order: then its absence from the book proves nothing."""
    ref = OrderRef(order.client_order_id, order.broker_order_id)
    return book.hides(ref, order.exchange, order.symbol) is not None


def contradiction(order: Order, book: Book) -> Alarm | None:
    """Explain why the broker's own rows of an order cannot all be true, and what to do; None when they can."""
    report, _ = find_report(order, book)
    if report is None:
        return None
    said = report.contradiction
    if not said and report.status is BrokerStatus.COMPLETE and not _is_whole(order, report):
        said = f"COMPLETE with {report.filled_quantity} of {report.quantity} filled"
    if not said:
        return None
    figures = (report.status, decimal_text(report.quantity), decimal_text(report.filled_quantity))
    return Alarm(
        of_order(NoticeSubject.CONTRADICTION, order.command_id, report.broker_order_id, *figures),
        f"the broker's rows of {report.broker_order_id} contradict themselves ({said}): what was filled is not known "
        "here. Look at the order and its trades in the broker's own terminal, then resolve it",
    )


def _is_whole(order: Order, report: OrderReport) -> bool:
    filled = max(report.filled_quantity, order.filled_quantity)
    return filled >= min(order.quantity, report.quantity or order.quantity)


def found_by_shape(order: Order, traits: BrokerTraits) -> bool:
    """Return True when the order can be matched only by symbol, side, quantity and time."""
    return traits.id_class is IdClass.C0 and order.broker_order_id is None and order.test_mode is None


def _unattributed(
    order: Order, book: Book, traits: BrokerTraits, sending_ends: timedelta, attribution: Attribution
) -> Verdict:
    """Decide on an order that no report is attributed to: absent if no report might be it, else an alarm for people."""
    if attribution.none_for(order):
        return _absent(order, book, traits, sending_ends)
    possible = attribution.possible.get(order.command_id, ())
    if order.phase is not Phase.UNKNOWN or not possible:
        return NOTHING
    if not shows_all_since(order, book, traits, sending_ends=sending_ends):
        return NOTHING
    ids = " or ".join(possible)
    text = f"it may be broker order {ids}; the book cannot tell, so somebody has to resolve it"
    key = of_order(NoticeSubject.MAY_BE_ANY_OF, order.command_id, *possible)
    return noted(order, Phase.UNKNOWN, Alarm(key, text))


def _absent(order: Order, book: Book, traits: BrokerTraits, sending_ends: timedelta) -> Verdict:
    if order.broker_order_id is not None:
        return _vanished(order, book, traits)
    if order.phase is not Phase.UNKNOWN:
        return NOTHING  # its call is still in progress
    if not shows_all_since(order, book, traits, sending_ends=sending_ends):
        return NOTHING
    late = timedelta(seconds=traits.acceptance_horizon)
    return Verdict(
        Phase.ABSENT,
        {
            "tag": tag_of(Reason.PROVEN),
            # Horizons are observed values, not promises: for one more acceptance horizon it counts as perhaps live.
            "provisional_until": book.read_started_at + late if late else None,
            "decision_type": DecisionType.FAILED,
            "reason_code": "EXCHANGE_ERROR_UNKNOWN",
            **absent_because(order),
        },
    )


def absent_because(order: Order, open_still: str = "") -> dict[str, str]:
    """Return the reason columns of an order that the broker never had.

    They keep why its outcome was unknown, so that the cause can still be found later. `open_still` says what remains
    open where the order was to close it.
    """
    why = order.reason_detail
    cause = _because(why) if why else ""
    if why is None:  # written by an earlier version, which kept only the message
        cause = order.reason_message or ""
    if not open_still:
        return {"reason_message": Reason.PROVEN.with_detail(cause), "reason_detail": cause}
    detail = f"{open_still} ({cause})" if cause else open_still
    return {"reason_message": f"{Reason.PROVEN.sentence}. {detail}", "reason_detail": detail}


def _vanished(order: Order, book: Book, traits: BrokerTraits) -> Verdict:
    """Decide on an acknowledged order that is missing from a complete, later book: its outcome is unknown.

    It is never called absent, and people have to be notified. A day order of an earlier day is missing because it has
    ended: it becomes EXPIRED.
    """
    assert order.updated_at is not None
    settled = book.counted_from(order.updated_at) + timedelta(seconds=traits.visibility_horizon)
    live = order.phase in (Phase.WORKING, Phase.PARTIALLY_FILLED)
    if not live or not book.complete or book.read_started_at < settled or hidden_in(order, book):
        return NOTHING
    if traits.day_orders and _is_of_a_day_before(order, book):
        return _ended_with_its_day(order)
    return Verdict(
        Phase.UNKNOWN,
        {
            **unknown_because("it is no longer in the broker's book"),
            "escalation": 0,  # people are notified of this again, whatever they were notified of before
        },
    )


def _is_of_a_day_before(order: Order, book: Book) -> bool:
    """Return True when the order was sent on a broker's day that is over, and the book is of a later day."""
    return order.sent_at is not None and book.covers_from is not None and order.sent_at < book.covers_from


def _ended_with_its_day(order: Order) -> Verdict:
    """Return the verdict of a day order that ended with its day: EXPIRED, with the fills recorded so far.

    A fill after our last read of the book shows as a difference of the positions.
    """
    text = (
        "a day order ends with its day, and the broker's book of the new day no longer has it; "
        f"the book last showed {decimal_text(order.filled_quantity)} of {decimal_text(order.quantity)} filled"
    )
    return Verdict(
        Phase.EXPIRED,
        {
            "tag": broker_tag(Family.BROKER_EXPIRED),
            "decision_type": DecisionType.FAILED,
            "reason_code": reason_class("", text),
            "reason_message": text,
        },
    )


def _phase_said(order: Order, report: OrderReport) -> tuple[Phase | None, str | None]:
    """Return the phase and the tag that the report implies; no phase when it decides nothing."""
    filled = max(report.filled_quantity, order.filled_quantity)
    if report.status is BrokerStatus.UNRECOGNISED or report.contradiction:
        return None, None
    if order.status is Status.EXECUTED:
        # It has ended: the only thing that can still come is an overfill.
        return order.phase, order.tag
    if report.status in DEAD:
        if filled >= order.quantity:
            return Phase.FILLED, None  # a cancel after the last fill changes nothing: it is filled
        phase, family = DEAD[report.status]
        return phase, broker_tag(family, report.code if family is Family.BROKER_REJECTED else "")
    if report.status is BrokerStatus.COMPLETE:
        # COMPLETE means that all of the broker's quantity of the order is filled. Less than that is a book in the
        # middle of an update.
        if filled >= order.quantity:
            return Phase.FILLED, None
        if _is_whole(order, report):  # a hand has made it smaller, and less was filled than was asked for
            return Phase.CANCELLED, broker_tag(Family.BROKER_CANCELLED)
        if order.phase is Phase.UNKNOWN and order.broker_order_id is not None:
            # The row stayed incomplete for too long and the order was called unknown: the same row must not undo that.
            return None, None
        return (Phase.PARTIALLY_FILLED if filled else Phase.WORKING), None
    if report.status in LIVE:
        return (Phase.PARTIALLY_FILLED if filled else Phase.WORKING), None
    return None, None


def _stale(order: Order, phase: Phase, report: OrderReport, book: Book, traits: BrokerTraits) -> bool:
    """Return True when the report is older than the end of an order: a replay, a lagging or a reordered report."""
    if order.status is Status.EXECUTED:
        return report.filled_quantity <= order.filled_quantity
    if order.status is not Status.FAILED or report.filled_quantity > order.filled_quantity:
        return False
    if STATUS_OF[phase] is Status.FAILED:
        return True
    return not _is_after_its_end(order, book, traits)


def _is_after_its_end(order: Order, book: Book, traits: BrokerTraits) -> bool:
    """Return True when the book is certainly newer than the update that ended the order."""
    assert order.updated_at is not None
    return book.is_later_than(order.updated_at, timedelta(seconds=traits.visibility_horizon))


def taken_back(order: Order, report: OrderReport) -> Alarm | None:
    """Raise an alarm when the book now shows an order ended with less than its recorded fill; None otherwise.

    Both cannot be true. It is no lag: a lagging book would show the order as still live.
    """
    if order.status is not Status.EXECUTED or report.status not in DEAD or report.contradiction:
        return None
    if report.filled_quantity >= order.filled_quantity:
        return None
    filled, shown = decimal_text(order.filled_quantity), decimal_text(report.filled_quantity)
    figures = (report.status, shown, filled)
    return Alarm(
        of_order(NoticeSubject.FILL_TAKEN_BACK, order.command_id, report.broker_order_id, *figures),
        f"the broker's book now says {report.status} with {shown} filled of {report.broker_order_id}, which it had "
        f"filled with {filled}: both cannot be true. The fill still counts here, and the position decides how much an "
        "exit sends. Look at the order and the position in the broker's own terminal",
    )


def _changes(order: Order, report: OrderReport, phase: Phase, tag: str | None) -> dict[str, Any]:
    filled: Decimal = max(report.filled_quantity, order.filled_quantity)
    wanted: dict[str, Any] = {"tag": tag, "filled_quantity": filled}
    if order.broker_order_id is None:
        wanted["broker_order_id"] = report.broker_order_id
    if report.average_price is not None and filled and filled == report.filled_quantity:
        wanted["average_price"] = report.average_price
    if STATUS_OF[phase] is Status.FAILED:
        wanted["decision_type"] = DecisionType.FAILED
        wanted["reason_code"] = reason_class(report.code, report.reason)
        wanted["reason_message"] = report.reason or _ended_as(report)
        wanted["reason_detail"] = report.reason
        wanted["exchange_error_snippet"] = report.reason[:500] or None
    else:
        wanted |= PLACED
        # The message of a working order says how it was sent, and stays.
        if order.phase not in (Phase.WORKING, Phase.PARTIALLY_FILLED):
            wanted["reason_message"] = None
            wanted["escalation"] = 0  # that it rests needs a notification of its own
    return _differing(order, wanted)


def _ended_as(report: OrderReport) -> str:
    if report.status is not BrokerStatus.COMPLETE:
        return str(report.status)
    return f"at the broker its quantity was changed to {decimal_text(report.quantity)}, which is filled"


def _differing(order: Order, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wanted columns that differ from the row. A reason's detail changes only together with its message."""
    found = {name: value for name, value in wanted.items() if getattr(order, name) != value}
    found.pop("reason_detail", None)
    if "reason_message" in found and "reason_detail" in wanted:
        found["reason_detail"] = wanted["reason_detail"]
    return found
