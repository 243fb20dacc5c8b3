"""Profit and loss by our own fills, and what stops entries, in the tables of the store in memory."""

from datetime import date, datetime

from domain.equity import EquityPoint
from domain.order_events import OrderEvent
from domain.pnl import DayResult, EventRow, Place, PnlBook, fills_after
from domain.ports.risk import NewFills, RiskState
from domain.risk_stops import RiskEvent, Stop, StopKey
from domain.times import time_text
from persistence.memory.tables import Tables


class RiskReads:
    """Implement `domain.ports.RiskReads`."""

    _tables: Tables

    def pnl_books(self, client_id: str) -> list[PnlBook]:
        return [
            book for place, book in sorted(self._tables.pnl_books.items()) if place.client_id == client_id
        ]

    def day_results(self, client_id: str, day: date) -> list[DayResult]:
        rows = sorted(self._tables.results.items())
        return [row for (place, of), row in rows if (place.client_id, of) == (client_id, day)]

    def results_since(self, client_id: str, day: date) -> list[DayResult]:
        rows = sorted(self._tables.results.items(), key=lambda item: (item[0][1], item[0][0]))
        return [row for (place, of), row in rows if place.client_id == client_id and of >= day]

    def equity_curve(self, client_id: str, since: datetime) -> list[EquityPoint]:
        rows = sorted(self._tables.equity.items())
        return [point for (client, at), point in rows if client == client_id and at >= since]

    def last_equity(self, client_id: str) -> EquityPoint | None:
        points = [point for (client, _), point in self._tables.equity.items() if client == client_id]
        return max(points, key=lambda point: point.at, default=None)

    def risk_stops(self, client_id: str) -> list[Stop]:
        return [stop for key, stop in sorted(self._tables.stops.items()) if key.client_id == client_id]

    def risk_events(self, client_id: str, *, limit: int) -> list[RiskEvent]:
        return [e for e in reversed(self._tables.risk_events) if e.key.client_id == client_id][:limit]

    def risk_state(self, client_id: str) -> RiskState:
        t = self._tables
        has_stops = any(key.client_id == client_id for key in t.stops)
        books = [book for place, book in t.pnl_books.items() if place.client_id == client_id]
        held = [(key, h) for key, h in t.holdings.items() if key[0] == client_id]
        return RiskState(has_stops, (frozenset(books), frozenset(held)))

    def has_new_fills(self) -> bool:
        return len(self._tables.events) > self._tables.counted_fills


class RiskWrites:
    """Implement `domain.ports.RiskWrites`."""

    _tables: Tables

    def new_fills(self, limit: int) -> NewFills:
        t = self._tables
        cursor, last = t.counted_fills, len(t.events)
        moved = [
            (place, event)
            for place, event in enumerate(t.events[cursor:], cursor + 1)
            if event.from_phase is not None and _is_of_fills(event)
        ][:limit]
        if len(moved) == limit:
            last = moved[-1][0]
        of = {event.command_id for _, event in moved}
        rows = [
            EventRow(place, e.command_id, time_text(e.at), e.detail_json)
            for place, e in enumerate(t.events[:last], 1)
            if e.command_id in of
        ]
        return NewFills(fills_after(rows, cursor), last, is_all=len(moved) < limit)

    def keep_fill_cursor(self, cursor: int) -> None:
        self._tables.counted_fills = cursor

    def pnl_book(self, place: Place) -> PnlBook:
        return self._tables.pnl_books.get(place, PnlBook(place))

    def keep_pnl_book(self, book: PnlBook) -> None:
        if book.is_empty and book.last_price is None:
            self._tables.pnl_books.pop(book.where, None)
        else:
            self._tables.pnl_books[book.where] = book

    def last_result(self, place: Place) -> DayResult | None:
        found = [row for (of, _), row in self._tables.results.items() if of == place]
        return max(found, key=lambda row: row.day, default=None)

    def keep_result(self, result: DayResult) -> None:
        self._tables.results[(result.where, result.day)] = result

    def keep_equity_point(self, client_id: str, point: EquityPoint, *, forget_before: datetime) -> None:
        kept = self._tables.equity
        old = [key for key in kept if key[0] == client_id and key[1] < forget_before]
        self._tables.equity = {key: value for key, value in kept.items() if key not in old}
        self._tables.equity[client_id, point.at] = point

    def put_stop(self, stop: Stop) -> None:
        self._tables.stops[stop.key] = stop

    def drop_stop(self, key: StopKey) -> None:
        self._tables.stops.pop(key, None)

    def add_risk_event(self, event: RiskEvent) -> None:
        self._tables.risk_events.append(event)


def _is_of_fills(event: OrderEvent) -> bool:
    return '"filled_quantity"' in event.detail_json or '"average_price"' in event.detail_json
