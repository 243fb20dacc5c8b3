"""Find orders and alerts by what an operator types, and tell an order's story.

The same queries run on orders.db and on the archive.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from persistence.sqlite.differences import Row, rows_of
from persistence.sqlite.id_ends import ids_ending

Story = dict[str, Any]


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection that can only read and never creates a file.

    Raises:
        sqlite3.Error: there is no database.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def strategies_of(connection: sqlite3.Connection, client_id: str) -> list[str]:
    """Return the strategies of which the client has orders, sorted by name."""
    rows = connection.execute(_STRATEGIES, {"client": client_id})
    return sorted(name for (name,) in rows)


def find_story(paths: Iterable[Path], text: str) -> tuple[list[str], Story | None]:
    """Find an order by its id or the end of its id, in the first of these databases that has a match.

    The id of its alert, or the end of that, serves as well if the alert has no other leg there. A database that does
    not exist has no orders.

    Returns:
        The matching ids and, if there is exactly one, the order's story: its row, events and messages as `order`,
        `events` and `messages`.
    """
    for path in paths:
        if path.exists():
            with looking(path) as connection:
                ids = _matching_ids(connection, text)
                if ids:
                    return ids, story_of(connection, ids[0]) if len(ids) == 1 else None
    return [], None


def _matching_ids(connection: sqlite3.Connection, text: str) -> list[str]:
    for query in (_BY_ID, _BY_ALERT):
        ids = [row["command_id"] for row in _rows(connection, query, {"id": text})] if text else []
        if ids:
            return ids
    ending = json.dumps(ids_ending(connection, text))
    return [row["command_id"] for row in _rows(connection, _IN_ORDER, {"ids": ending})]


def legs_of(paths: Iterable[Path], text: str) -> list[Row]:
    """Return the legs of the alert that the text means; none if it means one order, or orders of several alerts."""
    for path in paths:
        if path.exists():
            with looking(path) as connection:
                ids = _matching_ids(connection, text)
                if len(ids) > 1:
                    alerts = {_rows(connection, _ORDER, {"id": id_})[0]["alert_id"] for id_ in ids}
                    return _rows(connection, _LEGS, {"id": alerts.pop()}) if len(alerts) == 1 else []
                if ids:
                    return []
    return []


def story_of(connection: sqlite3.Connection, command_id: str) -> Story | None:
    """Return an order with its `events` and `messages`, in order, from orders.db or the archive; None: not there."""
    queries = {
        "order": _ORDER,
        "events": "SELECT * FROM order_events WHERE command_id = :id ORDER BY event_id",
        "messages": "SELECT * FROM telegram_messages WHERE command_id = :id ORDER BY id",
    }
    found: Story = {name: _rows(connection, query, {"id": command_id}) for name, query in queries.items()}
    return found | {"order": found["order"][0]} if found["order"] else None


def kept_alert(connection: sqlite3.Connection, alert_id: str) -> Row | None:
    """Return an alert as it was delivered, with its secret masked, or None."""
    return next(iter(_rows(connection, "SELECT * FROM alerts WHERE alert_id = :id", {"id": alert_id})), None)


def _rows(connection: sqlite3.Connection, query: str, values: dict[str, Any]) -> list[Row]:
    return rows_of(connection, query, values)


_ORDER = "SELECT * FROM orders WHERE command_id = :id"
_LEGS = "SELECT * FROM orders WHERE alert_id = :id ORDER BY leg_index, command_id"
_BY_ID = "SELECT command_id FROM orders WHERE command_id = :id"
_BY_ALERT = "SELECT command_id FROM orders WHERE alert_id = :id ORDER BY leg_index"
_IN_ORDER = (
    "SELECT command_id FROM orders WHERE command_id IN (SELECT value FROM json_each(:ids)) "
    "ORDER BY alert_id, leg_index LIMIT 10"
)

# Each part reads an index of its statuses only. For closed orders the index covers the query, so no row is read.
_STRATEGIES = " UNION ".join(
    f"SELECT strategy_name FROM orders INDEXED BY {index} WHERE {status} AND client_id = :client"
    for index, status in (
        ("orders_closed", "status IN ('EXECUTED', 'FAILED')"),
        ("orders_at_broker", "status = 'SENT_TO_BROKER'"),
        ("orders_claimable", "status = 'CREATED'"),
    )
)
