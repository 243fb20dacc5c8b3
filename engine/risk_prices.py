"""The last prices that profit and loss is counted by: of several that are known, the youngest usable one."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from domain.errors import ReadFailed
from domain.marks import Mark
from domain.pnl import PnlBook
from domain.ports import MarkReader, Store

log = logging.getLogger(__name__)

OF_A_FILL = "fill"
"""The source of a price at which we traded ourselves."""
_AHEAD = timedelta(seconds=2)  # a price may come from a clock that runs ahead of ours by that much


def marks_of(
    store: Store,
    client_id: str,
    books: Sequence[PnlBook],
    reader: MarkReader | None,
    now: datetime,
    max_age: timedelta,
) -> Mapping[tuple[str, str], Mark]:
    """Return the usable last price of each symbol with an open book; symbols without one are left out.

    A price is usable while it is younger than `max_age`. Our own last fill is one too: until the first price after a
    fill has come in, that is what the market was.
    """
    places = {(book.where.exchange, book.where.symbol) for book in books if book.lots}
    if not places:
        return {}
    marks = [
        *store.marks(client_id),
        *_of_positions(store, client_id),
        *_of_fills(books),
        *_read(reader, places),
    ]
    usable = [m for m in marks if (m.exchange, m.symbol) in places and m.is_price]
    young = [m for m in usable if -_AHEAD <= now - m.at <= max_age]
    return {(m.exchange, m.symbol): m for m in sorted(young, key=lambda m: m.at)}


def _of_positions(store: Store, client_id: str) -> Iterable[Mark]:
    snapshot = store.saved_positions(client_id)
    if snapshot is None:
        return
    for p in snapshot.positions:
        if p.last_price is not None and p.net_quantity:  # a row of nothing may show an old price
            yield Mark(p.exchange, p.symbol, p.last_price, snapshot.read_started_at, "positions")


def _of_fills(books: Iterable[PnlBook]) -> Iterable[Mark]:
    for book in books:
        if book.last_price is not None and book.last_at is not None:
            yield Mark(book.where.exchange, book.where.symbol, book.last_price, book.last_at, OF_A_FILL)


def _read(reader: MarkReader | None, places: Iterable[tuple[str, str]]) -> Sequence[Mark]:
    if reader is None:
        return []
    try:
        return reader.last_marks(sorted(places))
    except ReadFailed as error:
        log.warning("last prices could not be read: %s", error)
    except Exception:  # a defect of the adapter: it says nothing about prices
        log.exception("the adapter failed to read last prices")
    return []
