"""Register an order, whoever asks for it: judge it, write it with its intent, and block it where a rule says so."""

from dataclasses import replace
from datetime import datetime, timedelta

from blockers.pipeline import judged
from blockers.rules import Block
from domain.entry_waits import Wait
from domain.enums import ExecutionType, OrderType
from domain.limits import ClientPolicy
from domain.order import Order
from domain.order_events import register
from domain.ports import Transaction
from domain.transitions import blocked, looked_at

EXIT_LIFE = timedelta(hours=1)
"""How long an exit is tried: longer than an entry, because a position that stays open is the greater harm."""


def life_of(execution_type: ExecutionType, alert_life: timedelta) -> timedelta:
    """How long an order of that type may be tried."""
    return max(alert_life, EXIT_LIFE) if execution_type is ExecutionType.EXIT else alert_life


def register_judged(
    tx: Transaction,
    order: Order,
    intent: str,
    signal_id: str | None,
    *,
    policy: ClientPolicy,
    actor: str,
    unfit: Block | None = None,
) -> Order:
    """Judge an order by the facts of this transaction, and write it accordingly: to be sent, to wait, or blocked.

    `unfit`: a block that stands already, because of what it trades.
    """
    answer = unfit or judged(tx, order, policy, order.created_at)
    written = write(tx, order, intent, signal_id, wait=answer, actor=actor)
    return block(tx, written, answer, actor) if isinstance(answer, Block) else written


def write(
    tx: Transaction,
    order: Order,
    intent: str,
    signal_id: str | None,
    *,
    wait: Wait | Block | None = None,
    actor: str,
) -> Order:
    """Write the order's row and its intent under the UNIQUE key."""
    if isinstance(wait, Wait):
        order = replace(
            order,
            waits_for=wait.waits_for,
            not_before=looked_at(wait, order.created_at),
            reason_message=wait.waits_for.sentence,
        )
    registered = tx.apply(register(order, at=order.created_at, actor=actor))
    tx.add_intent(registered, intent, signal_id)
    return registered


def block(tx: Transaction, order: Order, found: Block, actor: str) -> Order:
    """Record that one of our own rules blocked the order."""
    return tx.apply(blocked(order, found.reason, found.detail, at=order.created_at, actor=actor))


def same_exit(tx: Transaction, order: Order, now: datetime) -> Order | None:
    """Return an exit of everything at market that is under way for the same strategy, symbol and product."""
    if not order.is_full_exit or order.test_mode is not None:
        return None
    wanted = (order.strategy_name, order.product, OrderType.MARKET)
    return next(
        (
            o
            for o in tx.exit_facts(order, now).orders
            if o.is_full_exit
            and (o.strategy_name, o.product, o.order_type) == wanted
            and o.requested_side is order.requested_side
            and not o.is_provisional(now)
        ),
        None,
    )
