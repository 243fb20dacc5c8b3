"""Queries about external orders, which are broker orders that no row explains.

They find when an external order was first seen, which tag it carries, and which of our orders it may be.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.broker_reports import BrokerStatus, OrderReport
from domain.enums import Side
from domain.money import parse_decimal
from domain.order import Order
from domain.order_matching import SeenOrders
from domain.times import parse_time
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import order_of, orders_statement


def unplaced(connection: sqlite3.Connection, client_id: str) -> list[Order]:
    """Return orders that may be live and whose broker id is not known, oldest first. Test mode is left out."""
    rows = connection.execute(orders_statement("unplaced"), (client_id,))
    return [order_of(row) for row in rows]


def sightings(connection: sqlite3.Connection, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
    """Return which of these ids belong to our rows, archived ones too, and when external ones were first seen."""
    values = {"client": client_id, "ids": json.dumps(list(broker_order_ids))}
    claimed = {row[0] for row in connection.execute(statement("ids_of_ours"), values)}
    seen = {row[0]: parse_time(row[1]) for row in connection.execute(statement("first_seen"), values)}
    return SeenOrders(frozenset(claimed), seen)


def tagged_external(
    connection: sqlite3.Connection, client_id: str, client_order_id: str
) -> list[tuple[OrderReport, datetime]]:
    """Return the external orders that carry this tag, and when each was first seen."""
    rows = connection.execute(statement("tagged_external"), (client_order_id, client_id)).fetchall()
    return [_noted(row) for row in rows]


def tagged_among(connection: sqlite3.Connection, client_id: str, client_order_ids: Sequence[str]) -> set[str]:
    """Return those of the tags that external orders carry."""
    rows = connection.execute(
        "SELECT client_order_id FROM external_orders INDEXED BY external_orders_tagged "
        "WHERE client_order_id IN (SELECT value FROM json_each(?)) AND client_id = ?",
        (json.dumps(client_order_ids), client_id),
    )
    return {tag for (tag,) in rows}


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
