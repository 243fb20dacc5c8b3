"""Update what strategies hold from their own fills."""

import sqlite3
from decimal import Decimal

from domain.alert import ExecutionType
from domain.money import ZERO, decimal_text, parse_decimal
from domain.order import Order
from domain.order_events import Column, column
from persistence.sqlite.differences import take_elsewhere

_HOLDING = (
    "FROM holdings WHERE client_id = ? AND symbol = ? AND exchange = ? AND strategy_name = ? AND product = ?"
)


def follow_fill(connection: sqlite3.Connection, before: Order, after: Order) -> None:
    """Update what a strategy holds from a fill, in the transaction that records the fill.

    An exit reduces what is held. Its fill may be recorded before the fills of the entry that it closed. Then:

    - As many units as the strategy's entries at the broker may still fill are kept as a holding on the other side,
      with no entry to its name, until the entries fill them or end.
    - Units that an exit took beyond that belonged to no strategy here.
    """
    is_entry = after.execution_type is ExecutionType.ENTRY
    filled = after.filled_quantity != before.filled_quantity or after.side is not before.side
    ended = is_entry and before.may_be_live and not after.may_be_live
    if after.test_mode is not None or not (filled or ended):
        return
    delta = after.signed_fill - before.signed_fill
    at = column(after.updated_at)
    held = _held_by_product(connection, after)
    left = delta if is_entry else _reduce(connection, after, held, delta, at)
    if delta:
        connection.execute(
            "INSERT OR REPLACE INTO last_fills VALUES (?, ?, ?, ?)",
            (after.client_id, after.symbol, after.side, at),
        )
    if not is_entry and not left:
        return
    net, entries = held.get(after.product, (ZERO, 0))
    was_early = after.product in held and not entries
    if is_entry:
        net += delta
        entries += int(bool(after.filled_quantity) and not before.filled_quantity)
        early = was_early and after.side.sign * net < 0
    else:
        net, early = (net if was_early else ZERO) + left, True
    if early and net:
        taken, net = net, min(abs(net), _still_to_come(connection, after)) * (1 if net > 0 else -1)
        take_elsewhere(connection, after, taken - net)
        entries = 0
    elif is_entry:
        entries = max(entries, 1)
    _hold(connection, after, after.product, net, entries, at)


def _held_by_product(connection: sqlite3.Connection, order: Order) -> dict[str, tuple[Decimal, int]]:
    rows = connection.execute(
        "SELECT product, net_quantity, entries FROM holdings WHERE client_id = ? AND symbol = ? AND exchange = ? "
        "AND strategy_name = ?",
        (order.client_id, order.symbol, order.exchange, order.strategy_name),
    )
    return {product: (parse_decimal(net), int(entries)) for product, net, entries in rows}


def _reduce(
    connection: sqlite3.Connection,
    exit_: Order,
    held: dict[str, tuple[Decimal, int]],
    delta: Decimal,
    at: Column,
) -> Decimal:
    """Subtract an exit's fill from what its strategy holds, its own product first. Return the units that are left.

    A position that was converted is held in the product in which it was bought, and is closed in another.
    """
    for product in sorted(held, key=lambda name: name != exit_.product):
        net, entries = held[product]
        if not entries or net * delta >= 0:
            continue
        taken = min(abs(net), abs(delta)) * (1 if delta > 0 else -1)
        held[product] = (net + taken, entries)
        _hold(connection, exit_, product, net + taken, entries, at)
        delta -= taken
    return delta


def _hold(
    connection: sqlite3.Connection, order: Order, product: str, net: Decimal, entries: int, at: Column
) -> None:
    key = (order.client_id, order.symbol, order.exchange, order.strategy_name, product)
    if net:
        values = (*key, decimal_text(net), entries, at)
        connection.execute("INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    else:
        connection.execute(f"DELETE {_HOLDING}", key)


def _still_to_come(connection: sqlite3.Connection, order: Order) -> Decimal:
    """Return how many units the strategy's entries at the broker may still fill.

    They are the entries on this order's side if it is an entry, and on the other side if it is an exit.
    """
    side = order.side if order.execution_type is ExecutionType.ENTRY else order.side.opposite
    rows = connection.execute(
        "SELECT quantity, filled_quantity FROM orders WHERE status = 'SENT_TO_BROKER' AND client_id = ? "
        "AND symbol = ? AND exchange = ? AND strategy_name = ? AND product = ? AND side = ? "
        "AND execution_type = 'ENTRY' AND test_mode IS NULL",
        (order.client_id, order.symbol, order.exchange, order.strategy_name, order.product, side),
    )
    return sum((max(parse_decimal(q) - parse_decimal(f), ZERO) for q, f in rows), ZERO)
