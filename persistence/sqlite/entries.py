"""The entries of a strategy that are under way."""

import sqlite3

from domain.order import Order
from persistence.sqlite.rows import order_of, orders_statement


def open_entries(connection: sqlite3.Connection, client_id: str, strategy_name: str) -> list[Order]:
    """List the strategy's entries that have not ended, oldest first, in test mode too."""
    rows = connection.execute(orders_statement("entries_under_way"), (client_id, strategy_name))
    return [order_of(row) for row in rows]


class EntryTables:
    """Part of a transaction."""

    _connection: sqlite3.Connection

    def open_entries(self, client_id: str, strategy_name: str) -> list[Order]:
        return open_entries(self._connection, client_id, strategy_name)
