"""Find open orders and holdings of clients that the settings do not name."""

import sqlite3
from collections.abc import Collection
from datetime import datetime

from domain.times import time_text
from domain.unconfigured_clients import UnconfiguredRows
from persistence.sqlite.accounts import account

_OPEN = (
    "SELECT client_id, status = 'CREATED', count(*) FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER') "
    "GROUP BY 1, 2"
)
_HELD = (
    "SELECT client_id, strategy_name || ' holds ' || net_quantity || ' ' || exchange || ':' || symbol FROM holdings "
    "ORDER BY client_id, strategy_name, symbol"
)
_SERVED = "SELECT DISTINCT client_id FROM heartbeats WHERE client_id <> '' AND beat_at > ?"


def unconfigured_rows(
    connection: sqlite3.Connection, configured: Collection[str], served_since: datetime
) -> list[UnconfiguredRows]:
    """Return the open orders and holdings of clients that are not configured, sorted by client.

    A client for which a watcher has written a heartbeat since `served_since` is left out: another process with other
    settings serves it.
    """
    counts: dict[str, list[int]] = {}
    holdings: dict[str, list[str]] = {}
    for client_id, is_waiting, count in connection.execute(_OPEN):
        counts.setdefault(client_id, [0, 0])[0 if is_waiting else 1] = count
    for client_id, text in connection.execute(_HELD):
        holdings.setdefault(client_id, []).append(text)
    left = sorted((counts.keys() | holdings.keys()).difference(configured))
    if not left:
        return []
    served = {row[0] for row in connection.execute(_SERVED, (time_text(served_since),))}
    return [
        UnconfiguredRows(
            client_id,
            counts.get(client_id, [0, 0])[0],
            counts.get(client_id, [0, 0])[1],
            tuple(holdings.get(client_id, ())),
            account(connection, client_id),
        )
        for client_id in left
        if client_id not in served
    ]
