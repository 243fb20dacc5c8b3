"""Merge the Holdings into the positions: shares delivered on earlier days, which some brokers list apart.

They form one position with today's purchases and sales of the same share for delivery (CNC). If the broker does not
return the Holdings, the delivery positions are unknown, not flat.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from broker.book_rows import quoted
from broker.fields import Row, number
from broker.known_order_numbers import ZONE
from broker.shown_shares import Place, ShownShares, is_night
from domain.broker_reports import Position, PositionsSnapshot, UnreadableRow
from domain.errors import ReadFailed
from domain.money import ZERO, decimal_text
from domain.ports import Clock
from domain.times import has_elapsed, trading_day

log = logging.getLogger(__name__)

DELIVERY = "CNC"

_FRESH = timedelta(minutes=5)  # deliveries come overnight: during the day the Holdings hardly change
_EMPTY_IS_BELIEVED_AFTER = timedelta(minutes=10)
_AGAIN = timedelta(minutes=1)  # where shares are missing they may be in the Holdings since the last read
_USABLE = timedelta(minutes=15)  # the last read serves if a new one fails and no exit is sized from it


class Ask(Protocol):
    """Reads the Holdings. Raises: ReadFailed."""

    def __call__(self, *, urgent: bool) -> "Delivered": ...


PositionRows = tuple[Sequence[Position], Sequence[UnreadableRow]]
"""The day's positions, and apart from them the rows that could not be read."""


class AskForPositions(Protocol):
    """Reads the day's positions. Raises: ReadFailed."""

    def __call__(self, *, urgent: bool) -> PositionRows: ...


class Delivered:
    """The result of one read of the Holdings: the units at each place, and the rows that could not be read."""

    def __init__(self, quantities: Mapping[Place, Decimal], unreadable: Sequence[UnreadableRow]) -> None:
        self.quantities = quantities
        self.unreadable = tuple(unreadable)


def delivered_of(
    rows: Sequence[Row], place_in: Callable[[Row], Place], units: str, shown: Sequence[str]
) -> Delivered:
    """Add up the rows of the Holdings by share. One that cannot be read hides its share, or all if it names none.

    Args:
        place_in: returns where a row's share is listed. Raises: ValueError.
        units: the field with the units that were carried into the day.
        shown: the fields that are quoted from a row that cannot be read.
    """
    quantities: dict[Place, Decimal] = {}
    unreadable = []
    for row in rows:
        place = None
        try:
            place = place_in(row)
            found = number(row, units)
            if found:
                quantities[place] = quantities.get(place, ZERO) + found
        except ValueError as error:
            unreadable.append(unknown_delivery(place, f"a row of the Holdings: {quoted(row, error, shown)}"))
    for each in unreadable:
        quantities.pop((each.exchange or "", each.symbol or ""), None)
    return Delivered(quantities, unreadable)


class Holdings:
    """One account's Holdings, read as rarely as possible. Safe to call from several threads.

    Args:
        ask: reads the Holdings. Raises: ReadFailed.
    """

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[datetime, Delivered] | None = None
        self._tried_anew = datetime.min.replace(tzinfo=UTC)

    def read(self, *, urgent: bool) -> Delivered:
        """Return the delivered shares, from the last read while it is fresh.

        If an exit is sized from them (`urgent`) and the last read has units or unreadable rows, they are read again. If
        the read fails and the last one does not serve either, the result says that the Holdings are unreadable.
        """
        now = self._clock.now()
        kept, age = self._kept(now)
        if kept is not None and age < _FRESH and not (urgent and (kept.quantities or kept.unreadable)):
            return kept
        try:
            read = self._ask(urgent=urgent)
        except ReadFailed as error:
            if kept is not None and age < _USABLE and not (urgent and kept.quantities):
                return kept
            log.warning("the holdings could not be read: %s", error)
            return Delivered({}, [unknown_delivery(None, f"the Holdings could not be read: {error}")])
        with self._lock:
            self._last = (now, read)
        return read

    def anew(self, *, urgent: bool) -> Delivered | None:
        """Read them although the last read is fresh, once a minute at most; None: not yet, or it failed."""
        now = self._clock.now()
        _, age = self._kept(now)
        with self._lock:
            if min(age, abs(now - self._tried_anew)) < _AGAIN:
                return None
            self._tried_anew = now
        try:
            read = self._ask(urgent=urgent)
        except ReadFailed as error:
            log.warning("the holdings could not be read: %s", error)
            return None
        with self._lock:
            self._last = (now, read)
        return read

    def _kept(self, now: datetime) -> tuple[Delivered | None, timedelta]:
        """Return today's last read and its age; None if there is none."""
        with self._lock:
            last = self._last
        if last is None or trading_day(last[0], ZONE) != trading_day(now, ZONE) or now < last[0]:
            return None, timedelta.max
        return last[1], now - last[0]


