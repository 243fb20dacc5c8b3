"""Whether a book can be the whole day's: an order once in it stays in it until the day's end."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from broker.noren.wire import text_of
from domain.ports import Clock
from domain.times import trading_day

ZONE = ZoneInfo("Asia/Kolkata")  # of the broker's days


class KnownOrderNumbers:
    """Order numbers of today that the book must show. Safe to call from several threads.

    A book that lags, or leaves closed orders out, proves no absence. It is found out by what it should show and does
    not: numbers that the broker gave or showed before. Noren numbers begin with their day (`YYMMDD`); of other days,
    and of numbers made otherwise, nothing is expected.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers: set[str] = set()

    def note(self, numbers: Iterable[str]) -> None:
        """The broker has orders with these numbers."""
        today = self._today()
        with self._lock:
            self._numbers = {n for n in self._numbers if n.startswith(today)}
            self._numbers.update(n for n in numbers if n.startswith(today))

    def expected(self, also: Iterable[str]) -> frozenset[str]:
        """What a book that is read from now on must show: the numbers noted, and those of `also` that are of today."""
        today = self._today()
        with self._lock:
            numbers = self._numbers.union(also)
        return frozenset(number for number in numbers if number.startswith(today))

    def _today(self) -> str:
        return f"{trading_day(self._clock.now(), ZONE):%y%m%d}"


class SymbolSpellings:
    """How the broker writes its symbols, where that is not in capitals. Safe to call from several threads.

    Our orders have them in capitals, and so are they compared; what goes out is what the broker has shown.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def note(self, found: Iterable[object]) -> None:
        """Remember the symbols of these rows that are written otherwise."""
        for row in found:
            if isinstance(row, dict):
                exchange, symbol = text_of(row, "exch").upper(), text_of(row, "tsym")
                if symbol != symbol.upper():
                    self._known[exchange, symbol.upper()] = symbol

    def as_there(self, fields: dict[str, str]) -> dict[str, str]:
        """An order's fields with the symbol as the broker writes it."""
        symbol = self._known.get((fields["exch"].upper(), fields["tsym"].upper()))
        return fields if symbol is None else {**fields, "tsym": symbol}


def day_began(at: datetime) -> datetime:
    """The midnight with which the broker's day of that instant began: its book holds no order from before."""
    return at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
