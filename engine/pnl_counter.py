"""Count fills into books of open lots and results of the day.

It follows the orders' history, which every write of a fill extends, and not the writes themselves: those are the path
of every order, and there are several of them. What is counted is stored with how far the history was read, so that a
crash or a second watcher counts nothing twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from domain.money import ZERO
from domain.pnl import DayResult, FillSeen, Place, PnlBook, adjusted, after_fill, first_of_day
from domain.ports import Store, Transaction
from domain.risk_facts import Holding

_TOGETHER = 500  # events of one transaction

DayOf = Callable[[datetime], date]
"""Returns the trading day of an instant."""
Prices = Mapping[tuple[str, str], Decimal]
"""The usable last prices, by exchange and symbol."""


class PnlCounter:
    """Counts fills of all clients. Safe to call from several threads and processes."""

    def __init__(self, store: Store, day_of: DayOf) -> None:
        self._store = store
        self._day_of = day_of

    def count(self) -> bool:
        """Count what was filled since the last time; returns True where there was anything to look at."""
        did = False
        while self._store.has_new_fills():
            did = True
            if self._store.write(self.count_in):
                break
        return did

    def count_in(self, tx: Transaction) -> bool:
        """Count inside a transaction; returns False where there is more."""
        news = tx.new_fills(_TOGETHER)
        of = dict[Place, list[FillSeen]]()
        for fill in news.fills:
            of.setdefault(fill.where, []).append(fill)
        for where, fills in of.items():
            self._count_place(tx, where, fills)
        tx.keep_fill_cursor(news.cursor)
        return news.is_all

    def _count_place(self, tx: Transaction, where: Place, fills: Iterable[FillSeen]) -> None:
        """Count one place's fills in their order. Its book, which may be long, is read and written once for all."""
        book, last = tx.pnl_book(where), tx.last_result(where)
        for fill in fills:
            result = _of_day(last, book, self._day_of(fill.at))
            if last is not None and result.day != last.day:
                tx.keep_result(last)  # a day that has ended
            book, realized = after_fill(book, fill)
            last = result.after(book, realized)
        tx.keep_pnl_book(book)
        if last is not None:
            tx.keep_result(last)

    def follow_holdings(
        self,
        client_id: str,
        books: Sequence[PnlBook],
        holdings: Iterable[Holding],
        prices: Prices,
        now: datetime,
    ) -> bool:
        """Take into the books what came or went without a fill of ours: units closed by hand, or adopted.

        Returns True where a book was changed.
        """
        nets = _nets(holdings)
        places = {book.where for book in books} | nets.keys()
        open_ = {book.where: book.net for book in books}
        differing = [each for each in sorted(places) if nets.get(each, ZERO) != open_.get(each, ZERO)]
        if not differing:
            return False

        def work(tx: Transaction) -> bool:
            if not self.count_in(tx):
                return False
            return sum(self._follow(tx, place, prices, now) for place in differing) > 0

        return self._store.write(work)

    def _follow(self, tx: Transaction, place: Place, prices: Prices, now: datetime) -> bool:
        held = sum((h.net_quantity for h in tx.holding(*place)), ZERO)
        book = tx.pnl_book(place)
        if held == book.net:
            return False
        result = _result(tx, book, self._day_of(now))
        price = prices.get((place.exchange, place.symbol), book.last_price)
        book, realized = adjusted(book, held, price)
        tx.keep_pnl_book(book)
        tx.keep_result(result.after(book, realized, fills=0))
        return True

    def note_unrealized(
        self,
        books: Iterable[PnlBook],
        results: Iterable[DayResult],
        prices: Prices,
        now: datetime,
        *,
        refresh: bool,
    ) -> bool:
        """Begin the day for each open book, and keep what is unrealised where it is time to.

        Returns True where the day began for a book.
        """
        day = self._day_of(now)
        known = {result.where: result for result in results}
        wanted = [book for book in books if book.lots and (refresh or book.where not in known)]
        wanted = [
            book for book in wanted if book.where not in known or _is_news(book, known[book.where], prices)
        ]
        if not wanted:
            return False

        def work(tx: Transaction) -> None:
            for each in wanted:
                book = tx.pnl_book(each.where)
                result = _result(tx, book, day)
                price = prices.get((book.where.exchange, book.where.symbol))
                if price is not None and not book.unpriced:
                    result = replace(result, unrealized=book.unrealized(price))
                tx.keep_result(result)

        self._store.write(work)
        return any(book.where not in known for book in wanted)


def _result(tx: Transaction, book: PnlBook, day: date) -> DayResult:
    """Return the place's result of that day, or a new one. A clock that was set back begins no earlier day."""
    return _of_day(tx.last_result(book.where), book, day)


def _of_day(last: DayResult | None, book: PnlBook, day: date) -> DayResult:
    return last if last is not None and last.day >= day else first_of_day(book.where, day, book, last)


def _nets(holdings: Iterable[Holding]) -> dict[Place, Decimal]:
    nets = dict[Place, Decimal]()
    for h in holdings:
        place = Place(h.client_id, h.strategy_name, h.exchange, h.symbol)
        nets[place] = nets.get(place, ZERO) + h.net_quantity
    return nets


def _is_news(book: PnlBook, result: DayResult, prices: Prices) -> bool:
    price = prices.get((book.where.exchange, book.where.symbol))
    return price is not None and not book.unpriced and book.unrealized(price) != result.unrealized
