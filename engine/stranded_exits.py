"""Take back resting exits of units that are gone: filled, they would open the other side.

A person has sold by hand what a stop or a target still protects. That is certain only when reads have shown it for
minutes without a gap: one wrong read takes no stop from a position.
"""

import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial

from domain.broker_reports import PositionsSnapshot
from domain.cancellation import cancel_asked, hindrance
from domain.enums import ExecutionType, OrderType
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Clock, Store, Transaction
from domain.position_comparison import Place
from domain.states import Phase

log = logging.getLogger(__name__)

_RESTING = (Phase.WORKING, Phase.PARTIALLY_FILLED)


class StrandedExits:
    """Finds and cancels exits that could only open the other side."""

    def __init__(self, store: Store, *, clock: Clock, actor: str) -> None:
        self._store = store
        self._clock = clock
        self._actor = actor

    def take_back(
        self, client_id: str, snapshot: PositionsSnapshot, standing: Mapping[Place, Decimal]
    ) -> None:
        """Request the cancel of the exits that ask for more than there is, where units have been missing for long.

        Args:
            standing: the differences that reads have shown long enough to be believed.

        Raises:
            StoreUnavailable: nothing was requested; the next read does it.
        """
        if not standing:
            return
        found = stranded(snapshot, standing, self._store.may_be_live(client_id))
        if found:
            self._store.write(lambda tx: self._cancel_all(tx, found, snapshot))

    def _cancel_all(self, tx: Transaction, found: Iterable[Order], snapshot: PositionsSnapshot) -> None:
        """One whose cancel cannot be requested keeps no other from being cancelled."""
        for order in found:
            done = tx.attempt(partial(self._cancel, tx, order, snapshot))
            if isinstance(done, Exception):
                log.error("order %s cannot be taken back: %s", order.command_id, done, exc_info=done)

    def _cancel(self, tx: Transaction, found: Order, snapshot: PositionsSnapshot) -> None:
        order = tx.get(found.command_id) or found
        if order.phase not in _RESTING or hindrance(order.phase, order.broker_order_id) is not None:
            return
        there = decimal_text(snapshot.net(order.exchange, order.symbol, order.product))
        change = cancel_asked(
            order, at=self._clock.now(), actor=self._actor, reason=f"the position is gone: {there}"
        )
        if change is None:
            return
        tx.apply(change)
        text = (
            f"{order.order_type} of {decimal_text(order.open_quantity)} is cancelled: for minutes the broker has had "
            f"{there} {order.product} there, so its fill would open the other side. If units are left, exit them with "
            "a new alert"
        )
        log.warning("order %s: %s", order.command_id, text)
        tx.notify(Notice(NoticeKind.SYSTEM, order.client_id, order, order.alert_id, order.symbol, text))


def stranded(
    snapshot: PositionsSnapshot, standing: Mapping[Place, Decimal], live: Iterable[Order]
) -> list[Order]:
    """Return the resting exits, the youngest first, whose fill would open the other side."""
    exits = [o for o in live if o.execution_type is ExecutionType.EXIT and o.test_mode is None]
    found = []
    for place, amount in standing.items():
        # One that is being cancelled already asks for nothing more.
        here = [
            o
            for o in exits
            if (o.exchange, o.symbol, o.product) == place
            and o.side.sign == _sign(amount)
            and o.cancel_requested_at is None
        ]
        asked = sum((o.open_quantity for o in here), ZERO)
        there = max(-snapshot.net(*place) * _sign(amount), ZERO)
        if not here or not snapshot.is_readable(*place):
            continue
        for order in sorted(here, key=lambda o: (o.created_at, o.command_id), reverse=True):
            if asked > there and order.phase in _RESTING and order.order_type is not OrderType.MARKET:
                found.append(order)
                asked -= order.open_quantity
    return found


def _sign(amount: Decimal) -> int:
    return 1 if amount > 0 else -1
