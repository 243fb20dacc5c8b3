"""Book rows that cannot be true or cannot be read, as a broker's own front end produces them on a bad day."""

from collections.abc import Sequence

from broker.simulator.faults import Fault, FaultKind
from broker.simulator.rows import Row

_QUANTITIES = ("netqty", "holdqty", "qty")
"""The quantity field of each book: positions, holdings, orders. A row without it is unreadable."""

_FILLED = ("fillshares", "avgprc")


def blemished(found: list[Row], faults: Sequence[Fault]) -> list[Row]:
    """Return the rows with the faults applied. Changed rows are copies, because other code keeps the originals."""
    for fault in faults:
        if fault.kind is FaultKind.UNREADABLE_ROW:
            found = [_unreadable(row, fault) if _is_meant(row, fault) else row for row in found]
        elif fault.kind is FaultKind.MISSING_FILLSHARES:
            found = [_without_fill(row) if row.get("status") == "COMPLETE" else row for row in found]
    return found


def _is_meant(row: Row, fault: Fault) -> bool:
    """True for the rows of the symbol or order that the fault names; a fault that names neither means all rows."""
    named = {"tsym": fault.tsym, "norenordno": fault.norenordno}
    return all(row.get(name) == value for name, value in named.items() if value is not None)


def _unreadable(row: Row, fault: Fault) -> Row:
    """Return a copy of the row without a readable quantity.

    - `value` replaces the quantity; None removes the field.
    - `nameless` removes the symbol, too.
    """
    field = next(name for name in _QUANTITIES if name in row)
    other = {name: value for name, value in row.items() if name != field}
    if fault.value is not None:
        other[field] = fault.value
    if fault.nameless:
        other.pop("tsym", None)
    return other


def _without_fill(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _FILLED}
