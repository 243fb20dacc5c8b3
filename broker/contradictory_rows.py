"""Resolve contradictory order-book rows into one report per order.

Two rows of one order may differ, in any order of the list. The row that is newest and says most (`says_more`) is the
decisive one. A row may also contradict itself: COMPLETE with less than its quantity filled, more filled than its
quantity, or in a way that its adapter notes. Then the order's history and the day's trades are read. A contradiction
that they do not settle is reported with the row, and the row decides nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.broker_reports import BrokerStatus, OrderReport, says_more
from domain.enums import Side
from domain.errors import ReadFailed
from domain.money import ZERO, decimal_text
from domain.ports import Clock
from domain.times import has_elapsed

log = logging.getLogger(__name__)

_ASKED_AT_ONCE = 3  # orders looked up per read of the book: each look-up uses calls of the minute's quota
_TRADES_SHOW_AFTER = timedelta(seconds=12)
"""A dead order of which nothing says how much was filled was filled by nothing, where no trade shows in this time."""
_LOOKS = 3
_AGAIN = timedelta(seconds=5)  # the same rows are not looked up again within this time


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of the day."""

    broker_order_id: str
    trade_id: str
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal


class ReportBuilder:
    """Builds one report from the rows of each order. Safe to call from several threads.

    Args:
        history: reads every state of one order. Raises: ReadFailed.
        trades: reads the day's fills. Raises: ReadFailed.
    """

    def __init__(
        self,
        history: Callable[[str], Sequence[OrderReport]],
        trades: Callable[[], Sequence[Trade]],
        clock: Clock,
    ) -> None:
        self._history = history
        self._trades = trades
        self._clock = clock
        self._known: dict[tuple[OrderReport, ...], tuple[datetime, OrderReport]] = {}
        self._in_doubt_since: dict[
            tuple[OrderReport, ...], tuple[datetime, int]
        ] = {}  # and how many looks ago

    def settled(self, reports: Sequence[OrderReport]) -> tuple[OrderReport, ...]:
        """Return one report for each order, in the sequence in which the orders first appear."""
        by_number: dict[str, dict[OrderReport, None]] = {}
        for report in reports:
            by_number.setdefault(report.broker_order_id, {})[report] = None
        found = [tuple(rows) for rows in by_number.values()]
        certain = {rows: _certain(rows) for rows in found}
        doubtful = [rows for rows in found if certain[rows] is None]
        now = self._clock.now()
        due = sorted((rows for rows in doubtful if self._is_due(rows, now)), key=self._asked_at)
        answers = {rows: (now, self._asked(rows)) for rows in due[:_ASKED_AT_ONCE]}
        self._known = {rows: self._known[rows] for rows in doubtful if rows in self._known} | answers
        self._in_doubt_since = {rows: at for rows, at in self._in_doubt_since.items() if rows in self._known}
        return tuple(certain[rows] or self._last_answer(rows) for rows in found)

    def _is_due(self, rows: tuple[OrderReport, ...], now: datetime) -> bool:
        """Return True where these rows were not asked about yet, or not lately and in vain."""
        if rows not in self._known:
            return True
        at, answer = self._known[rows]
        return bool(answer.contradiction) and not timedelta(0) <= now - at < _AGAIN

    def _asked_at(self, rows: tuple[OrderReport, ...]) -> datetime:
        """Return when these rows were asked about, as a sort key: those that never were come first."""
        return self._known[rows][0] if rows in self._known else datetime.min.replace(tzinfo=UTC)

    def _last_answer(self, rows: tuple[OrderReport, ...]) -> OrderReport:
        return self._known[rows][1] if rows in self._known else _in_doubt(rows, "not looked into yet")

    def _asked(self, rows: tuple[OrderReport, ...]) -> OrderReport:
        last = _last_word(rows)
        try:
            told = [r for r in self._history(last.broker_order_id) if _same_order(r, last)]
            # What the doubtful rows say is to be confirmed.
            plain = [replace(r, contradiction="") for r in rows]
            word = _last_word((*plain, *(r for r in told if not r.contradiction)))
            most = max(r.filled_quantity for r in (*plain, *told))
            word = replace(word, filled_quantity=most)  # a fill that any row shows has happened
            if _doubt(word) is None and any(_says_the_same(r, word) and not r.contradiction for r in told):
                return word
            return self._by_trades(rows, word)
        except ReadFailed as error:
            return _in_doubt(rows, f"its history and trades could not be read: {error}")

    def _by_trades(self, rows: tuple[OrderReport, ...], word: OrderReport) -> OrderReport:
        """Confirm the decisive row by the trades: they give the filled quantity and the average price."""
        fills = {
            (t.trade_id or n): t
            for n, t in enumerate(self._trades())
            if t.broker_order_id == word.broker_order_id
        }
        filled = sum((t.quantity for t in fills.values()), ZERO)
        if word.status is BrokerStatus.COMPLETE:
            is_right = filled == max(word.filled_quantity, word.quantity)
        elif any(r.contradiction for r in rows):  # dead, and how much of it was filled is not certain
            is_right = filled == (word.filled_quantity or min(filled, word.quantity))
        else:
            is_right = False
        if not is_right or (not filled and not self._stands(rows)):
            return _in_doubt(rows, f"its trades are {decimal_text(filled)}")
        paid = sum((t.quantity * t.price for t in fills.values()), ZERO)
        price = paid / filled if filled else None
        return replace(word, filled_quantity=filled, average_price=price, contradiction="", unread="")

    def _stands(self, rows: tuple[OrderReport, ...]) -> bool:
        """Return True when the same rows were in doubt for so long that a trade of theirs would show.

        Several looks at the trades have to say so: of the time alone a clock that is set could tell anything.
        """
        now = self._clock.now()
        since, looks = self._in_doubt_since.get(rows, (now, 0))
        self._in_doubt_since[rows] = since, looks + 1
        return looks + 1 >= _LOOKS and has_elapsed(since, now, _TRADES_SHOW_AFTER)


