"""Tell the moves of orders that can be written beside each other, because nothing else follows from them."""

from collections.abc import Sequence

from domain.enums import ExecutionType
from domain.order import Order
from domain.ports import Transaction
from domain.reconciliation import Verdict
from domain.states import Phase

_FOLLOWED = (Phase.WORKING, Phase.PARTIALLY_FILLED)


def plain_moves(tx: Transaction, decided: Sequence[tuple[Order, Verdict]]) -> set[str]:
    """Return the ids of the orders whose verdict can be written as it is.

    It says more of an order that is followed under its number: it lives on, or it is filled. Its row is as it was when
    that was decided, and no later exit of its strategy takes back or exits what an entry brings.
    """
    plain = [order for order, verdict in decided if _is_plain(order, verdict)]
    if not plain:
        return set()
    entries = [order for order in plain if order.execution_type is ExecutionType.ENTRY]
    return tx.unmoved(plain) - (tx.with_full_exit(entries) if entries else set())


def _is_plain(order: Order, verdict: Verdict) -> bool:
    lives_on = verdict.phase in (*_FOLLOWED, Phase.FILLED)
    is_followed = order.broker_order_id is not None and order.phase in _FOLLOWED
    return lives_on and is_followed and not verdict.alarms
