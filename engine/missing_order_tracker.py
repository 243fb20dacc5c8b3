"""Track live orders that the broker's book does not show, or shows with an unknown status, although it can be read.

Orders of which the book shows what cannot be true are tracked too: two rows of one order that differ, or one row that
contradicts itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.broker_reports import Book
from domain.order import Order
from domain.reconciliation import contradiction, silence
from domain.states import Phase

_FOR = timedelta(seconds=15)  # the time after which an unknown outcome is logged, too; lags are shorter


_GAP = timedelta(seconds=18)
"""Reads that are further apart are not consecutive. A failed read in between alone changes nothing."""


class MissingOrderTracker:
    """Remembers since when each acknowledged order has been missing, or had an unknown status, in consecutive reads.

    One such read may be a lag, and a book that leaves orders out proves no absence. But nobody knows any more what
    becomes of the order: it rests unseen and keeps exits waiting until somebody is notified.
    """

    def __init__(self) -> None:
        self._since: dict[str, dict[str, datetime]] = {}
        self._read_at: dict[str, datetime] = {}

    def heard(self, client_id: str, orders: Sequence[Order], book: Book) -> dict[str, str]:
        """Record a successful read; return, by command id, why orders are to be marked unknown now."""
        last = self._read_at.get(client_id)
        is_consecutive = last is not None and abs(book.read_started_at - last) <= _GAP
        self._read_at[client_id] = book.read_started_at
        before = self._since.get(client_id, {}) if is_consecutive else {}
        silent = {order.command_id: why for order in orders if (why := _silence(order, book)) is not None}
        since = {id_: min(before.get(id_, book.read_started_at), book.read_started_at) for id_ in silent}
        self._since[client_id] = since
        return {id_: why for id_, why in silent.items() if book.read_started_at - since[id_] >= _FOR}


def _silence(order: Order, book: Book) -> str | None:
    if order.phase is Phase.UNKNOWN:  # known to be missing already; only a contradiction is new
        said = contradiction(order, book)
        return None if said is None else said.text
    return silence(order, book) if order.phase in (Phase.WORKING, Phase.PARTIALLY_FILLED) else None
