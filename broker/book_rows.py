"""Read the rows of brokers' books, each on its own: one that cannot be read hides its own order or position alone."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from broker.fields import Row, needed, text_of
from broker.known_order_numbers import ZONE
from domain.broker_reports import OrderReport, Position, UnreadableRow
from domain.enums import Side
from domain.errors import ReadFailed

Unreadable = Callable[[Row, object], UnreadableRow]
"""Returns what an unreadable row still names, with the reason."""


def rows_in(found: Any, what: str) -> list[dict[str, Any]]:
    """Return the rows of a book. Only an empty list means that it is empty.

    Raises:
        ReadFailed: it is not a list of rows.
    """
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ReadFailed(f"the {what} cannot be read: expected a list of rows")
    return found


def orders_of(
    rows: Sequence[Row], read: Callable[[Row], OrderReport], unreadable: Unreadable
) -> tuple[tuple[OrderReport, ...], tuple[UnreadableRow, ...]]:
    """Parse all rows and return the unreadable ones apart. An order that may be one of those is not proven absent."""
    reports, hidden = [], []
    for row in rows:
        try:
            reports.append(read(row))
        except ValueError as error:
            hidden.append(unreadable(row, error))
    return tuple(reports), tuple(hidden)


def positions_of(
    rows: Sequence[Row], read: Callable[[Row], Position], unreadable: Unreadable
) -> tuple[tuple[Position, ...], tuple[UnreadableRow, ...]]:
    """Parse the positions, each once, and return the unreadable rows. One left out would be taken for flat.

    If two rows of one position have different quantities, the position is unknown, wherever they are in the list.
    """
    found: dict[tuple[str, str, str], Position] = {}
    hidden = []
    for row in rows:
        try:
            position = read(row)
            place = (position.exchange, position.symbol, position.product)
            if found.setdefault(place, position).net_quantity != position.net_quantity:
                raise ValueError(f"another row of it has the quantity {found[place].net_quantity}")
        except ValueError as error:
            hidden.append(unreadable(row, error))
    names = {(row.exchange, row.symbol) for row in hidden}
    return tuple(p for p in found.values() if (p.exchange, p.symbol) not in names), tuple(hidden)


@contextmanager
def whole(what: str) -> Iterator[None]:
    """Raise ReadFailed if the enclosed code cannot parse a row that must not be left out."""
    try:
        yield
    except ValueError as error:
        raise ReadFailed(f"{what} cannot be read: {error}") from error


def quoted(row: Row, why: object, names: Sequence[str]) -> str:
    """Return why a row cannot be read, and its fields of these names as they came."""
    return f"{why}: {json.dumps({name: row[name] for name in names if name in row}, default=str)[:400]}"


def time_in(row: Row, name: str, written: str = "%Y-%m-%d %H:%M:%S") -> datetime | None:
    """Parse a time in the exchange's zone, `2021-05-31 09:18:57`; None if it is missing or in another format.

    Some brokers write `0001-01-01 00:00:00` for none.
    """
    try:
        return datetime.strptime(text_of(row, name), written).replace(tzinfo=ZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def latest_in(row: Row, names: Sequence[str]) -> datetime | None:
    """Return the latest of the times of these names; None if there is none."""
    return max((at for at in (time_in(row, name) for name in names) if at is not None), default=None)


def side_in(row: Row, name: str) -> Side:
    """Parse the side of an order or trade.

    Raises:
        ValueError: it is missing or unknown.
    """
    word = needed(row, name).upper()
    if word not in Side.__members__:
        raise ValueError(f"{name} {word!r}")
    return Side(word)
