"""Read the cells of a published list, by the names of their columns, strictly."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from domain.instruments.instrument import Instrument, Kind, UnreadableListing

Row = Mapping[str, str]
"""Column name, in small letters without separators, → text."""
Listing = Instrument | UnreadableListing | None
"""None: a row that is left out on purpose, such as one of the exchange's tests."""
ReadRow = Callable[[Row, str], Instrument | None]
"""Reads one row of a file of that name. Raises ValueError, which names the column and what was expected."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
RIGHTS: Mapping[str, Kind] = {"CE": Kind.CALL, "PE": Kind.PUT, "CALL": Kind.CALL, "PUT": Kind.PUT}


def column(name: str) -> str:
    """Return a column's name without its case and separators."""
    return name.strip().lower().replace("_", "").replace(" ", "")


def text(row: Row, name: str) -> str:
    """A cell that is not empty."""
    value = row.get(name, "")
    if not value:
        raise ValueError(f"{name}: expected a text, got none")
    return value


def number(row: Row, name: str) -> Decimal | None:
    """A number above 0; None where the cell is empty, 0 or below, which is how files say that there is none."""
    value = row.get(name, "")
    if not value:
        return None
    try:
        read = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{name}: expected a number, got {value!r}") from None
    if not read.is_finite():
        raise ValueError(f"{name}: expected a number, got {value!r}")
    return read if read > 0 else None


def whole(row: Row, name: str) -> Decimal:
    """A number above 0 that must be there."""
    read = number(row, name)
    if read is None:
        raise ValueError(f"{name}: expected a number above 0, got {row.get(name, '')!r}")
    return read


_known_dates: dict[str, date] = {}


def day(row: Row, name: str) -> date:
    """A date: `29-SEP-2026` or `2026-09-29`, with or without a time after it."""
    value = text(row, name)
    known = _known_dates.get(value)
    if known is not None:
        return known
    try:
        found = _day(value)
    except (ValueError, IndexError):
        raise ValueError(f"{name}: expected a date, got {value!r}") from None
    if len(_known_dates) > 5000:
        _known_dates.clear()
    _known_dates[value] = found
    return found


def _day(value: str) -> date:
    parts = value.split(" ")[0].split("-")
    if len(parts[0]) == 4:
        return date.fromisoformat(value[:10])
    return date(int(parts[2]), _MONTHS.index(parts[1].upper()[:3]) + 1, int(parts[0]))


def listings(
    rows: Iterator[tuple[int, Row]], read: ReadRow, file: str
) -> Iterator[Instrument | UnreadableListing]:
    """Read rows one after another. One that cannot be read is told, and stops no other."""
    for line, row in rows:
        try:
            found = read(row, file)
        except ValueError as error:
            yield UnreadableListing(f"{file} line {line}", str(error))
            continue
        if found is not None:
            yield found
