"""Whose is this broker order? For brokers that echo nothing of ours: by symbol, side, quantity and time, or not at all.

Pure. An order of ours whose broker id is not known may own a report that no other row owns. The match is made only
when nothing that could still come would change it:

- the book lists everything and began when no call of these orders could be under way any more (`shows_all_since`);
- the report agrees in exchange, symbol, side and quantity, and in product, order type and price where it has them;
- it was not there before our send: its own time says so, or, where the book has no times, a whole book that was read
  before our send did not show it. No entry is sent before such a book was read (`engine.entry_readiness`), and what it
  showed has a row or is noted as nobody's since then. Exits do not wait for it: for an exit, this process must have
  read one;
- one order fits one report and that report fits no other order. Two orders of the same kind (`_kind`: one strategy,
  one purpose, the same words to the broker) that fit the same two reports are matched too, in order of time: whichever
  is whose, the same strategy has the same fills and the same broker orders. For two orders of two strategies it does
  matter who holds the fill, so both stay unknown, and so does one order with two reports, or two with one.

What remains a belief: that nobody else's order of the very same shape is there while ours is not; in the same seconds
where the book has times, and where it has none since the book was last read whole. Such a broker gives no means to tell
these apart.

An order is absent only when there is nothing on its symbol and side in its time that it might be, whatever its
quantity or price: those may have been changed at the broker by hand.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.alert import ExecutionType
from domain.broker_reports import Book, BrokerTraits, OrderRef, OrderReport
from domain.order import Order
from domain.states import Phase


@dataclass(frozen=True, slots=True)
class SeenOrders:
    """What is known of broker orders beside the book that is being judged.

    `claimed` are the ids that rows have. `first_seen` says when a read that showed an order had ended. `followed_from`
    is when this process's first read of a whole book ended, None when there was none.
    """

    claimed: frozenset[str] = frozenset()
    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    followed_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whose reports are whose, by command id; an order that was not looked for is in neither mapping.

    `owned`: proven. `possible`: of each other order the ids of the reports that it might be, none when it is none.
    """

    owned: Mapping[str, OrderReport] = field(default_factory=dict)
    possible: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def none_for(self, order: Order) -> bool:
        """True when the order was looked for, and no report might be it."""
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
        unplaced: every order of the client that may be live and has no broker id, those whose call is still under way
            too; read after the book, so that no order in the book was claimed later than that.
        sightings: claimed ids read together with `unplaced`.
        sending_ends: so long after `sent_at` a call may still be on its way to the broker.
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
    """False only when the report is certainly not this order: another symbol or side, another time, seen before."""
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
    """True when the book would certainly show what became of the order's last send: if it does not, that is absent.

    Only a read that succeeded, lists closed orders too, and began later than the last moment at which our request
    could have left, plus the time an order may take to show in the book. An error while looking is not an absence.
    """
    if not book.complete or order.sent_at is None:
        return False
    if book.covers_from is not None and order.sent_at < book.covers_from:
        return False
    ref = OrderRef(order.client_order_id, order.broker_order_id)
    if book.hides(ref, order.exchange, order.symbol) is not None:
        return False
    horizon = timedelta(seconds=traits.visibility_horizon + traits.acceptance_horizon)
    return book.read_started_at >= order.sent_at + sending_ends + horizon


def _agrees(order: Order, report: OrderReport) -> bool:
    """The report is of what we asked for, in all that it tells of it."""
    return (
        report.quantity == order.quantity
        and report.product in (None, order.product)
        and report.order_type in (None, order.order_type)
        and (order.price is None or report.price in (None, order.price))
    )


def _is_new(order: Order, report: OrderReport, sightings: SeenOrders) -> bool:
    """True when the broker order would have been seen if it had been there before our send."""
    if report.placed_at is not None or order.execution_type is not ExecutionType.EXIT:
        return True
    assert order.sent_at is not None
    return sightings.followed_from is not None and sightings.followed_from <= order.sent_at


def _entangled(
    orders: Sequence[Order], fits: Mapping[str, Sequence[OrderReport]]
) -> Iterator[tuple[list[Order], list[OrderReport]]]:
    """Orders and reports that are tied to each other, directly or through others; each group once."""
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
    """As many reports as orders, each fits each, it matters to nobody which is whose, and nothing more can come."""
    if len(orders) != len(reports) or any(len(fits[o.command_id]) != len(reports) for o in orders):
        return False
    if any(_kind(o) != _kind(orders[0]) for o in orders):
        return False
    return all(
        o.phase is Phase.UNKNOWN and shows_all_since(o, book, traits, sending_ends=sending_ends)
        for o in orders
    )


def _kind(order: Order) -> tuple[object, ...]:
    """All of an order that a fill or a later cancel acts on."""
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
    """Those without a time last, in the order of their ids."""
    at = report.placed_at
    return at is None, 0.0 if at is None else at.timestamp(), report.broker_order_id
