"""Match broker orders with ours where the broker echoes no id of ours (C0), or has lost it on the way.

This module gathers the evidence for `domain.order_matching`: when each broker order was first seen, and which broker
ids rows already have.
"""

from collections.abc import Iterable
from datetime import datetime

from domain.broker_capabilities import IdClass
from domain.broker_reports import Book, OrderReport
from domain.lost_tags import may_have_lost_tag, untagged
from domain.order import Order
from domain.order_matching import NOT_LOOKED_FOR, Attribution, SeenOrders, attribute, might_be
from domain.ports import Clock, MatchingReads
from domain.states import Phase
from engine.client_context import ClientContext, EngineTimings


class OrderMatcher:
    """Remembers since when each broker order has been in the book, as far as this process has seen."""

    def __init__(self, *, clock: Clock, rules: EngineTimings) -> None:
        self._clock = clock
        self._rules = rules
        self._first_seen: dict[str, dict[str, datetime]] = {}
        self._followed_from: dict[str, datetime] = {}

    def saw(self, context: ClientContext, book: Book) -> None:
        """Record a read that has just ended. Its orders were there before anything that is sent from now on."""
        if not _by_shape(context):
            return
        now = self._clock.now()
        seen = self._first_seen.setdefault(context.client_id, {})
        for broker_order_id in book.by_id:
            seen.setdefault(broker_order_id, now)
        if book.complete and not book.unreadable:
            self._followed_from.setdefault(context.client_id, now)

    def may_begin(self, context: ClientContext, book: Book) -> bool:
        """Return True when, after this book, it is known what was there before an entry that is sent from now on."""
        return (book.complete and not book.unreadable) or not _by_shape(context)

    def attribution(self, source: MatchingReads, context: ClientContext, book: Book) -> Attribution:
        """Match the book's reports with our orders. `source`: the transaction that acts on the answer, or the store."""
        unplaced = source.unplaced(context.client_id) if _by_shape(context) else []
        if not any(order.phase is Phase.UNKNOWN for order in unplaced):
            return NOT_LOOKED_FOR
        places = {(o.exchange, o.symbol, o.side) for o in unplaced}
        near = [r.broker_order_id for r in book.by_id.values() if (r.exchange, r.symbol, r.side) in places]
        return attribute(
            unplaced,
            book,
            self._sightings(source, context.client_id, near),
            context.broker.traits,
            sending_ends=self._rules.sending_ends,
        )

    def untagged(
        self, source: MatchingReads, context: ClientContext, order: Order, book: Book
    ) -> tuple[str, ...]:
        """List the broker orders that this one may be although their rows have lost its tag. None at C0: see above."""
        near = [r.broker_order_id for r in book.by_id.values() if may_have_lost_tag(order, r)]
        if not near or _by_shape(context) or order.test_mode is not None:
            return ()
        seen = self._sightings(source, context.client_id, near)
        return untagged(order, book, seen, context.broker.traits, sending_ends=self._rules.sending_ends)

    def may_own(self, context: ClientContext, orders: Iterable[Order], report: OrderReport) -> bool:
        """Return True when the report might be one of these orders: it must not pass for an external order yet."""
        if not _by_shape(context):
            return any(may_have_lost_tag(order, report) for order in orders)
        seen = SeenOrders(first_seen=self._first_seen.get(context.client_id, {}))
        ends = self._rules.sending_ends
        return any(might_be(o, report, seen, context.broker.traits, sending_ends=ends) for o in orders)

    def _sightings(self, source: MatchingReads, client_id: str, ids: list[str]) -> SeenOrders:
        """Combine what the database knows with what this process has seen, which may be earlier."""
        known, seen = source.sightings(client_id, ids), self._first_seen.get(client_id, {})
        times = {id_: [t for t in (known.first_seen.get(id_), seen.get(id_)) if t is not None] for id_ in ids}
        first = {id_: min(found) for id_, found in times.items() if found}
        return SeenOrders(known.claimed, first, self._followed_from.get(client_id))


def _by_shape(context: ClientContext) -> bool:
    return context.broker.traits.id_class is IdClass.C0
