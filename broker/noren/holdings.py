"""Parse the Holdings. A share that two exchanges list is named with both and can be sold at either."""

from collections.abc import Sequence
from decimal import Decimal

from broker.delivered_shares import Delivered, unknown_delivery
from broker.fields import Row, number, text_of
from broker.noren.parsing import unreadable_row
from broker.shown_shares import Place
from domain.broker_reports import UnreadableRow
from domain.money import ZERO

# The vendor's published sum of the shares that are there: these fields, and the larger of the two below. `dpqty` is not
# a part of `holdqty` but is added to it. Pledged shares (`brkcolqty`) cannot be sold and are left out.
_COUNTED = ("holdqty", "btstqty", "unplgdqty", "benqty")
_EITHER = ("dpqty", "npoadqty")  # the same shares at the depository, with and without a power of attorney


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
    return [unknown_delivery(place, text) for place in places] or [unknown_delivery(None, text)]
