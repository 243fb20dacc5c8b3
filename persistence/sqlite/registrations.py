"""Write the registrations of a batch: one statement for each table."""

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from domain.order import Order
from domain.order_events import OrderEvent, column
from domain.ports import Registration
from domain.times import time_text
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import INSERT_ALERT, INSERT_ORDER, ORDER_COLUMNS, alert_row

INSERT_INTENT = (
    "INSERT INTO order_intents (idempotency_key, signal_id, command_id, symbol, side, status, created_at, updated_at) "
    "VALUES (?, ?, ?, ?, ?, 'PENDING', ?, ?)"
)
_MOST_ROWS = 16  # of one statement: each number of rows is a statement of its own in the connection's cache


def add_registrations(connection: sqlite3.Connection, registrations: Sequence[Registration]) -> None:
    """Write alerts with the one order that each of them makes.

    Triggers and UNIQUE keys judge every row, as they do where rows are written one by one.

    Raises:
        sqlite3.IntegrityError: one of the rows may not be written.
    """
    for first in range(0, len(registrations), _MOST_ROWS):
        some = registrations[first : first + _MOST_ROWS]
        # A trigger wants an order's event to be there before its row.
        insert_rows(connection, statement("add_event"), [event_row(each.change.event) for each in some])
        insert_rows(
            connection, INSERT_ORDER, [[each.change.row[name] for name in ORDER_COLUMNS] for each in some]
        )
        insert_rows(
            connection,
            INSERT_INTENT,
            [intent_row(each.change.after, each.intent, each.alert.signal_id) for each in some],
        )
        insert_rows(connection, INSERT_ALERT, [alert_row(each.alert) for each in some])


def event_row(e: OrderEvent) -> tuple[Any, ...]:
    """An event's columns in the order of `add_event.sql`."""
    return (
        e.command_id, time_text(e.at), e.from_status, e.to_status, e.from_phase, e.to_phase, e.tag, e.actor,
        e.detail_json, e.previous_hash, e.hash,
    )  # fmt: skip


def intent_row(order: Order, key: str, signal_id: str | None) -> tuple[Any, ...]:
    """An intent's columns in the order of `INSERT_INTENT`."""
    at = column(order.created_at)
    return key, signal_id, order.command_id, order.symbol, order.side, at, at


def insert_rows(connection: sqlite3.Connection, insert: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute an INSERT of one row, which ends with its values, for all of these rows."""
    for first in range(0, len(rows), _MOST_ROWS):
        some = rows[first : first + _MOST_ROWS]
        connection.execute(_for_rows(insert, len(some)), list(chain.from_iterable(some)))


@cache
def _for_rows(insert: str, count: int) -> str:
    head, values, row = insert.rpartition("VALUES ")
    return head + values + ", ".join([row] * count)