class AccountPositions:
    """One account's positions of the day together with its Holdings. Safe to call from several threads.

    Args:
        ask: reads the day's positions. Raises: ReadFailed.
        ask_for_holdings: reads the Holdings. Raises: ReadFailed.
    """

    def __init__(self, ask: AskForPositions, ask_for_holdings: Ask, clock: Clock) -> None:
        self._ask = ask
        self._holdings = Holdings(ask_for_holdings, clock)
        self._shown = ShownShares()
        self._had_rows_on: date | None = None
        self._empty_since: datetime | None = None
        self._clock = clock

    def read(self, *, urgent: bool) -> PositionsSnapshot:
        """Read all positions: also those of today that are flat, and the shares that were delivered on earlier days.

        If only a row of them, or the Holdings, could not be read, that is listed in `unreadable`. So are shares
        that were there before, and that the broker shows nowhere now.

        Args:
            urgent: an exit is sized from them.

        Raises:
            ReadFailed: the positions could not be read.
        """
        started = self._clock.now()
        positions, unreadable = self._ask(urgent=urgent)
        self._refuse_emptiness(positions, unreadable, started)
        together, hidden = merged(positions, self._holdings.read(urgent=urgent))
        lacking = self._lacking(together, positions, started)
        if lacking and (anew := self._holdings.anew(urgent=urgent)) is not None:
            together, hidden = merged(positions, anew)
            lacking = self._lacking(together, positions, started)
        if not any(row.symbol is None for row in hidden):
            unknown = {(row.exchange or "", row.symbol or "") for row in hidden}
            self._shown.note(_delivery(together), unknown | lacking.keys(), started)
        if lacking:
            together = tuple(
                p for p in together if p.product != DELIVERY or (p.exchange, p.symbol) not in lacking
            )
            hidden = (*hidden, *(unknown_delivery(place, _nowhere(had)) for place, had in lacking.items()))
        return PositionsSnapshot(started, together, (*unreadable, *hidden))

    def _lacking(
        self, together: Sequence[Position], positions: Sequence[Position], at: datetime
    ) -> Mapping[Place, Decimal]:
        return self._shown.lacking(_delivery(together), _delivery(positions), at)

    def _refuse_emptiness(
        self, positions: Sequence[Position], unreadable: Sequence[UnreadableRow], at: datetime
    ) -> None:
        """Raise where positions that had rows today are empty: what was closed stays listed until the day's end.

        Where that lasts the broker has cleared them after all, and exits go on.

        Raises:
            ReadFailed: that is no answer.
        """
        today = trading_day(at, ZONE)
        if positions or unreadable:
            self._empty_since = None
            if not is_night(at):  # the broker clears its rows at some hour of it
                self._had_rows_on = today
        elif self._had_rows_on == today and not is_night(at):
            since = self._empty_since = self._empty_since or at
            if not has_elapsed(since, at, _EMPTY_IS_BELIEVED_AFTER):
                raise ReadFailed(
                    "the positions are empty, though they had rows today: what is held is not known. Look into the "
                    f"broker's own terminal; after {_EMPTY_IS_BELIEVED_AFTER.seconds // 60} minutes it is believed"
                )


def _delivery(positions: Sequence[Position]) -> list[Position]:
    return [p for p in positions if p.product == DELIVERY]


def _nowhere(had: Decimal) -> str:
    return (
        f"{decimal_text(had)} shares were there, nothing shows that any was sold, and neither the positions nor the "
        "Holdings have them all now: the broker may not have booked them yet"
    )


def merged(
    positions: Sequence[Position], delivered: Delivered
) -> tuple[tuple[Position, ...], tuple[UnreadableRow, ...]]:
    """Return the positions with the delivered shares, and what is unknown of them because of the Holdings."""
    found = {(p.exchange, p.symbol): p for p in positions if p.product == DELIVERY}
    hidden = list(delivered.unreadable)
    if any(row.symbol is None for row in hidden):  # listed positions lack their delivered shares then
        hidden += [unknown_delivery(place, hidden[0].text) for place in found]
    names = {(row.exchange, row.symbol) for row in hidden}
    together = {
        place: _with_delivered(found.get(place), place, units)
        for place, units in delivered.quantities.items()
        if place not in names
    }
    rest = [p for p in positions if p.product != DELIVERY or (p.exchange, p.symbol) not in together]
    # A sale out of Holdings is not a short: if no delivered shares are left to set it against, the position is flat.
    clean = (
        p
        if p.product != DELIVERY or p.net_quantity >= 0
        else replace(p, net_quantity=ZERO, delivered_sold=-p.net_quantity)
        for p in rest
    )
    return (*clean, *together.values()), tuple(hidden)


def _with_delivered(today: Position | None, place: Place, units: Decimal) -> Position:
    if today is None:
        return Position(*place, DELIVERY, units, delivered=units)
    sold = max(-today.net_quantity, ZERO)
    # This API keeps the units that were sold today in the Holdings until the night. If more was sold than they show,
    # this broker has taken the sold units out already.
    left = units if sold > units else units - sold
    net = left + max(today.net_quantity, ZERO)
    return replace(today, net_quantity=net, delivered=left, delivered_sold=sold)


def unknown_delivery(place: Place | None, text: str) -> UnreadableRow:
    """Return a row that hides the delivery position at the place; None: at every place."""
    exchange, symbol = place or (None, None)
    return UnreadableRow(exchange, symbol, DELIVERY, None, None, text, has_pnl=False)
