"""Notice shares for delivery that a broker shows nowhere for a while.

When the day is over, what was bought for delivery leaves the positions, and the Holdings show it only once the broker
has booked it, minutes or hours later. By day a single answer of the Holdings may lack what they had. Whoever sells
shares leaves a row in the positions of that day. Without one, what is missing is not known, and not gone.
"""

import threading
from collections.abc import Container, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

from broker.known_order_numbers import ZONE
from domain.broker_reports import Position
from domain.money import ZERO
from domain.times import trading_day

Place = tuple[str, str]
"""Exchange and symbol."""

_TRADES_FROM, _TRADES_UNTIL = time(9), time(16)
"""Between these, by the exchange's clock, shares may be sold; the last sales show a while after the close."""


class ShownShares:
    """How many shares for delivery one account had, and when that was seen. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._had: dict[Place, tuple[Decimal, date]] = {}

    def lacking(
        self, delivery: Sequence[Position], rows: Sequence[Position], at: datetime
    ) -> Mapping[Place, Decimal]:
        """Return what was there, of the shares of which there are less now and no row of today says why.

        In the night it counts until trading begins again, by day until the day is over.

        Args:
            delivery: the positions for delivery together with the Holdings.
            rows: the rows of the positions alone.
        """
        has = {(p.exchange, p.symbol): p.net_quantity for p in delivery}
        sold = {(p.exchange, p.symbol) for p in rows if p.net_quantity <= 0}
        today = trading_day(at, ZONE)
        with self._lock:
            return {
                place: had
                for place, (had, seen_on) in self._had.items()
                if has.get(place, ZERO) < had and place not in sold and (is_night(at) or seen_on == today)
            }

    def note(self, delivery: Sequence[Position], but_for: Container[Place], at: datetime) -> None:
        """Record what a read by day shows. In the night a broker may still show what was sold by day.

        Args:
            but_for: what this read does not know; it stays recorded as it was.
        """
        if is_night(at):
            return
        today = trading_day(at, ZONE)
        shown = {(p.exchange, p.symbol): p.net_quantity for p in delivery if p.net_quantity > 0}
        with self._lock:
            self._had = {place: (units, today) for place, units in shown.items() if place not in but_for} | {
                place: had for place, had in self._had.items() if place in but_for
            }


def is_night(at: datetime) -> bool:
    """Return True while no share can be sold at the exchange."""
    return not _TRADES_FROM <= at.astimezone(ZONE).time() < _TRADES_UNTIL
