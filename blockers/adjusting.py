"""Let the entries of an alert that adjusts wait until its exits have closed what they were to close."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from domain.entry_waits import Wait, WaitsFor
from domain.exit_chase import chase_of
from domain.money import ZERO
from domain.order import Order
from domain.risk_facts import Holding
from domain.states import Status

_LOOK_AGAIN = timedelta(seconds=2)
_OVER = (Status.EXECUTED, Status.FAILED)


def behind_exits(
    order: Order,
    exits: Iterable[Sequence[Order]],
    held: Sequence[Holding],
    opens: Sequence[Order],
    positions_read_at: datetime | None,
    now: datetime,
) -> Wait | None:
    """Return the wait of an entry behind its alert's exits; None: they are over, and a later read says flat.

    An exit in the entry's own symbol is no part of it: that is a reversal, for which an entry waits in any alert. What
    an exit has failed to close is waited for as well, for as long as the entry lives: then it is dropped.

    Args:
        exits: of each exit all rows, its own first, then its further parts: slices, and what was priced anew.
        held: what the strategy holds in the exits' symbols.
        opens: older entries of its strategy that may still open what the exits close.
    """
    for rows in exits:
        exit_ = rows[0]
        if (exit_.exchange, exit_.symbol) == (order.exchange, order.symbol):
            continue
        if any(each.status not in _OVER or each.is_provisional(now) for each in rows):
            return Wait(WaitsFor.EXIT, order.expires_at)
        may_open = any((e.exchange, e.symbol) == (exit_.exchange, exit_.symbol) for e in opens)
        there = (h for h in held if (h.exchange, h.symbol) == (exit_.exchange, exit_.symbol) and h.entries)
        is_left = exit_.is_full_exit and any(h.net_quantity for h in there)
        failed = not exit_.is_full_exit and _is_short_of(rows) and _closes_something(exit_, held)
        fills = [
            each.updated_at for each in rows if each.filled_quantity > ZERO and each.updated_at is not None
        ]
        is_unread = bool(fills) and (positions_read_at is None or positions_read_at <= max(fills))
        if may_open or is_left or failed or is_unread:
            return Wait(WaitsFor.EXIT, min(order.expires_at, now + _LOOK_AGAIN))
    return None


def _is_short_of(rows: Sequence[Order]) -> bool:
    """Return True where an exit has filled less than it asked for; a row in place of another asks for nothing more."""
    asked = sum((each.quantity for each in rows if chase_of(each).instead_of is None), ZERO)
    return sum((each.filled_quantity for each in rows), ZERO) < asked


def _closes_something(exit_: Order, held: Sequence[Holding]) -> bool:
    return any((h.exchange, h.symbol) == (exit_.exchange, exit_.symbol) and h.net_quantity for h in held)
