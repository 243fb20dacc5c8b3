"""What single limits need to know about an order, from the tables of the store in memory."""

from collections import Counter
from datetime import datetime
from decimal import Decimal

from domain.entry_waits import WaitsFor
from domain.enums import ExecutionType
from domain.ids import ulid
from domain.limits import Limits
from domain.marks import Mark
from domain.money import ZERO
from domain.order import Order
from domain.pnl import Place, PnlBook
from domain.ports import ExposureQuery
from domain.protection import Rule
from domain.risk_facts import (
    Exposed,
    Holding,
    LastExit,
    LimitFacts,
    StopMet,
    is_loss,
    places_of,
    streak_since,
)
from domain.risk_stops import Stop
from domain.states import Status
from persistence.memory.reads import OPEN
from persistence.memory.tables import AccountRow, Tables


def stops_of(t: Tables, q: ExposureQuery) -> tuple[Stop, ...]:
    """Return the stops that concern the order's client or strategy and that nobody has lifted."""
    found = sorted(t.stops.items())
    return tuple(
        Stop(key, s.since, s.until, is_confirmed=s.is_confirmed, detail=s.detail)
        for key, s in found
        if key.client_id == q.client_id and key.strategy_name in ("", q.strategy_name) and s.lifted_at is None
    )


def limit_facts(
    t: Tables, q: ExposureQuery, held: list[Holding], limits: Limits, now: datetime, *, reduces: bool
) -> LimitFacts:
    """Return what the limits that are set ask for. `held`: all holdings of the client."""
    trades = _trades(t, q) if q.day_starts_at else []
    exposed = _exposed(t, q, held) if limits.limits_positions or limits.limits_exposure else ()
    places, waiting = places_of(exposed)
    own_places, own_waiting = places_of(e for e in exposed if e.strategy == q.strategy_name)
    return LimitFacts(
        trades=len(trades),
        own_trades=len([o for o in trades if o.strategy_name == q.strategy_name]),
        places=places,
        waiting=waiting,
        own_places=own_places,
        own_waiting=own_waiting,
        exposed=exposed,
        last_exit=None if limits.cooldown_minutes is None else _last_exit(t, q),
        reducible=_reducible(t, q) if reduces else None,
        stops_met=_stops_met(t, q, streak_since(limits, now)) if limits.limits_stops else (),
        trades_in=tuple(sorted(Counter(o.symbol for o in trades).items()))
        if limits.limits_trades_of_symbols
        else (),
        last_mark=None if limits.price_collar_percent is None else _last_mark(t, q),
    )


def _entries(t: Tables, q: ExposureQuery) -> list[Order]:
    return [
        o
        for o in t.orders_of(q.client_id)
        if o.execution_type is ExecutionType.ENTRY and o.test_mode is None and o.command_id != q.command_id
    ]


def _trades(t: Tables, q: ExposureQuery) -> list[Order]:
    assert q.day_starts_at is not None
    return [
        o
        for o in _entries(t, q)
        if o.command_id >= ulid(q.day_starts_at, 0)
        and o.created_at >= q.day_starts_at
        and not (o.status is Status.FAILED and o.sent_at is None)
    ]


def _exposed(t: Tables, q: ExposureQuery, held: list[Holding]) -> tuple[Exposed, ...]:
    ours = [h for h in held if h.entries]
    found = [(h.strategy_name, h.exchange, h.symbol, h.net_quantity, None) for h in ours]
    places = {(h.exchange, h.symbol) for h in ours}
    for key, kept in t.positions.items():
        p = kept.position
        counts = p.net_quantity and p.net_quantity != p.delivered  # shares of earlier days do not
        if key[0] == q.client_id and counts and key[1:3] not in places:
            found.append(("", *key[1:3], kept.position.net_quantity, None))
    exposed = [Exposed(*each[:4], _price(t, q.client_id, each[1], each[2])) for each in found]
    for o in _entries(t, q):
        if o.status in OPEN:
            units = (o.quantity - o.filled_quantity) * o.side.sign
            named = o.price or o.trigger_price or o.reference_price
            known = (named, _price(t, q.client_id, o.exchange, o.symbol))
            price = max((p for p in known if p is not None), default=None)
            came_after = o.status is Status.CREATED and o.command_id > (q.command_id or o.command_id)
            waits = came_after or o.waits_for in (WaitsFor.EXIT, WaitsFor.SETTLING)
            exposed.append(Exposed(o.strategy_name, o.exchange, o.symbol, units, price, waits))
    return tuple(exposed)


