"""Read what an operator asks about profit and loss and about limits. Nothing is written."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from domain.errors import NotFound
from domain.limits import ClientPolicy
from domain.money import optional_text
from domain.pnl import DayPnl, DayResult, day_pnl_of
from domain.ports import Clock, Store
from domain.risk_view import View, pnl_view, risk_view
from domain.times import day_start, time_text, trading_day
from engine.risk_prices import marks_of


class RiskReports:
    """What stands in the database, with the last stored prices."""

    def __init__(self, store: Store, clients: Mapping[str, ClientPolicy], *, clock: Clock) -> None:
        self._store = store
        self._clients = clients
        self._clock = clock

    def risk(self, client_id: str) -> View:
        """Return the client's limits with their use and state, and what stops its entries.

        Raises:
            NotFound: no such client.
            StoreUnavailable: the database cannot be read.
        """
        policy = self._policy(client_id)
        _, sums = self._sums(policy)
        return {"client_id": client_id} | risk_view(
            policy.limits,
            sums,
            self._broker(client_id),
            self._store.holdings(client_id),
            self._store.risk_stops(client_id),
            self._clock.now(),
        )

    def pnl(self, client_id: str) -> View:
        """Return the client's profit and loss of the trading day. Raises as `risk` does."""
        policy = self._policy(client_id)
        results, sums = self._sums(policy)
        day = trading_day(self._clock.now(), policy.zone, policy.day_starts)
        said = pnl_view(results, sums, self._broker(client_id))
        begins = day_start(day, policy.zone, policy.day_starts)
        curve = [
            {
                "at": time_text(point.at),
                "own": optional_text(point.own),
                "broker": optional_text(point.broker),
            }
            for point in self._store.equity_curve(client_id, begins)
        ]
        return {"client_id": client_id, "trading_day": day.isoformat(), "equity": curve} | said

    def _policy(self, client_id: str) -> ClientPolicy:
        if client_id not in self._clients:
            raise NotFound(f"no client {client_id!r}")
        return self._clients[client_id]

    def _sums(self, policy: ClientPolicy) -> tuple[list[DayResult], dict[str, DayPnl]]:
        now, client_id = self._clock.now(), policy.client_id
        max_age = timedelta(seconds=policy.limits.default.positions_max_age_seconds)
        books = self._store.pnl_books(client_id)
        marks = marks_of(self._store, client_id, books, None, now, max_age)
        results = self._store.day_results(client_id, trading_day(now, policy.zone, policy.day_starts))
        prices = {place: mark.price for place, mark in marks.items()}
        return results, day_pnl_of(books, results, prices)

    def _broker(self, client_id: str) -> Decimal | None:
        loss = self._store.day_loss(client_id)
        return None if loss is None else loss.counted_pnl
