"""Count all orders of each status, without walking through them at each page.

All are counted once. From then on the events are counted that have come since: an order's status changes only together
with its event, which the database's triggers enforce. Orders leave only for the archive; then all are counted again.
"""

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from domain.states import Status

Counts = dict[str, int]

_PLACE = "SELECT (SELECT max(event_id) FROM order_events), (SELECT max(rowid) FROM archived_orders)"
_MOVES = (
    "SELECT from_status, to_status, count(*) FROM order_events WHERE event_id > ? "
    "AND from_status IS NOT to_status GROUP BY from_status, to_status"
)


class _Counted(NamedTuple):
    """The counts as of an event, and of the order that was archived last."""

    event_id: int
    archived: int
    counts: Counts


class StatusCounts:
    """The number of orders of each status. Threads may share it: what is kept is replaced as a whole."""

    def __init__(self) -> None:
        self._known: _Counted | None = None

    def of(self, connection: sqlite3.Connection, count_all: Callable[[], Counts]) -> Counts:
        """Return the counts as the connection's transaction sees them.

        Args:
            connection: inside a transaction, so that all reads see one state.
            count_all: counts them by walking through all orders.
        """
        event_id, archived = (value or 0 for value in connection.execute(_PLACE).fetchone())
        known = self._known
        if known is None or known.archived != archived or known.event_id > event_id:
            counts = count_all()
        else:
            counts = dict(known.counts)
            for before, after, number in connection.execute(_MOVES, (known.event_id,)):
                counts[after] += number
                if before is not None:
                    counts[before] -= number
        self._known = _Counted(event_id, archived, counts)
        return {status.value: counts[status.value] for status in Status}
