"""Differences between positions and holdings, and broker orders that no row explains, in the store in memory."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.broker_reports import OrderReport
from domain.holdings import taken_off
from domain.ids import is_ours
from domain.money import ZERO
from domain.order import Order
from domain.position_comparison import Difference, Place
from persistence.memory.tables import ExternalOrder, KeptDifference, PlaceKey, Tables

_SHOWS_WITHIN = timedelta(seconds=40)
"""Order book and positions are read at different times: so long may one show an order by hand before the other does."""


def keep_difference(t: Tables, client_id: str, d: Difference, since: datetime, *, believed: bool) -> None:
    """Replace the difference stored at its place. A difference that is gone leaves no row."""
    key = (client_id, *d.where)
    old = t.differences.pop(key, None)
    before = old.believed if old else ZERO
    known = d.amount if believed and d.adds and d.is_kept else before
    _follow_believed(t, key, (known if d.is_kept else ZERO) - before)
    if old and old.difference.amount == d.amount:
        # Both sides moved by the same amount: it is the earlier difference, and it has stood since then.
        since = min(since, old.since)
    if d.is_kept:
        t.differences[key] = KeptDifference(d, since, known)


def believe_differences(
    t: Tables, client_id: str, since: datetime, standing: Mapping[Place, Decimal]
) -> None:
    """Believe the differences that have stood since `since` or earlier, and that are among `standing`."""
    for key, kept in list(t.differences.items()):
        if key[0] != client_id or kept.since > since or kept.is_settled:
            continue
        amount = kept.difference.amount
        if standing.get(key[1:]) == amount:
            t.differences[key] = replace(kept, believed=amount)
            _follow_believed(t, key, amount - kept.believed)


def take_elsewhere(t: Tables, order: Order, units: Decimal) -> None:
    """Subtract units (signed) that an exit's fill took although no strategy held them."""
    there = (order.client_id, order.exchange, order.symbol)
    at = order.updated_at or order.created_at
    believed = [((True, place[2]), kept.believed) for place, kept in t.differences_of(*there)]
    by_hand = [((False, number), each.effect) for number, each in t.external_of(*there)]
    for (is_believed, name), left in taken_off([*believed, *by_hand], units):
        if is_believed:
            # The stored difference was measured before this fill: it must stand anew before it is believed.
            key = (*there, name)
            t.differences[key] = replace(t.differences[key], believed=left, since=at)
        else:
            _explain(t, (order.client_id, name), abs(left))


def forget_symbol(t: Tables, client_id: str, exchange: str, symbol: str) -> None:
    """Drop everything that was notified or believed about a symbol, because it is flat on both sides."""
    for place, _ in t.differences_of(client_id, exchange, symbol):
        del t.differences[(client_id, *place)]
    for number, _ in t.external_of(client_id, exchange, symbol):
        _explain(t, (client_id, number), ZERO)


def note_external(t: Tables, client_id: str, r: OrderReport, at: datetime) -> bool:
    """Record a broker order that no row explains; True when it was not known before."""
    key = (client_id, r.broker_order_id)
    known = t.external.get(key)
    counted = _already_believed(t, client_id, r, at)
    tag = r.client_order_id if is_ours(r.client_order_id) else None
    noted = OrderReport(
        broker_order_id=r.broker_order_id,
        client_order_id=tag,
        status=r.status,
        exchange=r.exchange,
        symbol=r.symbol,
        side=r.side,
        quantity=r.quantity,
        filled_quantity=r.filled_quantity,
        product=r.product,
    )
    if known is None or _place(known.report) != _place(r):
        # A broker begins its numbers anew: one of another symbol or side is another order.
        t.external[key] = ExternalOrder(noted, at, max(r.filled_quantity - counted, ZERO))
        return True
    old = known.report
    more = max(r.filled_quantity - old.filled_quantity - counted, ZERO)
    filled = max(r.filled_quantity, old.filled_quantity)
    report = replace(old, status=r.status, filled_quantity=filled, client_order_id=tag or old.client_order_id)
    t.external[key] = replace(known, report=report, unexplained=known.unexplained + more)
    return False


def _already_believed(t: Tables, client_id: str, report: OrderReport, at: datetime) -> Decimal:
    """Return how many units of an external order a young believed difference contains: positions showed it first."""
    for place, kept in t.differences_of(client_id, report.exchange, report.symbol):
        if report.product not in (None, place[2]) or kept.believed * report.side.sign <= 0:
            continue
        if kept.since < at - _SHOWS_WITHIN:
            continue
        taken = [
            each.report.filled_quantity - each.unexplained
            for _, each in t.external_of(client_id, report.exchange, report.symbol)
            if each.report.product in (None, place[2])
            and each.report.side is report.side
            and each.first_seen_at >= kept.since - _SHOWS_WITHIN
        ]
        return max(abs(kept.believed) - sum(taken, ZERO), ZERO)
    return ZERO


def _follow_believed(t: Tables, key: PlaceKey, change: Decimal) -> None:
    """Take a change of what is believed at a place off its external orders: they must not count twice."""
    if not change:
        return
    client_id, exchange, symbol, product = key
    there = [
        (number, each.effect)
        for number, each in t.external_of(client_id, exchange, symbol)
        if each.report.product in (None, product)
    ]
    for number, left in taken_off(there, -change):
        _explain(t, (client_id, number), abs(left))


def _explain(t: Tables, key: tuple[str, str], unexplained: Decimal) -> None:
    t.external[key] = replace(t.external[key], unexplained=unexplained)


def _place(report: OrderReport) -> tuple[str, str, str]:
    return report.exchange, report.symbol, report.side