def _certain(rows: tuple[OrderReport, ...]) -> OrderReport | None:
    """Return the decisive row if no look-up is needed, else None. Of several rows it must also be the newest."""
    word = _last_word(rows)
    if _doubt(word) is not None:
        return None
    for row in rows:
        if row is word:
            continue
        if not _same_order(row, word) or None in (row.reported_at, word.reported_at):
            return None
        if row.reported_at > word.reported_at:  # type: ignore[operator]
            return None
    return word


def _last_word(rows: Sequence[OrderReport]) -> OrderReport:
    return max(rows, key=says_more)


def _same_order(one: OrderReport, other: OrderReport) -> bool:
    return (one.broker_order_id, one.exchange, one.symbol, one.side) == (
        other.broker_order_id,
        other.exchange,
        other.symbol,
        other.side,
    )


def _says_the_same(one: OrderReport, other: OrderReport) -> bool:
    return (one.status, one.quantity, one.filled_quantity) == (
        other.status,
        other.quantity,
        other.filled_quantity,
    )


def _doubt(report: OrderReport) -> str | None:
    """Return why the report contradicts itself; None if it does not."""
    if report.contradiction:
        return report.contradiction
    if report.filled_quantity > report.quantity:
        return "more is filled than was ordered"
    if report.status is BrokerStatus.COMPLETE and report.filled_quantity < report.quantity:
        return "it is complete and not filled"
    return None


def _in_doubt(rows: tuple[OrderReport, ...], why: str) -> OrderReport:
    word = _last_word(rows)
    shown = "; ".join(
        sorted(f"{r.status} {decimal_text(r.filled_quantity)} of {decimal_text(r.quantity)}" for r in rows)
    )
    return replace(word, contradiction=f"{shown}; {why}")
