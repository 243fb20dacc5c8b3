"""Detect an incomplete order book: an order that was once in the book stays in it until the day's end."""

import threading
from collections.abc import Container, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.ports import Clock
from domain.times import trading_day

ZONE = ZoneInfo("Asia/Kolkata")  # the broker's days begin and end in this zone


_SHOWS_AFTER = timedelta(seconds=3)
"""An order that was acknowledged a moment ago may not be in the book yet: see the adapter's visibility horizon."""
_GIVEN_UP_AFTER = timedelta(minutes=5)
"""A number that no book has shown for so long proves no incomplete book. Its order is reported as missing."""


class KnownOrderNumbers:
    """Today's order numbers that a complete order book must show. Safe to call from several threads.

    A book that lags or leaves closed orders out does not prove that an order is absent. It is detected by the numbers
    that it lacks: numbers that the broker gave or showed before. A number that the broker gave and no book has shown is
    expected from a moment after it was given, and not for ever.

    Args:
        dated: the broker's numbers begin with their day (`YYMMDD`). Numbers of other days are not expected, nor are
            numbers in another format, unless the time of their row is today's. If it is False, the caller notes only
            today's numbers, and of the others those are expected that begin with today.
    """

    def __init__(self, clock: Clock, *, dated: bool = True) -> None:
        self._clock = clock
        self._dated = dated
        self._lock = threading.Lock()
        self._day = ""
        self._shown: set[str] = set()
        self._given: dict[str, datetime] = {}

    def note(self, numbers: Iterable[str], *, of_today: Container[str] = ()) -> None:
        """Record that the order book shows these numbers.

        Args:
            of_today: those of orders whose own time is today's, whatever their numbers look like.
        """
        today = self._today()
        with self._lock:
            self._forget_yesterday(today)
            self._shown.update(n for n in numbers if not self._dated or n.startswith(today) or n in of_today)
            self._given = {n: at for n, at in self._given.items() if n not in self._shown}

    def given(self, number: str) -> None:
        """Record that the broker gave an order this number."""
        with self._lock:
            self._given.setdefault(number, self._clock.now())

    def expected(self, also: Iterable[str]) -> frozenset[str]:
        """Return the numbers that a book read from now on must show: today's, of those known and of those in `also`.

        `also` are numbers of orders that are live here; one that was given and never shown counts as the others do.
        """
        now, today = self._clock.now(), self._today()
        with self._lock:
            self._forget_yesterday(today)
            given = {n for n, at in self._given.items() if _SHOWS_AFTER <= now - at < _GIVEN_UP_AFTER}
            if self._dated:
                given = {n for n in given if n.startswith(today)}
            todays = {n for n in also if n not in self._given and n.startswith(today)}
            return frozenset(self._shown | given | todays)

    def _forget_yesterday(self, today: str) -> None:
        if self._day != today:
            self._day, self._shown = today, set()

    def _today(self) -> str:
        return f"{trading_day(self._clock.now(), ZONE):%y%m%d}"


def day_began(at: datetime) -> datetime:
    """Return the midnight at which the broker's day of `at` began. The day's book holds no earlier order."""
    return at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
