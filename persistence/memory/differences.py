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
from domain.position_comparison import (
    READS_APART_AT_MOST,
    Difference,
    Place,
    ToldDifference,
    certain_with_their_halves,
)
from persistence.memory.tables import ExternalOrder, KeptDifference, PlaceKey, Tables

_SHOWS_WITHIN = timedelta(seconds=40)
"""Order book and positions are read at different times: so long may one show an order by hand before the other does."""


def keep_difference(t: Tables, client_id: str, d: Difference, since: datetime, *, believed: bool) -> None:
    """Replace the difference stored at its place. A difference that is gone leaves no row."""
    key = (client_id, *d.where)
    old = t.differences.pop(key, None)
    before = old.believed if old else ZERO
    known = d.amount if believed and d.adds and d.is_kept else before
    _follow_believed(t, key, (known if d.is_kept else ZERO) - before, since)
    shown_since = since
    if old and old.difference.amount == d.amount:
        # Both sides moved by the same amount: it is the earlier difference, and it has stood since then.
        shown_since = min(since, old.shown_since)
    if old and old.difference.amount * d.amount > 0:
        since = min(since, old.since)  # since then something is missing there, or too many are
    if d.is_kept:
        t.differences[key] = KeptDifference(d, since, shown_since, known)


def believe_differences(
    t: Tables, client_id: str, since: datetime, standing: Mapping[Place, Decimal], *, now: datetime
) -> None:
    """Believe the differences that have stood since `since` or earlier, and that are among `standing`."""
    shown_by = max(since, now - _SHOWS_WITHIN)
    kept_here = {key[1:]: kept for key, kept in t.differences.items() if key[0] == client_id}
    certain = certain_with_their_halves(
        ToldDifference(
            place,
            kept.difference.amount,
            kept.since,
            kept.is_settled or (kept.shown_since <= since and standing.get(place) == kept.difference.amount),
        )
        for place, kept in kept_here.items()
    )
    for place, kept in kept_here.items():
        key, amount = (client_id, *place), kept.difference.amount
        if place in certain and not kept.is_settled:
            t.differences[key] = replace(kept, believed=amount)
            change = amount - kept.believed - _explain_shown(t, key, shown_by)
            _follow_believed(t, key, change, kept.since)


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
            t.differences[key] = replace(t.differences[key], believed=left, since=at, shown_since=at)
        else:
            _explain(t, (order.client_id, name), abs(left))


def forget_symbol(t: Tables, client_id: str, exchange: str, symbol: str) -> None:
    """Drop everything that was notified or believed about a symbol, because it is flat on both sides."""
    for place, _ in t.differences_of(client_id, exchange, symbol):
        del t.differences[(client_id, *place)]
    for number, _ in t.external_of(client_id, exchange, symbol):
        _explain(t, (client_id, number), ZERO)
    t.ahead = {key: kept for key, kept in t.ahead.items() if key[:3] != (client_id, exchange, symbol)}


def note_external(t: Tables, client_id: str, r: OrderReport, at: datetime, unseen_at: datetime) -> bool:
    """Record a broker order that no row explains; True when it was not known before."""
    key = (client_id, r.broker_order_id)
    known = t.external.get(key)
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
    same = known if known is not None and _place(known.report) == _place(r) else None
    more = max(r.filled_quantity - (same.report.filled_quantity if same else ZERO), ZERO)
    more -= _take_believed(t, client_id, r, more, unseen_at)
    if same is None:
        # A broker begins its numbers anew: one of another symbol or side is another order.
        t.external[key] = ExternalOrder(noted, at, more)
        return True
    old = same.report
    filled = max(r.filled_quantity, old.filled_quantity)
    report = replace(old, status=r.status, filled_quantity=filled, client_order_id=tag or old.client_order_id)
    t.external[key] = replace(same, report=report, unexplained=same.unexplained + more)
    return False


def stand_anew_after_a_gap(t: Tables, client_id: str, last: datetime | None, read_at: datetime) -> None:
    """Let differences be shown anew where the last read that was compared is too long ago for them to have stood."""
    if last is not None and last < read_at - READS_APART_AT_MOST:
        for key, kept in list(t.differences.items()):
            if key[0] == client_id:
                t.differences[key] = replace(kept, shown_since=read_at)


def forget_explanations(t: Tables, client_id: str, day_starts: datetime) -> None:
    """Let external orders of earlier days explain nothing more."""
    for key, each in list(t.external.items()):
        if key[0] == client_id and each.first_seen_at < day_starts:
            t.external[key] = replace(each, unexplained=ZERO)


def _take_believed(t: Tables, client_id: str, r: OrderReport, units: Decimal, unseen_at: datetime) -> Decimal:
    """Return how many of these units of an external order were believed before the order book showed it."""
    wanted = units
    for key, (ahead, since) in list(t.ahead.items()):
        if key[:3] != (client_id, r.exchange, r.symbol) or r.product not in (None, key[3]):
            continue
        if since >= unseen_at - _SHOWS_WITHIN and ahead * r.side.sign > 0:
            taken = min(abs(ahead), wanted)
            wanted -= taken
            t.ahead[key] = (ahead - taken * r.side.sign, since)
    return units - wanted


def _follow_believed(t: Tables, key: PlaceKey, change: Decimal, at: datetime) -> None:
    """Take a change of what is believed at a place off its external orders: they must not count twice."""
    if not change:
        return
    client_id, exchange, symbol, product = key
    figures = {
        number: each.effect
        for number, each in t.external_of(client_id, exchange, symbol)
        if each.report.product in (None, product)
    }
    for number, left in taken_off(figures.items(), -change):
        change -= figures[number] - left
        _explain(t, (client_id, number), abs(left))
    if change:
        known, since = t.ahead.get(key, (ZERO, at))
        t.ahead[key] = (change + (known if since >= at - _SHOWS_WITHIN else ZERO), at)


def _explain_shown(t: Tables, key: PlaceKey, shown_by: datetime) -> Decimal:
    """Let external orders that were seen by then explain nothing more, and return their units, signed."""
    client_id, exchange, symbol, product = key
    elsewhere = [kept for place, kept in t.differences_of(client_id, exchange, symbol) if place[2] != product]
    may_be_elsewhere = any(not kept.is_settled for kept in elsewhere)
    shown = ZERO
    for number, each in t.external_of(client_id, exchange, symbol):
        of = each.report.product
        if each.first_seen_at <= shown_by and (of == product or (of is None and not may_be_elsewhere)):
            shown += each.effect
            _explain(t, (client_id, number), ZERO)
    return shown


def _explain(t: Tables, key: tuple[str, str], unexplained: Decimal) -> None:
    t.external[key] = replace(t.external[key], unexplained=unexplained)


def _place(report: OrderReport) -> tuple[str, str, str]:
    return report.exchange, report.symbol, report.side
