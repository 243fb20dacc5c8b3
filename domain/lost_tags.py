"""Find broker orders that may be ours although their row does not carry our tag. Pure.

A broker that echoes our tag may lose it on the way: the row has none, or has it cut short or in capitals. So a book
without our tag does not prove that the broker never had the order, where it shows another of the same shape that nobody
else claims. A hand may have placed that one, and only a person can tell.
"""

from datetime import timedelta

from domain.broker_capabilities import BrokerTraits
from domain.broker_reports import Book, OrderReport
from domain.notice_keys import Alarm, NoticeSubject, of_order
from domain.order import Order
from domain.order_matching import SeenOrders

_CLOCKS_APART = timedelta(seconds=30)
"""By how much a broker's time may differ from ours where it is to prove that an order is none of ours."""


def is_rest_of_tag(said: str | None, tag: str) -> bool:
    """Return True when a row's tag may be what is left of this one: nothing, a part of it, or all in other letters."""
    return said != tag and tag.casefold().startswith((said or "").strip().casefold())


def may_have_lost_tag(order: Order, report: OrderReport) -> bool:
    """Return True when the report has the order's shape, and what may be left of its tag."""
    asked = (order.exchange, order.symbol, order.side, order.quantity)
    if (report.exchange, report.symbol, report.side, report.quantity) != asked:
        return False
    return is_rest_of_tag(report.client_order_id, order.client_order_id)


def untagged(
    order: Order, book: Book, seen: SeenOrders, traits: BrokerTraits, *, sending_ends: timedelta
) -> tuple[str, ...]:
    """List the broker orders that this one may be, whose row does not carry its tag.

    Args:
        order: it was sent, and no row carries its tag.
        seen: which numbers rows have already, and when external orders were first seen.
        sending_ends: how long after `sent_at` the call may still be on its way to the broker.
    """
    return tuple(
        sorted(
            r.broker_order_id
            for r in book.by_id.values()
            if may_have_lost_tag(order, r) and _may_be_of_send(order, r, seen, traits, sending_ends)
        )
    )


def _may_be_of_send(
    order: Order, report: OrderReport, seen: SeenOrders, traits: BrokerTraits, sending_ends: timedelta
) -> bool:
    if order.sent_at is None or report.broker_order_id in seen.claimed:
        return False
    first_seen = seen.first_seen.get(report.broker_order_id)
    if first_seen is not None and first_seen <= order.sent_at:
        return False
    written = report.reported_at or report.placed_at
    if written is not None and written < order.sent_at - _CLOCKS_APART:
        return False
    late = timedelta(seconds=traits.acceptance_horizon)
    return report.placed_at is None or report.placed_at <= order.sent_at + sending_ends + late + _CLOCKS_APART


def may_be_untagged(order: Order, numbers: tuple[str, ...]) -> Alarm:
    """Return the alarm of an order that may be one of these."""
    text = (
        f"it may be broker order {' or '.join(numbers)}, which does not carry its tag; "
        "the book cannot tell, so somebody has to resolve it"
    )
    return Alarm(of_order(NoticeSubject.MAY_BE_ANY_OF, order.command_id, *numbers), text)
