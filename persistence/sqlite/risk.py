"""Write and read profit and loss by our own fills, and what stops entries."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from domain.equity import EquityPoint
from domain.limits import LimitAction
from domain.money import decimal_text, optional_decimal, optional_text, parse_decimal
from domain.order_events import column
from domain.pnl import DayResult, EventRow, Lot, Place, PnlBook, fills_after
from domain.ports.risk import NewFills, RiskState
from domain.risk_stops import EventKind, RiskEvent, RiskRule, Stop, StopKey
from domain.times import parse_time, time_text
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import optional_time

_BOOK = (
    "SELECT client_id, strategy_name, exchange, symbol, lots_json, unpriced_json, last_price, last_at, trade_pnl, "
    "closed_at FROM pnl_books"
)
_RESULT = (
    "SELECT client_id, strategy_name, exchange, symbol, trading_day, realized_pnl, carried_pnl, unrealized_pnl, fills "
    "FROM daily_results"
)
_OF_PLACE = "WHERE client_id = ? AND strategy_name = ? AND exchange = ? AND symbol = ?"


class RiskTables:
    """The methods of a transaction that concern these tables; implements `domain.ports.RiskWrites` and the reads."""

    _connection: sqlite3.Connection

    def pnl_books(self, client_id: str) -> list[PnlBook]:
        return pnl_books(self._connection, client_id)

    def day_results(self, client_id: str, day: date) -> list[DayResult]:
        return day_results(self._connection, client_id, day)

    def results_since(self, client_id: str, day: date) -> list[DayResult]:
        return results_since(self._connection, client_id, day)

    def equity_curve(self, client_id: str, since: datetime) -> list[EquityPoint]:
        return equity_curve(self._connection, client_id, since)

    def last_equity(self, client_id: str) -> EquityPoint | None:
        return last_equity(self._connection, client_id)

    def keep_equity_point(self, client_id: str, point: EquityPoint, *, forget_before: datetime) -> None:
        values = (client_id, time_text(point.at), optional_text(point.own), optional_text(point.broker))
        self._connection.execute("INSERT OR REPLACE INTO equity_curve VALUES (?, ?, ?, ?)", values)
        self._connection.execute(
            "DELETE FROM equity_curve WHERE client_id = ? AND at < ?", (client_id, time_text(forget_before))
        )

    def risk_stops(self, client_id: str) -> list[Stop]:
        return risk_stops(self._connection, client_id)

    def risk_events(self, client_id: str, *, limit: int) -> list[RiskEvent]:
        return risk_events(self._connection, client_id, limit)

    def risk_state(self, client_id: str) -> RiskState:
        return risk_state(self._connection, client_id)

    def has_new_fills(self) -> bool:
        return has_new_fills(self._connection)

    def new_fills(self, limit: int) -> NewFills:
        return new_fills(self._connection, limit)

    def keep_fill_cursor(self, cursor: int) -> None:
        self._connection.execute("UPDATE counted_fills SET last_event_id = ?", (cursor,))

    def pnl_book(self, place: Place) -> PnlBook:
        row = self._connection.execute(f"{_BOOK} {_OF_PLACE}", place).fetchone()
        return PnlBook(place) if row is None else _book_of(row)

    def keep_pnl_book(self, book: PnlBook) -> None:
        if book.is_empty and book.last_price is None:
            self._connection.execute(f"DELETE FROM pnl_books {_OF_PLACE}", book.where)
            return
        lots = [(decimal_text(lot.units), decimal_text(lot.cost)) for lot in book.lots]
        values = (
            json.dumps(lots),
            json.dumps(sorted(book.unpriced)),
            column(book.last_price),
            column(book.last_at),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO pnl_books VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*book.where, *values, decimal_text(book.trade_pnl), column(book.closed_at)),
        )

    def last_result(self, place: Place) -> DayResult | None:
        row = self._connection.execute(
            f"{_RESULT} {_OF_PLACE} ORDER BY trading_day DESC LIMIT 1", place
        ).fetchone()
        return None if row is None else _result_of(row)

    def keep_result(self, result: DayResult) -> None:
        money = (
            decimal_text(result.realized),
            decimal_text(result.carried),
            optional_text(result.unrealized),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO daily_results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*result.where, result.day.isoformat(), *money, result.fills),
        )

    def put_stop(self, stop: Stop) -> None:
        self._connection.execute(statement("put_stop"), _stop_row(stop))

    def drop_stop(self, key: StopKey) -> None:
        self._connection.execute(
            "DELETE FROM risk_state WHERE client_id = ? AND strategy_name = ? AND rule = ?", key
        )

    def add_risk_event(self, event: RiskEvent) -> None:
        self._connection.execute(
            "INSERT INTO risk_events (at, client_id, strategy_name, rule, kind, detail) VALUES (?, ?, ?, ?, ?, ?)",
            (time_text(event.at), *event.key, event.kind, event.detail),
        )


def pnl_books(connection: sqlite3.Connection, client_id: str) -> list[PnlBook]:
    """Return the client's books."""
    return [_book_of(row) for row in connection.execute(f"{_BOOK} WHERE client_id = ?", (client_id,))]


def day_results(connection: sqlite3.Connection, client_id: str, day: date) -> list[DayResult]:
    """Return the results of a trading day."""
    where = "WHERE client_id = ? AND trading_day = ? ORDER BY strategy_name, exchange, symbol"
    return [_result_of(row) for row in connection.execute(f"{_RESULT} {where}", (client_id, day.isoformat()))]


