"""Holdings: rows of what strategies hold, kept in the transaction that records the fill."""

import sqlite3
from decimal import Decimal

from domain.enums import ExecutionType
from domain.holdings import Held, effects_of, touches_holdings
from domain.money import ZERO, decimal_text, parse_decimal
from domain.order import Order
from domain.order_events import column
from persistence.sqlite.differences import take_elsewhere
from persistence.sqlite.queries.statements import statement


def follow_fill(connection: sqlite3.Connection, before: Order, after: Order) -> None:
    """Write what a change of an order does to the holdings of its strategy: see `domain.holdings.effects_of`."""
    if not touches_holdings(before, after):
        return
    effects = effects_of(
        before, after, _held_by_product(connection, after), lambda: _still_to_come(connection, after)
    )
    if effects.is_fill:
        connection.execute(
            "INSERT OR REPLACE INTO last_fills VALUES (?, ?, ?, ?)",
            (after.client_id, after.symbol, after.side, column(after.updated_at)),
        )
    if effects.taken_elsewhere:
        take_elsewhere(connection, after, effects.taken_elsewhere)
    for product, held in effects.held.items():
        _write(connection, after, product, held)


def _held_by_product(connection: sqlite3.Connection, order: Order) -> dict[str, Held]:
    rows = connection.execute(
        "SELECT product, net_quantity, entries FROM holdings WHERE client_id = ? AND symbol = ? AND exchange = ? "
        "AND strategy_name = ?",
        (order.client_id, order.symbol, order.exchange, order.strategy_name),
    )
    return {product: Held(parse_decimal(net), int(entries)) for product, net, entries in rows}


def _write(connection: sqlite3.Connection, order: Order, product: str, held: Held) -> None:
    key = (order.client_id, order.symbol, order.exchange, order.strategy_name, product)
    if held.net:
        values = (*key, decimal_text(held.net), held.entries, column(order.updated_at))
        connection.execute(statement("put_holding"), values)
    else:
        connection.execute(
            "DELETE FROM holdings WHERE client_id = ? AND symbol = ? AND exchange = ? AND strategy_name = ? "
            "AND product = ?",
            key,
        )


def _still_to_come(connection: sqlite3.Connection, order: Order) -> Decimal:
    """What entries at the broker may still fill of what this order, or the exit that it came after, is about."""
    side = order.side if order.execution_type is ExecutionType.ENTRY else order.side.opposite
    rows = connection.execute(
        statement("entries_at_broker"),
        (order.client_id, order.symbol, order.exchange, order.strategy_name, order.product, side),
    )
    return sum((max(parse_decimal(q) - parse_decimal(f), ZERO) for q, f in rows), ZERO)
