"""Let the entries of an alert that adjusts wait until its exits have closed what they were to close."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from domain.entry_waits import Wait, WaitsFor
from domain.money import ZERO
from domain.order import Order
from domain.risk_facts import Holding
from domain.states import Status

_LOOK_AGAIN = timedelta(seconds=2)
_OVER = (Status.EXECUTED, Status.FAILED)


def behind_exits(
    order: Order,
    exits: Iterable[Order],
    held: Sequence[Holding],
    positions_read_at: datetime | None,
    now: datetime,
) -> Wait | None:
    """Return the wait of an entry behind its alert's exits; None: they are over, and a later read says flat.

    An exit in the entry's own symbol is no part of it: that is a reversal, for which an entry waits in any alert. What
    an exit has failed to close is waited for as well, for as long as the entry lives: then it is dropped.

    Args:
        held: what the strategy holds in the exits' symbols.
    """
    others = [each for each in exits if (each.exchange, each.symbol) != (order.exchange, order.symbol)]
    for exit_ in others:
        if exit_.status not in _OVER or exit_.is_provisional(now):
            return Wait(WaitsFor.EXIT, order.expires_at)
        there = (h for h in held if (h.exchange, h.symbol) == (exit_.exchange, exit_.symbol) and h.entries)
        is_left = exit_.is_full_exit and any(h.net_quantity for h in there)
        failed = exit_.status is Status.FAILED and not exit_.is_full_exit and _closes_something(exit_, held)
        filled_at = exit_.updated_at if exit_.filled_quantity > ZERO else None
        is_unread = filled_at is not None and (positions_read_at is None or positions_read_at <= filled_at)
        if is_left or failed or is_unread:
            return Wait(WaitsFor.EXIT, min(order.expires_at, now + _LOOK_AGAIN))
    return None


def _closes_something(exit_: Order, held: Sequence[Holding]) -> bool:
    return any((h.exchange, h.symbol) == (exit_.exchange, exit_.symbol) and h.net_quantity for h in held)
