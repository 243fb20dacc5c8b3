"""Shares that were delivered on earlier days: this wire keeps them apart from the positions, and they are no less held.

They are one position with what was bought and sold of them today for delivery (CNC). A share that two exchanges list
is named with both, and can be sold at either: it is a position at each. Where the broker does not tell the Holdings,
delivery is not known, and not flat.
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

_FRESH = timedelta(minutes=5)  # deliveries come overnight: in the day the Holdings hardly change
_USABLE = timedelta(minutes=15)  # where they cannot be read anew, and no exit is to be sized from them

# The sum that the vendor publishes for what is there: these, and the larger of the two below. `dpqty` is not a part of
# `holdqty` but comes beside it; what was pledged (`brkcolqty`) cannot be sold and is left out.
_COUNTED = ("holdqty", "btstqty", "unplgdqty", "benqty")
_EITHER = ("dpqty", "npoadqty")  # the same shares at the depository, with and without a power of attorney

Place = tuple[str, str]
"""Exchange and symbol."""


class Ask(Protocol):
    """Reads the rows of the Holdings."""

    def __call__(self, *, urgent: bool) -> Sequence[dict[str, Any]]: ...


class Delivered:
    """What one read of the Holdings says: units of each place, and the rows that could not be read."""

    def __init__(self, quantities: Mapping[Place, Decimal], unreadable: Sequence[UnreadableRow]) -> None:
        self.quantities = quantities
        self.unreadable = tuple(unreadable)


class Holdings:
    """One account's Holdings, read as rarely as they may be. Safe to call from several threads.

    Args:
        ask: reads the rows. Raises: ReadFailed.
    """

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[datetime, Delivered] | None = None

    def read(self, *, urgent: bool) -> Delivered:
        """What was delivered; where an exit is sized from it and there is anything, as it is now."""
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
        """The last read of today, and its age."""
        with self._lock:
            last = self._last
        if last is None or trading_day(last[0], ZONE) != trading_day(now, ZONE) or now < last[0]:
            return None, timedelta.max
        return last[1], now - last[0]


def delivered_in(rows: Sequence[Row]) -> Delivered:
    """What these rows say. Rows of the same share are added up: brokers split them by how the shares are kept."""
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
    """The positions with what was delivered, and what is not known of them because of the Holdings."""
    found = {(p.exchange, p.symbol): p for p in positions if p.product == DELIVERY}
    hidden = list(delivered.unreadable)
    if any(row.symbol is None for row in hidden):  # those that are listed lack what was delivered of them
        hidden += [_unknown(place, hidden[0].text) for place in found]
    names = {(row.exchange, row.symbol) for row in hidden}
    together = {
        place: _with_delivered(found.get(place), place, units)
        for place, units in delivered.quantities.items()
        if place not in names
    }
    rest = [p for p in positions if p.product != DELIVERY or (p.exchange, p.symbol) not in together]
    # A sale out of Holdings is not a short: with nothing delivered left to set it against, there is nothing there.
    clean = (
        p if p.product != DELIVERY or p.net_quantity >= 0 else replace(p, net_quantity=ZERO) for p in rest
    )
    return (*clean, *together.values()), tuple(hidden)


def _with_delivered(today: Position | None, place: Place, units: Decimal) -> Position:
    if today is None:
        return Position(*place, DELIVERY, units, delivered=units)
    sold = max(-today.net_quantity, ZERO)
    # The wire keeps the units of a day's sales in the Holdings until the night. Where more was sold than they show,
    # this broker has taken them out already.
    left = units if sold > units else units - sold
    net = left + max(today.net_quantity, ZERO)
    return replace(today, net_quantity=net, delivered=left)


def _units(row: Row) -> Decimal:
    counted = sum((number(row, name, ZERO) for name in _COUNTED), ZERO)
    if not any(text_of(row, name) for name in (*_COUNTED, *_EITHER)):
        raise ValueError("holdqty is missing")
    return counted + max(number(row, name, ZERO) for name in _EITHER)


def _places(row: Row) -> list[Place]:
    """Where the share is listed; some deployments name it in the row itself."""
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
