"""Look up an order's tag in the broker's book before it is sent, so that an order sent before is not sent again.

A broker order that carries an order's own tag is that order, whatever the database remembers. It can be there already
for two reasons:

- a database that was restored gives out the tags of orders that are at the broker already;
- a broker's front end may say that it turned an order away although it has taken it.

So no order is claimed for its first send while its tag shows in the broker's book, as last read or as kept in
`external_orders`. The order is then followed under the number that it has there.

An order that was turned away is sent again only after a read of the book that began when a taken order would show in
it (`BrokerTraits.visibility_horizon` after that answer). If the broker shows or accepts the order only after that,
nothing here can prevent two orders under one tag; that is then notified.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.broker_reports import Book, OrderRef, OrderReport
from domain.commands import OrderResult
from domain.enums import ExecutionType
from domain.errors import ReadFailed
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import OrderChange
from domain.ports import Clock, Transaction
from domain.reason_codes import Reason
from domain.reconciliation import (
    TURNED_AWAY,
    find_report,
    hidden_in,
    is_own,
    likeliest,
    turned_away,
)
from domain.transitions import claimed, held, never_sent, placed
from engine.client_context import ClientContext, EngineTimings

log = logging.getLogger(__name__)

_SERVES = timedelta(seconds=10)  # how long one read serves several orders that were turned away together


class TagLookup:
    """What each client's last book shows under our tags. Safe to call from several threads."""

    def __init__(self, *, clock: Clock, claimant: str, rules: EngineTimings) -> None:
        self._clock = clock
        self._claimant = claimant
        self._rules = rules
        self._last: dict[str, Book] = {}

    def saw(self, client_id: str, book: Book) -> None:
        """Record a successful read. Only a complete book counts; of two overlapping reads, the one that began later."""
        last = self._last.get(client_id)
        if book.complete and (
            last is None or not book.read_started_at < last.read_started_at <= self._clock.now()
        ):
            self._last[client_id] = book

    def look(self, context: ClientContext, order: Order) -> str | None:
        """Return why an order that was turned away may not be sent yet. Reads the book unless it was read since then.

        None: it may be claimed. The claim sends the order where the book does not show its tag, and follows it where
        the book does.
        """
        try:
            book = self._last.get(context.client_id)  # one read serves those that were turned away together
            if book is None or not self._is_news(book, order):
                is_exit = order.execution_type is ExecutionType.EXIT
                book = context.broker.read_book([OrderRef(order.client_order_id, None)], urgent=is_exit)
                self.saw(context.client_id, book)
        except ReadFailed as error:
            return f"it was turned away, and the book could not be read since: {error}"
        except Exception as error:  # a defect of the adapter: it says nothing about the order
            log.exception("order %s: the adapter failed to read the book", order.command_id)
            return (
                f"it was turned away, and the book could not be read since: {type(error).__name__}: {error}"
            )
        if self._may_not_show(book, order, context.broker.traits.visibility_horizon):
            return "it was turned away, and this machine's clock was set since then: the book is looked at once more"
        shown = find_report(order, book)[0]
        if book.covers_from is not None and order.sent_at is not None and order.sent_at < book.covers_from:
            return "it was turned away, and the book begins later than that"
        if not book.complete or (hidden_in(order, book) and (shown is None or is_refusal(order, shown))):
            return "it was turned away, and what the book shows since then is not whole"
        return None

    def _is_news(self, book: Book, order: Order) -> bool:
        """Return True for a recent book that began when the order, had it been taken, would show in it."""
        assert order.updated_at is not None
        since = max(order.updated_at, order.not_before or order.updated_at)
        began = book.read_started_at
        return since < began <= self._clock.now() <= began + _SERVES

    @staticmethod
    def _may_not_show(book: Book, order: Order, horizon: float) -> bool:
        """Return True where the clock was set since the send, and the book may be too early to show an order.

        Args:
            horizon: seconds that the broker may take to show an order.
        """
        if order.sent_at is None:
            return False
        since = book.counted_from(order.sent_at)
        return since > order.sent_at and book.read_started_at < since + timedelta(seconds=horizon)

    def refusals(self, order: Order) -> dict[str, str]:
        """Return the columns that keep which dead orders of its earlier calls the book shows, for its next claim."""
        book = self._last.get(order.client_id)
        if not order.look_first or book is None:
            return {}
        dead = {r.broker_order_id for r in book.by_tag.get(order.client_order_id, ()) if r.came_to_nothing}
        if not dead:
            return {}
        context = json.loads(order.context_json or "{}")
        return {"context_json": json.dumps({**context, TURNED_AWAY: sorted(dead | turned_away(order))})}

    def sent_before(self, tx: Transaction, order: Order) -> OrderReport | None:
        """Return what is at the broker under the tag of an order that is about to be sent for the first time.

        An external order that was noted on another day does not count: a backup of weeks ago may give a tag of then
        to an alert of today.
        """
        if order.test_mode is not None:
            return None
        noted = [
            report
            for report, first_seen in tx.tagged_external(order.client_id, order.client_order_id)
            if self._rules.is_one_day(first_seen, self._clock.now())
            and is_own(order, report)
            and not is_refusal(order, report)
        ]
        if noted:
            return min(noted, key=likeliest)
        book = self._last.get(order.client_id)
        shown = None if book is None else find_report(order, book)[0]
        if shown is None or not is_own(order, shown) or is_refusal(order, shown):
            return None
        return shown

    def shown_among(self, tx: Transaction, client_id: str, orders: Sequence[Order]) -> set[str]:
        """Return those of the orders' tags for which `sent_before` has more to look at than that there is nothing."""
        tags = [order.client_order_id for order in orders]
        book = self._last.get(client_id)
        shown = () if book is None else [tag for tag in tags if tag in book.by_tag]
        return tx.tagged_among(client_id, tags) | set(shown)

    def follow(self, tx: Transaction, order: Order, report: OrderReport, now: datetime) -> OrderChange:
        """Make that broker order the order's own, and notify of it. The book then shows what becomes of it.

        Where the broker order is another row's already, this order is held, or ended once its life is over.
        """
        number = report.broker_order_id
        owner = tx.get_by_broker_id(order.client_id, number)
        if owner is not None and self._rules.same_day(order, owner):
            text = f"broker order {number} carries its tag and is that of {owner.command_id}"
            if order.is_over(now):
                return never_sent(order, Reason.ALERT_TOO_OLD, at=now, actor=self._claimant, detail=text)
            return held(order, text, at=now, actor=self._claimant)
        why = (
            "the broker said that it had turned it away"
            if order.look_first
            else "it was not sent from this row"
        )
        text = f"broker order {number} carries its tag, though {why}: it is followed, and not sent again"
        log.error("order %s: %s", order.command_id, text)
        tx.notify(Notice(NoticeKind.SYSTEM, order.client_id, order, order.alert_id, order.symbol, text))
        as_sent = {}
        if order.execution_type is ExecutionType.EXIT:  # the size is that of the earlier send
            product = report.product or order.product
            as_sent = {"side": report.side, "quantity": report.quantity, "product": product}
        claim = tx.apply(claimed(order, at=now, claimant=self._claimant, **as_sent))
        return placed(claim, OrderResult(number, detail=text), at=now, actor=self._claimant)


def is_refusal(order: Order, report: OrderReport) -> bool:
    """True for the dead, unfilled order that a broker keeps of a request that it turned away."""
    is_of_before = order.look_first or report.broker_order_id in turned_away(order)
    return is_of_before and report.came_to_nothing
