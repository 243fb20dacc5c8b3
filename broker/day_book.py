"""The order book of a broker that shows the whole day."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from broker.contradictory_rows import ReportBuilder
from broker.known_order_numbers import ZONE, KnownOrderNumbers, day_began
from broker.shown_shares import is_night
from domain.broker_reports import Book, OrderRef, OrderReport, UnreadableRow
from domain.errors import NotSent, ReadFailed, Refused
from domain.ports import Clock
from domain.times import trading_day

Rows = tuple[Sequence[OrderReport], tuple[UnreadableRow, ...]]


class AskForOrders(Protocol):
    """Reads the rows of the order book. Raises: ReadFailed."""

    def __call__(self, *, urgent: bool) -> Rows: ...


class DayBook:
    """Reads the books of one account, and notices one that lacks an order which the broker has shown today.

    Args:
        ask: reads the rows. Raises: ReadFailed.
        settling: settles contradictory rows of one order.
        dated: the broker's order numbers say which day they are of; see `KnownOrderNumbers`.
    """

    def __init__(
        self, ask: AskForOrders, clock: Clock, settling: ReportBuilder, *, dated: bool = False
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._settling = settling
        self._dated = dated
        self._memory = KnownOrderNumbers(clock, dated=dated)

    def given(self, broker_order_id: str) -> None:
        """Record that the broker gave an order this number."""
        self._memory.given(broker_order_id)

    def read(self, wanted: Sequence[OrderRef], *, urgent: bool) -> Book:
        """Read the whole book, closed orders included.

        It is not complete if an order is missing that the broker has shown today. A row that could not be read is in
        `unreadable`. Contradictory rows of one order are settled by its history and trades.

        Args:
            urgent: an exit waits for it.

        Raises:
            ReadFailed: the book could not be read.
        """
        return self._read(wanted, urgent=urgent, settle=True)

    def numbers_to_cancel(self, ref: OrderRef) -> list[str]:
        """Return the broker's numbers of an order that is to be cancelled, from the book where only our id is known.

        Raises:
            NotSent: the book could not be read.
            Refused: no live order carries our id.
        """
        if ref.broker_order_id:
            return [ref.broker_order_id]
        try:
            tagged = self._read([ref], urgent=True, settle=False).by_tag.get(ref.client_order_id, [])
        except ReadFailed as error:
            raise NotSent(f"the order could not be looked up: {error}", error.code) from error
        live = [report.broker_order_id for report in tagged if not report.has_ended]
        if not live:
            raise Refused("no live order carries this client order id", "ORDER_NOT_FOUND")
        return live

    def _read(self, wanted: Sequence[OrderRef], *, urgent: bool, settle: bool) -> Book:
        expected = self._memory.expected(ref.broker_order_id for ref in wanted if ref.broker_order_id)
        started = self._clock.now()
        reports, unreadable = self._ask(urgent=urgent)
        settled = self._settling.settled(reports) if settle else tuple(reports)
        began = day_began(started)
        book = Book(started, settled, complete=True, covers_from=began, unreadable=unreadable)
        shown = {*book.by_id, *(row.broker_order_id for row in unreadable if row.broker_order_id)}
        today = _of_its_day(book)
        by_day = {n for n in today if not is_night(book.by_id[n].reported_at or started)}
        self._memory.note(shown if self._dated else today, of_today=by_day)
        return book if expected <= shown else replace(book, complete=False)


def _of_its_day(book: Book) -> list[str]:
    """Return the numbers of today's orders: in the night yesterday's may still be there, and then vanish."""
    today = trading_day(book.read_started_at, ZONE)
    return [
        number
        for number, report in book.by_id.items()
        if report.reported_at is not None and trading_day(report.reported_at, ZONE) == today
    ]
