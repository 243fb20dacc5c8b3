"""Notice delivered or bought shares that a broker shows nowhere for a while in the night.

When the day is over, what was bought for delivery leaves the positions, and Holdings show it only once the broker has
booked it, minutes or hours later. Nobody can sell in that time: what is missing then is not known, and not gone.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from decimal import Decimal

from broker.known_order_numbers import ZONE
from domain.broker_reports import Position
from domain.money import ZERO

Place = tuple[str, str]
"""Exchange and symbol."""

_TRADES_FROM, _TRADES_UNTIL = time(9), time(16)
"""Between these, by the exchange's clock, shares may have been sold; the last sales show a while after the close."""


class OvernightShares:
    """How many shares for delivery one account had when trading ended. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._had: dict[Place, Decimal] = {}

    def lacking(self, delivery: Sequence[Position]) -> Mapping[Place, Decimal]:
        """Return what was there when it was last noted, of the shares of which these positions have less."""
        has = {(p.exchange, p.symbol): p.net_quantity for p in delivery}
        with self._lock:
            return {place: had for place, had in self._had.items() if has.get(place, ZERO) < had}

    def note(self, delivery: Sequence[Position], at: datetime) -> None:
        """Record what a read shows. In the night what was there stays noted until a read shows it again."""
        has = {(p.exchange, p.symbol): p.net_quantity for p in delivery if p.net_quantity > 0}
        with self._lock:
            if is_night(at):
                has = {
                    place: max(has.get(place, ZERO), self._had.get(place, ZERO)) for place in has | self._had
                }
            self._had = has


def is_night(at: datetime) -> bool:
    """Return True while no share can be sold at the exchange."""
    return not _TRADES_FROM <= at.astimezone(ZONE).time() < _TRADES_UNTIL
