"""Merge the Holdings into the positions: shares delivered on earlier days, which this API lists apart.

They form one position with today's purchases and sales of the same share for delivery (CNC). A share that two exchanges
list is named with both and can be sold at either, so it is a position at each. If the broker does not return the
Holdings, the delivery positions are unknown, not flat.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from broker.noren.known_order_numbers import ZONE
from broker.noren.parsing import Row, number, unreadable_row
from broker.noren.wire import text_of
from domain.broker_reports import Position, UnreadableRow
from domain.errors import ReadFailed
from domain.money import ZERO
from domain.ports import Clock
from domain.times import trading_day

log = logging.getLogger(__name__)

DELIVERY = "CNC"

_FRESH = timedelta(minutes=5)  # deliveries come overnight: during the day the Holdings hardly change
_USABLE = timedelta(minutes=15)  # the last read serves if a new one fails and no exit is sized from it

# The vendor's published sum of the shares that are there: these fields, and the larger of the two below. `dpqty` is not
# a part of `holdqty` but is added to it. Pledged shares (`brkcolqty`) cannot be sold and are left out.
_COUNTED = ("holdqty", "btstqty", "unplgdqty", "benqty")
_EITHER = ("dpqty", "npoadqty")  # the same shares at the depository, with and without a power of attorney

Place = tuple[str, str]
"""Exchange and symbol."""


class Ask(Protocol):
    """Reads the rows of the Holdings."""

    def __call__(self, *, urgent: bool) -> Sequence[dict[str, Any]]: ...


class Delivered:
    """The result of one read of the Holdings: the units at each place, and the rows that could not be read."""

    def __init__(self, quantities: Mapping[Place, Decimal], unreadable: Sequence[UnreadableRow]) -> None:
        self.quantities = quantities
        self.unreadable = tuple(unreadable)


class Holdings:
    """One account's Holdings, read as rarely as possible. Safe to call from several threads.

    Args:
        ask: reads the rows. Raises: ReadFailed.
    """

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[datetime, Delivered] | None = None

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
            read = delivered_in(self._ask(urgent=urgent))
        except ReadFailed as error:
            if kept is not None and age < _USABLE and not (urgent and kept.quantities):
                return kept
            log.warning("the holdings could not be read: %s", error)
            return Delivered({}, [_unknown(None, f"the Holdings could not be read: {error}")])
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


def delivered_in(rows: Sequence[Row]) -> Delivered:
    """Parse the rows. Rows of the same share are added up: brokers split them by how the shares are kept."""
    quantities: dict[Place, Decimal] = {}
    unreadable = []
    for row in rows:
        places = _places(row)
        try:
            if not places:
                raise ValueError("exch_tsym is missing")
            units = _units(row)
        except ValueError as error:
            unreadable += _unreadable(row, places, error)
            continue
        if units:
            for place in places:
                quantities[place] = quantities.get(place, ZERO) + units
    return Delivered(quantities, unreadable)


def merged(
    positions: Sequence[Position], delivered: Delivered
) -> tuple[tuple[Position, ...], tuple[UnreadableRow, ...]]:
    """Return the positions with the delivered shares, and what is unknown of them because of the Holdings."""
    found = {(p.exchange, p.symbol): p for p in positions if p.product == DELIVERY}
    hidden = list(delivered.unreadable)
    if any(row.symbol is None for row in hidden):  # listed positions lack their delivered shares then
        hidden += [_unknown(place, hidden[0].text) for place in found]
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


def _units(row: Row) -> Decimal:
    counted = sum((number(row, name, ZERO) for name in _COUNTED), ZERO)
    if not any(text_of(row, name) for name in (*_COUNTED, *_EITHER)):
        raise ValueError("holdqty is missing")
    return counted + max(number(row, name, ZERO) for name in _EITHER)


def _places(row: Row) -> list[Place]:
    """Return where the share is listed. Some deployments name it in the row itself."""
    named = row.get("exch_tsym")
    listed = named if isinstance(named, list) else [row]
    places = [
        (text_of(each, "exch").upper(), text_of(each, "tsym").upper())
        for each in listed
        if isinstance(each, dict)
    ]
    return [place for place in places if all(place)]


def _unreadable(row: Row, places: Sequence[Place], why: ValueError) -> list[UnreadableRow]:
    shown = {**row, "tsym": ", ".join(symbol for _, symbol in places)}
    text = f"a row of the Holdings: {unreadable_row(shown, why).text}"
    return [_unknown(place, text) for place in places] or [_unknown(None, text)]


def _unknown(place: Place | None, text: str) -> UnreadableRow:
    exchange, symbol = place or (None, None)
    return UnreadableRow(exchange, symbol, DELIVERY, None, None, text, has_pnl=False)
