"""Queries about external orders, which are broker orders that no row explains.

They find when an external order was first seen, which tag it carries, and which of our orders it may be.
"""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime

from domain.broker_reports import BrokerStatus, OrderReport
from domain.enums import Side
from domain.money import parse_decimal
from domain.order import Order
from domain.order_matching import SeenOrders
from domain.times import parse_time
from persistence.sqlite.rows import SELECT_ORDER, order_of


def unplaced(connection: sqlite3.Connection, client_id: str) -> list[Order]:
    """Return orders that may be live and whose broker id is not known, oldest first. Test mode is left out."""
    rows = connection.execute(
        f"{SELECT_ORDER} INDEXED BY orders_at_broker WHERE status = 'SENT_TO_BROKER' AND client_id = ? "
        "AND broker_order_id IS NULL AND test_mode IS NULL ORDER BY created_at",
        (client_id,),
    )
    return [order_of(row) for row in rows]


def sightings(connection: sqlite3.Connection, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
    """Return which of these ids belong to our rows, archived ones too, and when external ones were first seen."""
    values = {"client": client_id, "ids": json.dumps(list(broker_order_ids))}
    claimed = {row[0] for row in connection.execute(_CLAIMED, values)}
    seen = {row[0]: parse_time(row[1]) for row in connection.execute(_SEEN, values)}
    return SeenOrders(frozenset(claimed), seen)


def tagged_external(
    connection: sqlite3.Connection, client_id: str, client_order_id: str
) -> list[tuple[OrderReport, datetime]]:
    """Return the external orders that carry this tag, and when each was first seen."""
    rows = connection.execute(_TAGGED, (client_order_id, client_id)).fetchall()
    return [_noted(row) for row in rows]


def _noted(row: tuple[str, ...]) -> tuple[OrderReport, datetime]:
    number, tag, status, exchange, symbol, side, quantity, filled, product, first_seen = row
    report = OrderReport(
        broker_order_id=number,
        client_order_id=tag,
        status=BrokerStatus(status),
        exchange=exchange,
        symbol=symbol,
        side=Side(side),
        quantity=parse_decimal(quantity),
        filled_quantity=parse_decimal(filled),
        product=product,
    )
    return report, parse_time(first_seen)


# This query runs at each claim, and its partial index is nearly always empty.
_TAGGED = """
SELECT broker_order_id, client_order_id, broker_status, exchange, symbol, side, quantity, filled_quantity, product,
    first_seen_at
FROM external_orders INDEXED BY external_orders_tagged WHERE client_order_id = ? AND client_id = ?
"""

# An archived order's client is that of its alert. If the alert is missing, the id counts as claimed.
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
