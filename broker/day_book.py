"""The order book of a broker that shows the whole day, and whose order numbers do not say which day they are of."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from broker.contradictory_rows import ReportBuilder
from broker.known_order_numbers import ZONE, KnownOrderNumbers, day_began
from domain.broker_reports import Book, OrderRef, OrderReport, UnreadableRow
from domain.errors import NotSent, ReadFailed, Refused
from domain.ports import Clock
from domain.times import trading_day

Rows = tuple[Sequence[OrderReport], tuple[UnreadableRow, ...]]


class DayBook:
    """Builds the books of one account, and notices one that lacks an order which the broker has shown today."""

    def __init__(self, clock: Clock, settling: ReportBuilder) -> None:
        self._clock = clock
        self._settling = settling
        self._memory = KnownOrderNumbers(clock, dated=False)

    def given(self, broker_order_id: str) -> None:
        """Record that the broker gave an order this number."""
        self._memory.given(broker_order_id)

    def read(self, wanted: Sequence[OrderRef], rows: Callable[[], Rows], *, settle: bool) -> Book:
        """Read the book by `rows`. Contradictory rows of one order are settled with `settle`. Raises: ReadFailed."""
        expected = self._memory.expected(ref.broker_order_id for ref in wanted if ref.broker_order_id)
        started = self._clock.now()
        reports, unreadable = rows()
        settled = self._settling.settled(reports) if settle else tuple(reports)
        began = day_began(started)
        book = Book(started, settled, complete=True, covers_from=began, unreadable=unreadable)
        shown = {*book.by_id, *(row.broker_order_id for row in unreadable if row.broker_order_id)}
        # In the night the rows of the day before may still be there, and then vanish.
        today = trading_day(started, ZONE)
        self._memory.note(
            number
            for number, report in book.by_id.items()
            if report.reported_at is not None and trading_day(report.reported_at, ZONE) == today
        )
        return book if expected <= shown else replace(book, complete=False)


def numbers_to_cancel(ref: OrderRef, read: Callable[[], Book]) -> list[str]:
    """Return the broker's number of an order, from its book where only our id is known.

    Raises:
        NotSent: the book could not be read.
        Refused: no live order carries our id.
    """
    if ref.broker_order_id:
        return [ref.broker_order_id]
    try:
        tagged = read().by_tag.get(ref.client_order_id, [])
    except ReadFailed as error:
        raise NotSent(f"the order could not be looked up: {error}", error.code) from error
    live = [report.broker_order_id for report in tagged if not report.has_ended]
    if not live:
        raise Refused("no live order carries this client order id", "ORDER_NOT_FOUND")
    return live
