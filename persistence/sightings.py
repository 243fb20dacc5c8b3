"""The queries behind attribution: whose a broker order may be where the broker echoes nothing of ours."""

import json
import sqlite3
from collections.abc import Iterable

from domain.attribution import Sightings
from domain.order import Order
from domain.times import parse_time
from persistence.rows import SELECT_ORDER, order_of


def unplaced(connection: sqlite3.Connection, client_id: str) -> list[Order]:
    """Orders that may be live and whose broker id is not known, oldest first."""
    rows = connection.execute(
        f"{SELECT_ORDER} INDEXED BY orders_at_broker WHERE status = 'SENT_TO_BROKER' AND client_id = ? "
        "AND broker_order_id IS NULL AND test_mode IS NULL ORDER BY created_at",
        (client_id,),
    )
    return [order_of(row) for row in rows]


def sightings(connection: sqlite3.Connection, client_id: str, broker_order_ids: Iterable[str]) -> Sightings:
    """Which of these ids rows have, archived ones too, and since when the others are noted as nobody's."""
    values = {"client": client_id, "ids": json.dumps(list(broker_order_ids))}
    claimed = {row[0] for row in connection.execute(_CLAIMED, values)}
    seen = {row[0]: parse_time(row[1]) for row in connection.execute(_SEEN, values)}
    return Sightings(frozenset(claimed), seen)


# An archived order's client is its alert's; where no alert tells, the id is taken for claimed.
_CLAIMED = """
SELECT broker_order_id FROM orders
WHERE client_id = :client AND broker_order_id IN (SELECT value FROM json_each(:ids))
UNION
SELECT i.order_id FROM order_intents i JOIN archived_orders USING (command_id)
LEFT JOIN alerts a ON a.alert_id = substr(i.command_id, 1, 26)
WHERE i.order_id IN (SELECT value FROM json_each(:ids)) AND coalesce(a.client_id, :client) = :client
"""
_SEEN = """
SELECT broker_order_id, first_seen_at FROM external_orders
WHERE client_id = :client AND broker_order_id IN (SELECT value FROM json_each(:ids))
"""
