"""Query what single limits need to know about an order. Nothing is read for limits that are not set."""

import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.enums import Side
from domain.ids import ulid
from domain.limits import LimitAction, Limits
from domain.marks import Mark
from domain.money import ZERO, optional_decimal, parse_decimal
from domain.ports import ExposureQuery
from domain.risk_facts import Exposed, LastExit, LimitFacts, StopMet, is_loss, places_of, streak_since
from domain.risk_stops import RiskRule, Stop, StopKey
from domain.times import parse_time, time_text
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import optional_time

_NONE = LimitFacts()


def stops_of(client_id: str, rows: list[list[Any]]) -> tuple[Stop, ...]:
    """Return the stops of the rows that `stopping.sql` lists."""
    return tuple(
        Stop(
            StopKey(client_id, strategy, RiskRule(rule)),
            parse_time(since),
            optional_time(until),
            action=LimitAction.BLOCK,
            is_confirmed=bool(confirmed),
            detail=detail,
        )
        for strategy, rule, since, until, confirmed, detail in rows
    )


def limit_facts(
    connection: sqlite3.Connection, q: ExposureQuery, limits: Limits, now: datetime, *, reduces: bool
) -> LimitFacts:
    """Return what the limits that are set ask for.

    Args:
        reduces: only entries that reduce the account's position are let through.
    """
    if not (
        reduces
        or q.day_starts_at
        or limits.limits_positions
        or limits.limits_exposure
        or limits.cooldown_minutes is not None
        or limits.limits_stops
        or limits.price_collar_percent is not None
    ):
        return _NONE
    trades, own_trades = _trades(connection, q) if q.day_starts_at else (0, 0)
    needs_exposed = limits.limits_positions or limits.limits_exposure
    exposed = _exposed(connection, q) if needs_exposed else ()
    places, waiting = places_of(exposed)
    own_places, own_waiting = places_of(e for e in exposed if e.strategy == q.strategy_name)
    return LimitFacts(
        trades=trades,
        own_trades=own_trades,
        places=places,
        waiting=waiting,
        own_places=own_places,
        own_waiting=own_waiting,
        exposed=exposed,
        last_exit=None if limits.cooldown_minutes is None else _last_exit(connection, q),
        reducible=_reducible(connection, q) if reduces else None,
        stops_met=_stops_met(connection, q, streak_since(limits, now)) if limits.limits_stops else (),
        trades_in=_trades_in(connection, q) if limits.limits_trades_of_symbols else (),
        last_mark=None if limits.price_collar_percent is None else _last_mark(connection, q),
    )


def _trades(connection: sqlite3.Connection, q: ExposureQuery) -> tuple[int, int]:
    assert q.day_starts_at is not None
    starts = q.day_starts_at
    values = (ulid(starts, 0), q.client_id, time_text(starts), q.command_id or "", q.strategy_name)
    trades, own = connection.execute(statement("trades_of_day"), values).fetchone()
    return int(trades), int(own or 0)


def _trades_in(connection: sqlite3.Connection, q: ExposureQuery) -> tuple[tuple[str, int], ...]:
    assert q.day_starts_at is not None
    starts = q.day_starts_at
    values = (ulid(starts, 0), q.client_id, time_text(starts), q.command_id or "")
    return tuple((symbol, int(count)) for symbol, count in connection.execute(statement("trades_in"), values))


def _last_mark(connection: sqlite3.Connection, q: ExposureQuery) -> Mark | None:
    values = (q.client_id, q.exchange, q.symbol)
    rows = connection.execute(statement("last_mark"), values)
    marks = [
        Mark(q.exchange, q.symbol, parse_decimal(price), parse_time(at), source) for price, at, source in rows
    ]
    return max(marks, key=lambda mark: mark.at, default=None)


def _exposed(connection: sqlite3.Connection, q: ExposureQuery) -> tuple[Exposed, ...]:
    rows = connection.execute(statement("exposure"), (q.client_id, q.command_id or ""))
    return tuple(
        Exposed(
            strategy,
            exchange,
            symbol,
            (parse_decimal(units) - parse_decimal(filled)) * sign,
            optional_decimal(price),
            bool(waits),
        )
        for strategy, exchange, symbol, units, filled, sign, price, waits in rows
    )


def _last_exit(connection: sqlite3.Connection, q: ExposureQuery) -> LastExit | None:
    values = (q.client_id, q.symbol, q.strategy_name, q.exchange)
    row = connection.execute(statement("last_exit"), values).fetchone()
    if row is None:
        return None
    at, trade_pnl, is_counted = row
    return LastExit(parse_time(at), optional_decimal(trade_pnl) if is_counted else None)


def _stops_met(connection: sqlite3.Connection, q: ExposureQuery, since: datetime) -> tuple[StopMet, ...]:
    rows = connection.execute(statement("stops_met"), (q.client_id, time_text(since))).fetchall()
    return tuple(
        StopMet(strategy, parse_time(at))
        for strategy, at, side, average, price in rows
        if is_loss(Side(side), optional_decimal(average), optional_decimal(price))
    )


def _reducible(connection: sqlite3.Connection, q: ExposureQuery) -> Decimal | None:
    rows = connection.execute(
        statement("reducible"), (q.client_id, q.exchange, q.symbol, q.command_id or "")
    ).fetchall()
    read_at, filled_at = (_latest(rows, kind) for kind in ("READ", "FILLED"))
    if read_at is None or (filled_at is not None and filled_at > read_at):
        return None
    net = sum((parse_decimal(units) for kind, units, *_ in rows if kind == "NET"), ZERO)
    side = "BUY" if q.sign > 0 else "SELL"
    pending = [row for row in rows if row[0] == "OPEN" and row[2] == side]
    if any(not parse_decimal(row[1]) for row in pending):  # an exit of everything, not sized yet
        return ZERO
    asked = sum((parse_decimal(row[1]) - parse_decimal(row[3]) for row in pending), ZERO)
    return max(-net * q.sign - asked, ZERO)


def _latest(rows: list[Any], kind: str) -> datetime | None:
    return max((parse_time(row[1]) for row in rows if row[0] == kind and row[1] is not None), default=None)
