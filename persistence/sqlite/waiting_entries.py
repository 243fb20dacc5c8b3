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