def _price(t: Tables, client_id: str, exchange: str, symbol: str) -> Decimal | None:
    shown = [
        kept.position.last_price
        for key, kept in t.positions.items()
        if key[:3] == (client_id, exchange, symbol) and kept.position.last_price is not None
    ]
    mark = t.marks.get((client_id, exchange, symbol))
    fills = [
        book.last_price
        for place, book in t.pnl_books.items()
        if (place.client_id, *place[2:]) == (client_id, exchange, symbol) and book.last_price is not None
    ]
    return next(iter([*shown, *([] if mark is None else [mark.price]), *fills]), None)


def _last_mark(t: Tables, q: ExposureQuery) -> Mark | None:
    there = (q.client_id, q.exchange, q.symbol)
    marks = [mark for key, mark in t.marks.items() if key == there]
    marks += [
        Mark(*there[1:], kept.position.last_price, kept.read_at, "positions")
        for key, kept in t.positions.items()
        if key[:3] == there and kept.position.last_price is not None and kept.position.net_quantity
    ]
    marks += [
        Mark(*there[1:], book.last_price, book.last_at, "fill")
        for place, book in t.pnl_books.items()
        if (place.client_id, *place[2:]) == there and book.last_price is not None and book.last_at is not None
    ]
    return max(marks, key=lambda mark: mark.at, default=None)


def _last_exit(t: Tables, q: ExposureQuery) -> LastExit | None:
    exits = [
        o
        for o in t.orders_of(q.client_id)
        if (o.symbol, o.exchange, o.strategy_name) == (q.symbol, q.exchange, q.strategy_name)
        and o.execution_type is ExecutionType.EXIT
        and o.filled_quantity
        and o.test_mode is None
        and o.updated_at is not None
    ]
    if not exits:
        return None
    last = max(exits, key=lambda o: o.updated_at or o.created_at)
    place = Place(q.client_id, q.strategy_name, q.exchange, q.symbol)
    book = t.pnl_books.get(place, PnlBook(place))
    is_counted = book.closed_at is not None and not any(
        event.command_id == last.command_id for event in t.events[t.counted_fills :]
    )
    return LastExit(last.updated_at or last.created_at, book.trade_pnl if is_counted else None)


def _stops_met(t: Tables, q: ExposureQuery, since: datetime) -> tuple[StopMet, ...]:
    fired = [
        p
        for p in t.protections.values()
        if p.client_id == q.client_id and p.fired_at is not None and p.fired_at >= since
    ]
    met = [p for p in fired if p.fired_by in (Rule.STOP, Rule.TRAIL, Rule.LOCK)]
    return tuple(
        StopMet(p.strategy_name, p.fired_at)
        for p in met
        if p.fired_at is not None and is_loss(p.side, p.average_price, p.fired_price)
    )


def _reducible(t: Tables, q: ExposureQuery) -> Decimal | None:
    read_at = t.accounts.get(q.client_id, AccountRow()).read_at
    filled_at = _last_fill(t, q)
    if read_at is None or (filled_at is not None and filled_at > read_at):
        return None
    there = (q.client_id, q.exchange, q.symbol)
    net = sum((kept.position.net_quantity for key, kept in t.positions.items() if key[:3] == there), ZERO)
    pending = [
        o
        for o in t.orders_of(q.client_id)
        if o.status in OPEN
        and (o.exchange, o.symbol) == (q.exchange, q.symbol)
        and o.command_id != q.command_id
        and o.test_mode is None
        and o.side.sign == q.sign
    ]
    if any(not o.quantity for o in pending):
        return ZERO
    asked = sum((o.quantity - o.filled_quantity for o in pending), ZERO)
    return max(-net * q.sign - asked, ZERO)


def _last_fill(t: Tables, q: ExposureQuery) -> datetime | None:
    fills = [at for key, at in t.last_fills.items() if key[:2] == (q.client_id, q.symbol)]
    return max(fills, default=None)
