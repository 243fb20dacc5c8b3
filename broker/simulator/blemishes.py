"""Books whose rows cannot be true, or cannot be read: what a broker's own front end does to its data on a bad day."""

from collections.abc import Sequence

from broker.simulator.faults import Fault, FaultKind
from broker.simulator.rows import Row

_QUANTITIES = ("netqty", "holdqty", "qty")
"""The fields whose loss makes a row unreadable, by their book."""

_FILLED = ("fillshares", "avgprc")


def blemished(found: list[Row], faults: Sequence[Fault]) -> list[Row]:
    """The rows as the faults want them; rows that are kept elsewhere are left as they are."""
    for fault in faults:
        if fault.kind is FaultKind.UNREADABLE_ROW:
            found = [_unreadable(row, fault) if _is_meant(row, fault) else row for row in found]
        elif fault.kind is FaultKind.MISSING_FILLSHARES:
            found = [_without_fill(row) if row.get("status") == "COMPLETE" else row for row in found]
    return found


def _is_meant(row: Row, fault: Fault) -> bool:
    """One symbol's rows, or one order's; with neither named, all."""
    named = {"tsym": fault.tsym, "norenordno": fault.norenordno}
    return all(row.get(name) == value for name, value in named.items() if value is not None)


def _unreadable(row: Row, fault: Fault) -> Row:
    """`value` stands in the place of the quantity; None: the field is missing. `nameless`: the symbol is, too."""
    field = next(name for name in _QUANTITIES if name in row)
    other = {name: value for name, value in row.items() if name != field}
    if fault.value is not None:
        other[field] = fault.value
    if fault.nameless:
        other.pop("tsym", None)
    return other


def _without_fill(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _FILLED}