def results_since(connection: sqlite3.Connection, client_id: str, day: date) -> list[DayResult]:
    """Return the results of the trading days from this one on."""
    where = "WHERE client_id = ? AND trading_day >= ? ORDER BY trading_day, strategy_name, exchange, symbol"
    return [_result_of(row) for row in connection.execute(f"{_RESULT} {where}", (client_id, day.isoformat()))]


_EQUITY = "SELECT at, own_pnl, broker_pnl FROM equity_curve WHERE client_id = ?"


def equity_curve(connection: sqlite3.Connection, client_id: str, since: datetime) -> list[EquityPoint]:
    """Return the points of the client's equity curve since that instant, oldest first."""
    rows = connection.execute(f"{_EQUITY} AND at >= ? ORDER BY at", (client_id, time_text(since)))
    return [_point_of(row) for row in rows]


def last_equity(connection: sqlite3.Connection, client_id: str) -> EquityPoint | None:
    """Return the newest point of the client's equity curve."""
    row = connection.execute(f"{_EQUITY} ORDER BY at DESC LIMIT 1", (client_id,)).fetchone()
    return None if row is None else _point_of(row)


def _point_of(row: Sequence[Any]) -> EquityPoint:
    at, own, broker = row
    return EquityPoint(parse_time(at), optional_decimal(own), optional_decimal(broker))


def risk_stops(connection: sqlite3.Connection, client_id: str) -> list[Stop]:
    """Return the client's stops."""
    return [_stop_of(row) for row in connection.execute(statement("stops"), (client_id,))]


def risk_events(connection: sqlite3.Connection, client_id: str, limit: int) -> list[RiskEvent]:
    """Return what happened to the client's stops, the newest first."""
    rows = connection.execute(
        "SELECT at, client_id, strategy_name, rule, kind, detail FROM risk_events WHERE client_id = ? "
        "ORDER BY event_id DESC LIMIT ?",
        (client_id, limit),
    )
    return [
        RiskEvent(parse_time(at), StopKey(client, strategy, RiskRule(rule)), EventKind(kind), detail)
        for at, client, strategy, rule, kind, detail in rows
    ]


def risk_state(connection: sqlite3.Connection, client_id: str) -> RiskState:
    """Return what the client's sums and stops are made of. The rows stay as they are stored: they are only compared."""
    has_stops, *rows = connection.execute(statement("risk_state"), (client_id,)).fetchone()
    return RiskState(bool(has_stops), tuple(rows))


def has_new_fills(connection: sqlite3.Connection) -> bool:
    """Return True where an order has moved since fills were last counted."""
    row = connection.execute(
        "SELECT (SELECT max(event_id) FROM order_events) > (SELECT last_event_id FROM counted_fills)"
    ).fetchone()
    return bool(row[0])


def new_fills(connection: sqlite3.Connection, limit: int) -> NewFills:
    """Return what was filled since the stored cursor, by `limit` events at most."""
    cursor, last = connection.execute(
        "SELECT last_event_id, (SELECT coalesce(max(event_id), 0) FROM order_events) FROM counted_fills"
    ).fetchone()
    found = connection.execute(statement("new_fills"), (cursor, limit)).fetchall()
    rows, news = [EventRow(*row[:4]) for row in found], sum(row[4] for row in found)
    if news < limit:
        return NewFills(fills_after(rows, cursor), max(cursor, last), is_all=True)
    return NewFills(fills_after(rows, cursor), rows[-1].event_id, is_all=False)


@lru_cache(maxsize=4096)  # most books and results are as they were at the last look
def _book_of(row: tuple[Any, ...]) -> PnlBook:
    *place, lots, unpriced, price, at, trade, closed_at = row
    return PnlBook(
        Place(*place),
        tuple(Lot(parse_decimal(units), parse_decimal(cost)) for units, cost in json.loads(lots)),
        frozenset(json.loads(unpriced)),
        optional_decimal(price),
        optional_time(at),
        parse_decimal(trade),
        optional_time(closed_at),
    )


@lru_cache(maxsize=4096)
def _result_of(row: tuple[Any, ...]) -> DayResult:
    *place, day, realized, carried, unrealized, fills = row
    money = (parse_decimal(realized), parse_decimal(carried), optional_decimal(unrealized))
    return DayResult(Place(*place), date.fromisoformat(day), *money, fills)


def _stop_row(stop: Stop) -> tuple[Any, ...]:
    values = (stop.since, stop.until, stop.figure, stop.limit, stop.action)
    rest = (stop.detail, stop.by, column(stop.lifted_at), column(stop.counts_from), column(stop.flat_at))
    return (*stop.key, *(column(value) for value in values), int(stop.is_confirmed), *rest)


def _stop_of(row: Sequence[Any]) -> Stop:
    client, strategy, rule, since, until, figure, limit, action, confirmed, detail, by, lifted, base, flat = (
        row
    )
    return Stop(
        key=StopKey(client, strategy, RiskRule(rule)),
        since=parse_time(since),
        until=optional_time(until),
        figure=optional_decimal(figure),
        limit=optional_decimal(limit),
        action=LimitAction(action),
        is_confirmed=bool(confirmed),
        detail=detail,
        by=by,
        lifted_at=optional_time(lifted),
        counts_from=optional_decimal(base),
        flat_at=optional_time(flat),
    )
