"""Whose the broker's orders are, for brokers that echo nothing of ours: what was seen when, and what rows claim."""

from collections.abc import Iterable
from datetime import datetime

from domain.broker_reports import Book, IdClass, OrderReport
from domain.order import Order
from domain.order_matching import NOT_LOOKED_FOR, Attribution, Sightings, attribute, might_be
from domain.ports import Clock, Ownership
from domain.states import Phase
from engine.client_context import Seat, WatcherRules


class Owners:
    """Remembers since when each broker order has been there, as far as this process has seen it."""

    def __init__(self, *, clock: Clock, rules: WatcherRules) -> None:
        self._clock = clock
        self._rules = rules
        self._first_seen: dict[str, dict[str, datetime]] = {}
        self._followed_from: dict[str, datetime] = {}

    def saw(self, seat: Seat, book: Book) -> None:
        """A read has just ended: its orders were there before anything that is sent from now on."""
        if not _by_shape(seat):
            return
        now = self._clock.now()
        seen = self._first_seen.setdefault(seat.client_id, {})
        for broker_order_id in book.by_id:
            seen.setdefault(broker_order_id, now)
        if book.complete and not book.unreadable:
            self._followed_from.setdefault(seat.client_id, now)

    def may_begin(self, seat: Seat, book: Book) -> bool:
        """True when, after this book, it can be told later what was there before an entry that is sent from now on."""
        return (book.complete and not book.unreadable) or not _by_shape(seat)

    def attribution(self, source: Ownership, seat: Seat, book: Book) -> Attribution:
        """Whose the reports of this book are. `source` is the transaction that acts on the answer, or the store."""
        unplaced = source.unplaced(seat.client_id) if _by_shape(seat) else []
        if not any(order.phase is Phase.UNKNOWN for order in unplaced):
            return NOT_LOOKED_FOR
        places = {(o.exchange, o.symbol, o.side) for o in unplaced}
        near = [r.broker_order_id for r in book.by_id.values() if (r.exchange, r.symbol, r.side) in places]
        return attribute(
            unplaced,
            book,
            self._sightings(source, seat.client_id, near),
            seat.broker.traits,
            sending_ends=self._rules.sending_ends,
        )

    def unplaced(self, source: Ownership, seat: Seat) -> list[Order]:
        """The orders that might own a report that no row has; read after the book in which it is."""
        return source.unplaced(seat.client_id) if _by_shape(seat) else []

    def may_own(self, seat: Seat, orders: Iterable[Order], report: OrderReport) -> bool:
        """True when the report might be one of these orders: it is not to be taken for somebody else's yet."""
        seen = Sightings(first_seen=self._first_seen.get(seat.client_id, {}))
        ends = self._rules.sending_ends
        return any(might_be(o, report, seen, seat.broker.traits, sending_ends=ends) for o in orders)

    def _sightings(self, source: Ownership, client_id: str, ids: list[str]) -> Sightings:
        """What the database knows, and what this process has seen, which may be earlier."""
        known, seen = source.sightings(client_id, ids), self._first_seen.get(client_id, {})
        times = {id_: [t for t in (known.first_seen.get(id_), seen.get(id_)) if t is not None] for id_ in ids}
        first = {id_: min(found) for id_, found in times.items() if found}
        return Sightings(known.claimed, first, self._followed_from.get(client_id))


def _by_shape(seat: Seat) -> bool:
    return seat.broker.traits.id_class is IdClass.C0
