"""Live orders of which the broker's book says nothing that can be understood, although it can be read.

Also those of which it says what cannot be true: two rows of one order that differ, or one that contradicts itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.broker_reports import Book
from domain.order import Order
from domain.reconciliation import contradiction, silence
from domain.states import Phase

_FOR = timedelta(
    seconds=15
)  # as long as an unknown outcome has before the log speaks of it; lags are shorter


class MissingOrderTracker:
    """Since when each acknowledged order has been missing or has had a status that nobody knows, read after read.

    One such read may be a lag, and a book that leaves orders out proves no absence. But nobody knows any more what
    becomes of the order: it rests unseen and keeps exits waiting, until somebody is told.
    """

    def __init__(self) -> None:
        self._since: dict[str, dict[str, datetime]] = {}

    def heard(self, client_id: str, orders: Sequence[Order], book: Book) -> dict[str, str]:
        """Take note of a successful read; returns why, by command id, for orders that it is time to call unknown."""
        before = self._since.get(client_id, {})
        silent = {order.command_id: why for order in orders if (why := _silence(order, book)) is not None}
        since = {id_: min(before.get(id_, book.read_started_at), book.read_started_at) for id_ in silent}
        self._since[client_id] = since
        return {id_: why for id_, why in silent.items() if book.read_started_at - since[id_] >= _FOR}

    def forget(self, client_id: str) -> None:
        """The book could not be read: reads before and after that are not read after read."""
        self._since.pop(client_id, None)


def _silence(order: Order, book: Book) -> str | None:
    if order.phase is Phase.UNKNOWN:  # that nothing is said of it is known; what cannot be true is news
        said = contradiction(order, book)
        return None if said is None else said.text
    return silence(order, book) if order.phase in (Phase.WORKING, Phase.PARTIALLY_FILLED) else None
