"""Find entries that wait for something else to happen first."""

import sqlite3

from domain.order import Order
from persistence.sqlite.rows import SELECT_ORDER, order_of


def waiting_for(connection: sqlite3.Connection, order: Order) -> list[Order]:
    """Return the waiting entries that may be waiting for this order.

    These are the waiting entries of its alert, and those of its strategy in its symbol.
    """
    rows = connection.execute(
        f"{SELECT_ORDER} INDEXED BY orders_waiting WHERE status = 'CREATED' AND waits_for IS NOT NULL "
        "AND client_id = ?1 AND not_before IS NOT NULL AND command_id <> ?6 "
        "AND (alert_id = ?2 OR (strategy_name, symbol, exchange) = (?3, ?4, ?5))",
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
