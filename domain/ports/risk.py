"""Realised profit and loss by our own fills, and what stops entries."""

from collections.abc import Hashable, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from domain.equity import EquityPoint
from domain.pnl import DayResult, FillSeen, Place, PnlBook
from domain.risk_stops import RiskEvent, Stop, StopKey


class NewFills(NamedTuple):
    """What was filled since fills were last counted, of all clients. `cursor`: keep it with what they changed."""

    fills: Sequence[FillSeen]
    cursor: int
    is_all: bool


class RiskState(NamedTuple):
    """What a client's sums and stops are made of, but prices and time.

    Where two of a client are equal, none of its books, holdings and stops has changed in between. Read in one query, so
    that it is known at little cost that there is nothing new to judge.
    """

    has_stops: bool
    rows: Hashable


class RiskReads(Protocol):
    """Books, results and stops as they stand."""

    def pnl_books(self, client_id: str) -> list[PnlBook]:
        """List the client's open books."""

    def day_results(self, client_id: str, day: date) -> list[DayResult]:
        """List the results of a trading day."""

    def results_since(self, client_id: str, day: date) -> list[DayResult]:
        """List the results of the trading days from this one on, oldest first."""

    def equity_curve(self, client_id: str, since: datetime) -> list[EquityPoint]:
        """List the points of the client's equity curve since that instant, oldest first."""

    def last_equity(self, client_id: str) -> EquityPoint | None:
        """Return the newest point of the client's equity curve."""

    def risk_stops(self, client_id: str) -> list[Stop]:
        """List the client's stops, those that stop nothing any more too."""

    def risk_events(self, client_id: str, *, limit: int) -> list[RiskEvent]:
        """List what happened to the client's stops, the newest first."""

    def risk_state(self, client_id: str) -> RiskState:
        """Return what the client's sums and stops are made of now, to be compared with what it was."""

    def has_new_fills(self) -> bool:
        """Return True where an order has moved since fills were last counted."""


class RiskWrites(Protocol):
    """Counting fills, and stops, in a transaction."""

    def new_fills(self, limit: int) -> NewFills:
        """Return what was filled since the stored cursor, by `limit` events at most."""

    def keep_fill_cursor(self, cursor: int) -> None:
        """Note that the fills up to this one are counted."""

    def pnl_book(self, place: Place) -> PnlBook:
        """Return the book of a place; an empty one where none is kept."""

    def keep_pnl_book(self, book: PnlBook) -> None:
        """Keep a book; an empty one is deleted, unless its last fill is a price."""

    def last_result(self, place: Place) -> DayResult | None:
        """Return the result of the newest day that the place has one of."""

    def keep_result(self, result: DayResult) -> None:
        """Keep a day's result in place of what was kept of that day."""

    def keep_equity_point(self, client_id: str, point: EquityPoint, *, forget_before: datetime) -> None:
        """Add a point to the client's equity curve, and forget those that are older than that."""

    def put_stop(self, stop: Stop) -> None:
        """Keep a stop in place of one of the same key."""

    def drop_stop(self, key: StopKey) -> None: ...

    def add_risk_event(self, event: RiskEvent) -> None: ...
