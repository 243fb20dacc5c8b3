"""Query what may be sent now, and what stands in its way."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from domain.claim_priority import EXITS, LAST
from domain.order import Order
from domain.reason_codes import Reason, tag_of
from domain.times import time_text
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import SELECT_ORDER, order_of, orders_statement

# No order is postponed for longer. A `not_before` beyond that was written before the clock was set back: ignore it.
_LONGEST_WAIT = timedelta(seconds=10)


def claimable(
    connection: sqlite3.Connection, client_id: str, now: datetime, *, limit: int, exits_only: bool
) -> list[Order]:
    """List the orders that may be sent now, in the order in which they are claimed."""
    values = (*_claim_values(client_id, now, exits_only=exits_only), limit)
    return [order_of(row) for row in connection.execute(orders_statement("claimable"), values).fetchall()]


def has_work(connection: sqlite3.Connection, client_id: str, now: datetime, *, exits_only: bool) -> bool:
    """Return True when the client has an order that may be sent now."""
    values = _claim_values(client_id, now, exits_only=exits_only)
    return connection.execute(statement("has_claimable"), values).fetchone() is not None


def _claim_values(client_id: str, now: datetime, *, exits_only: bool) -> tuple[str, str, str, int]:
    """The values of `claimable.sql` up to its last priority."""
    return client_id, time_text(now), time_text(now + _LONGEST_WAIT), EXITS if exits_only else LAST


def unmoved(connection: sqlite3.Connection, orders: Sequence[Order]) -> set[str]:
    """Return the ids of the orders whose rows are still as given."""
    given = {order.command_id: order.event_hash for order in orders}
    rows = connection.execute(
        "SELECT command_id, event_hash FROM orders WHERE command_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(given)),),
    )
    return {command_id for command_id, head in rows if given[command_id] == head}


def full_exits_after(connection: sqlite3.Connection, entry: Order) -> list[Order]:
    """List the exits without a quantity that the entry's strategy registered in its symbol after it, latest first."""
    values = (*_place(entry), tag_of(Reason.NO_POSITION))
    rows = connection.execute(orders_statement("full_exits_after"), values).fetchall()
    return [order_of(row) for row in rows]


def get_all(connection: sqlite3.Connection, command_ids: Iterable[str]) -> dict[str, Order]:
    """Return those of the orders that there are, by id."""
    ids = json.dumps(list(command_ids))
    rows = connection.execute(f"{SELECT_ORDER} WHERE command_id IN (SELECT value FROM json_each(?))", (ids,))
    return {order.command_id: order for order in map(_order_of, rows)}


_order_of = lru_cache(maxsize=4096)(order_of)
"""Reads that come every second mostly find the rows of the second before."""


def orders_of_alert(connection: sqlite3.Connection, alert_id: str) -> list[Order]:
    """Return the legs of an alert in their order, without further parts of exits."""
    rows = connection.execute(
        f"{SELECT_ORDER} WHERE alert_id = ? AND parent_command_id IS NULL ORDER BY leg_index", (alert_id,)
    )
    return [order_of(row) for row in rows]


def parts(connection: sqlite3.Connection, command_id: str) -> list[Order]:
    """List the further parts of a leg in the order in which they were registered."""
    rows = connection.execute(
        f"{SELECT_ORDER} WHERE parent_command_id = ? ORDER BY length(command_id), command_id", (command_id,)
    )
    return [order_of(row) for row in rows]


def with_full_exit(connection: sqlite3.Connection, entries: Sequence[Order]) -> set[str]:
    """Return the ids of the entries after which there is such an exit."""
    places = json.dumps([_place(entry) for entry in entries])
    rows = connection.execute(statement("with_full_exit"), (places, tag_of(Reason.NO_POSITION)))
    return {command_id for (command_id,) in rows}


def _place(entry: Order) -> tuple[str, ...]:
    return entry.client_id, entry.symbol, entry.strategy_name, entry.command_id, entry.exchange
