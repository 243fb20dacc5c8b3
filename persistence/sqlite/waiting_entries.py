"""Find entries that wait for something else to happen first."""

import sqlite3

from domain.order import Order
from persistence.sqlite.rows import order_of, orders_statement


def waiting_for(connection: sqlite3.Connection, order: Order) -> list[Order]:
    """Return the waiting entries that may be waiting for this order.

    These are the waiting entries of its alert, and those of its strategy in its symbol.
    """
    rows = connection.execute(
        orders_statement("waiting_for"),
        (
            order.client_id,
            order.alert_id,
            order.strategy_name,
            order.symbol,
            order.exchange,
            order.command_id,
        ),
    )
    return [order_of(row) for row in rows]


def clients_with_any(connection: sqlite3.Connection) -> set[str]:
    """Return the clients that have an entry which waits. The index has nothing but such entries."""
    rows = connection.execute(
        "SELECT DISTINCT client_id FROM orders INDEXED BY orders_waiting "
        "WHERE status = 'CREATED' AND waits_for IS NOT NULL"
    )
    return {client_id for (client_id,) in rows}
