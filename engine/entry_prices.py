"""Read the last price of an entry's symbol before the entry is claimed, where a limit compares its price with that."""

import logging
from datetime import timedelta

from domain.errors import ReadFailed
from domain.marks import Mark
from domain.order import Order
from domain.ports import Clock, Store
from domain.tighter import limits_of
from domain.times import is_within
from engine.client_context import ClientContext

log = logging.getLogger(__name__)

_SERVES = timedelta(seconds=2)  # a stored price that is no older needs no read


class EntryPrices:
    """Stores prices for the rule that looks at them in the transaction of the claim."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def refresh(self, context: ClientContext, order: Order) -> None:
        """Store the last price of the order's symbol, if a limit needs it and the market can be asked.

        Raises:
            StoreUnavailable: nothing was stored.
        """
        bound = limits_of(context.policy.limits, order.strategy_name, order.symbol)
        if bound.price_collar_percent is None or context.marks is None:
            return
        now = self._clock.now()
        place = (order.exchange, order.symbol)
        known = {(mark.exchange, mark.symbol): mark for mark in self._store.marks(order.client_id)}
        if place in known and is_within(known[place].at, now, _SERVES):
            return
        try:
            found = [mark for mark in context.marks.last_marks([place]) if _is_of(mark, place)]
        except ReadFailed as error:
            log.warning("order %s: its last price could not be read: %s", order.command_id, error)
            return
        except Exception:  # a defect of the adapter: it says nothing about prices
            log.exception("order %s: the adapter failed to read its last price", order.command_id)
            return
        if found:
            self._store.write(lambda tx: tx.keep_marks(order.client_id, found))


def _is_of(mark: Mark, place: tuple[str, str]) -> bool:
    return mark.is_price and (mark.exchange, mark.symbol) == place
