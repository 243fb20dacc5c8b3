"""Match our orders with a broker's reports by symbol, side, quantity and time, for brokers that echo none of our ids.

Pure. An order of ours whose broker id is not known may own a report that no other row owns. A match is made only when
nothing that can still come would change it. All of these must hold:

- The book is complete, and its read began when no call of these orders could be in progress any more
  (`shows_all_since`).
- The report agrees in exchange, symbol, side and quantity, and in product, order type and price where it has them.
- The broker order did not exist before our send. Its own time says so. Where the book has no times, a complete book
  that was read before our send did not show it. No entry is sent before such a book was read
  (`engine.entry_readiness`), and each broker order that it showed has a row or is noted as external since then. Exits
  do not wait for that read, so for an exit, this process must have read such a book before the send.
- One order fits one report, and that report fits no other order.

Several orders of the same kind (`_kind`: one strategy, one purpose, the same request to the broker) that all fit the
same, equally many reports are matched too, in order of time. Whichever way they are paired, the same strategy has the
same fills and the same broker orders. With two orders of two strategies it does matter who holds the fill, so both stay
unknown. One order with two reports, or two orders with one, stay unknown too.

One assumption remains: that no other person's order of exactly the same shape is there while ours is not. It covers
the same seconds where the book has times, and the time since the last complete read where it has none. Such a broker
offers no means to distinguish these cases.

An order is absent only when the book has no report on its symbol and side in its time that it might be, whatever the
quantity or price: those may have been changed by hand at the broker.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.broker_capabilities import BrokerTraits
from domain.broker_reports import Book, OrderRef, OrderReport
from domain.enums import ExecutionType
from domain.order import Order
from domain.states import Phase


@dataclass(frozen=True, slots=True)
class SeenOrders:
    """What is known of broker orders beyond the book that is being judged.

    `claimed`: the ids that rows have. `first_seen`: when the first read that showed an external order had ended.
    `followed_from`: when this process's first read of a complete book ended; None when there was none.
    """

    claimed: frozenset[str] = frozenset()
    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    followed_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which report belongs to which order, by command id. An order that was not searched for is in neither mapping.

    `owned`: the proven matches. `possible`: for each other order, the ids of the reports that it might be; empty when
    it can be none of them.
    """

    owned: Mapping[str, OrderReport] = field(default_factory=dict)
    possible: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def none_for(self, order: Order) -> bool:
        """Return True when the order was searched for and no report might be it."""
        return self.possible.get(order.command_id) == ()


NOT_LOOKED_FOR = Attribution()


def attribute(
    unplaced: Sequence[Order],
    book: Book,
    sightings: SeenOrders,
    traits: BrokerTraits,
    *,
    sending_ends: timedelta,
) -> Attribution:
    """Match a client's orders whose broker ids are not known with the book's reports.

    Args:
        unplaced: every order of the client that may be live and has no broker id, including those whose call is still
            in progress. Must be read after the book, so that no order in the book was claimed later than this read.
        sightings: claimed ids, read together with `unplaced`.
        sending_ends: how long after `sent_at` a call may still be on its way to the broker.
    """
    free = [r for r in book.by_id.values() if r.broker_order_id not in sightings.claimed]
    there: dict[tuple[str, str, str], list[OrderReport]] = {}
    for report in free:
        there.setdefault((report.exchange, report.symbol, report.side), []).append(report)
    might: dict[str, list[OrderReport]] = {}
    for order in unplaced:
        near = there.get((order.exchange, order.symbol, order.side), ())
        might[order.command_id] = [
            r for r in near if might_be(order, r, sightings, traits, sending_ends=sending_ends)
        ]
    fits = {
        o.command_id: [r for r in might[o.command_id] if _agrees(o, r) and _is_new(o, r, sightings)]
        for o in unplaced
    }
    owned: dict[str, OrderReport] = {}
    for orders, reports in _entangled(unplaced, fits):
        if _provable(orders, reports, fits, book, traits, sending_ends):
            pairs = zip(sorted(orders, key=_sent), sorted(reports, key=_placed), strict=True)
            owned |= {order.command_id: report for order, report in pairs}
    taken = {report.broker_order_id for report in owned.values()}
    possible = {
        command_id: tuple(sorted(r.broker_order_id for r in reports if r.broker_order_id not in taken))
        for command_id, reports in might.items()
        if command_id not in owned
    }
    return Attribution(owned, possible)


