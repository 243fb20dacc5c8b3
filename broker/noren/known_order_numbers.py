"""Detect an incomplete order book: an order that was once in the book stays in it until the day's end."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from broker.noren.wire import text_of
from domain.ports import Clock
from domain.times import trading_day

ZONE = ZoneInfo("Asia/Kolkata")  # the broker's days begin and end in this zone


class KnownOrderNumbers:
    """Today's order numbers that a complete order book must show. Safe to call from several threads.

    A book that lags or leaves closed orders out does not prove that an order is absent. It is detected by the numbers
    that it lacks: numbers that the broker gave or showed before. Noren numbers begin with their day (`YYMMDD`). Numbers
    of other days and numbers in another format are not expected.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers: set[str] = set()

    def note(self, numbers: Iterable[str]) -> None:
        """Record that the broker has orders with these numbers."""
        today = self._today()
        with self._lock:
            self._numbers = {n for n in self._numbers if n.startswith(today)}
            self._numbers.update(n for n in numbers if n.startswith(today))

    def expected(self, also: Iterable[str]) -> frozenset[str]:
        """Return the numbers that a book read from now on must show: today's, of those noted and of those in `also`."""
        today = self._today()
        with self._lock:
            numbers = self._numbers.union(also)
        return frozenset(number for number in numbers if number.startswith(today))

    def _today(self) -> str:
        return f"{trading_day(self._clock.now(), ZONE):%y%m%d}"


class SymbolSpellings:
    """The broker's spelling of symbols that it does not write in capitals. Safe to call from several threads.

    Our orders have their symbols in capitals, and symbols are compared in capitals. A request contains the spelling
    that the broker has shown.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def note(self, found: Iterable[object]) -> None:
        """Remember the symbols in these rows that are not written in capitals."""
        for row in found:
            if isinstance(row, dict):
                exchange, symbol = text_of(row, "exch").upper(), text_of(row, "tsym")
                if symbol != symbol.upper():
                    self._known[exchange, symbol.upper()] = symbol

    def as_there(self, fields: dict[str, str]) -> dict[str, str]:
        """Return an order's fields with the symbol as the broker spells it."""
        symbol = self._known.get((fields["exch"].upper(), fields["tsym"].upper()))
        return fields if symbol is None else {**fields, "tsym": symbol}


def day_began(at: datetime) -> datetime:
    """Return the midnight at which the broker's day of `at` began. The day's book holds no earlier order."""
    return at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