def might_be(
    order: Order, report: OrderReport, sightings: SeenOrders, traits: BrokerTraits, *, sending_ends: timedelta
) -> bool:
    """Return False only when the report is certainly not this order.

    That is when it has another exchange, symbol or side, was seen before our send, or has a time at which our send
    cannot have been accepted. An order that was never sent has no report either.
    """
    if (order.exchange, order.symbol, order.side) != (report.exchange, report.symbol, report.side):
        return False
    if order.sent_at is None:
        return False
    seen = sightings.first_seen.get(report.broker_order_id)
    if seen is not None and seen <= order.sent_at:
        return False
    if report.placed_at is None:
        return True
    error = timedelta(seconds=traits.time_error)
    late = timedelta(seconds=traits.acceptance_horizon)
    return order.sent_at - error <= report.placed_at <= order.sent_at + sending_ends + late + error


def shows_all_since(order: Order, book: Book, traits: BrokerTraits, *, sending_ends: timedelta) -> bool:
    """Return True when the book would certainly show the result of the order's last send, so that a miss is an absence.

    The read must have succeeded: a failed read is not an absence. Besides:

    - it lists closed orders too, and goes back as far as the send;
    - it has no unreadable row that may be this order;
    - it began later than the last moment at which our request could have left, plus the time that the broker may take
      to accept the order and to show it in the book.
    """
    if not book.complete or order.sent_at is None:
        return False
    if book.covers_from is not None and order.sent_at < book.covers_from:
        return False
    ref = OrderRef(order.client_order_id, order.broker_order_id)
    if book.hides(ref, order.exchange, order.symbol) is not None:
        return False
    horizon = timedelta(seconds=traits.visibility_horizon + traits.acceptance_horizon)
    return book.read_started_at >= book.counted_from(order.sent_at) + sending_ends + horizon


def _agrees(order: Order, report: OrderReport) -> bool:
    """Return True when the report agrees with our request in every field that the report has."""
    return (
        report.quantity == order.quantity
        and report.product in (None, order.product)
        and report.order_type in (None, order.order_type)
        and (order.price is None or report.price in (None, order.price))
    )


def _is_new(order: Order, report: OrderReport, sightings: SeenOrders) -> bool:
    """Return True when the broker order would have been seen if it had existed before our send."""
    if report.placed_at is not None or order.execution_type is not ExecutionType.EXIT:
        return True
    assert order.sent_at is not None
    return sightings.followed_from is not None and sightings.followed_from <= order.sent_at


def _entangled(
    orders: Sequence[Order], fits: Mapping[str, Sequence[OrderReport]]
) -> Iterator[tuple[list[Order], list[OrderReport]]]:
    """Yield the groups of orders and reports that are connected, directly or through others; each group once."""
    fitting: dict[str, list[Order]] = {}
    for order in orders:
        for report in fits[order.command_id]:
            fitting.setdefault(report.broker_order_id, []).append(order)
    done: set[str] = set()
    for first in orders:
        group: dict[str, Order] = {}
        reports: dict[str, OrderReport] = {}
        waiting = [first] if first.command_id not in done and fits[first.command_id] else []
        while waiting:
            order = waiting.pop()
            if order.command_id in group:
                continue
            group[order.command_id] = order
            for report in fits[order.command_id]:
                reports[report.broker_order_id] = report
                waiting += fitting[report.broker_order_id]
        done |= group.keys()
        if group:
            yield list(group.values()), list(reports.values())


def _provable(
    orders: Sequence[Order],
    reports: Sequence[OrderReport],
    fits: Mapping[str, Sequence[OrderReport]],
    book: Book,
    traits: BrokerTraits,
    sending_ends: timedelta,
) -> bool:
    """Return True when a group can be matched for certain.

    - There are as many reports as orders, and each report fits each order.
    - The orders are of one kind, so it does not matter which report belongs to which order.
    - Nothing more can come: each order is UNKNOWN, and the book shows the result of its send.
    """
    if len(orders) != len(reports) or any(len(fits[o.command_id]) != len(reports) for o in orders):
        return False
    if any(_kind(o) != _kind(orders[0]) for o in orders):
        return False
    return all(
        o.phase is Phase.UNKNOWN and shows_all_since(o, book, traits, sending_ends=sending_ends)
        for o in orders
    )


def _kind(order: Order) -> tuple[object, ...]:
    """Return everything about an order that a fill or a later cancel acts on."""
    return (
        order.strategy_name,
        order.execution_type,
        order.product,
        order.order_type,
        order.price,
        order.trigger_price,
        order.quantity,
    )


def _sent(order: Order) -> tuple[datetime, str]:
    assert order.sent_at is not None
    return order.sent_at, order.command_id


def _placed(report: OrderReport) -> tuple[bool, float, str]:
    """Sort key by the broker's time; reports without a time come last, in the order of their ids."""
    at = report.placed_at
    return at is None, 0.0 if at is None else at.timestamp(), report.broker_order_id
