"""What the command line shows of orders and alerts; the same questions can be put to orders.db and to the archive."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can only read and never makes a file.

    Raises:
        sqlite3.Error: there is no database.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders; None: any."""

    status: str | None = None
    symbol: str | None = None
    strategy_name: str | None = None
    client_id: str | None = None
    limit: int = 50


def list_orders(connection: sqlite3.Connection, wanted: Wanted) -> list[Row]:
    """Orders that fit, newest first."""
    filters = {
        name: getattr(wanted, name)
        for name in ("status", "symbol", "strategy_name", "client_id")
        if getattr(wanted, name) is not None
    }
    where = f"WHERE {' AND '.join(f'{name} = :{name}' for name in filters)}" if filters else ""
    return _rows(
        connection,
        f"SELECT * FROM orders {where} ORDER BY created_at DESC, command_id DESC LIMIT :limit",
        {**filters, "limit": wanted.limit},
    )


def matching_ids(connection: sqlite3.Connection, text: str, *, limit: int = 10) -> list[str]:
    """The command_id that is the text, else those that end with it."""
    if _rows(connection, "SELECT 1 FROM orders WHERE command_id = :id", {"id": text}):
        return [text]
    rows = _rows(
        connection,
        "SELECT command_id FROM orders WHERE substr(command_id, -length(:end)) = :end LIMIT :limit",
        {"end": text, "limit": limit},
    )
    return [row["command_id"] for row in rows]


def story_of(connection: sqlite3.Connection, command_id: str) -> dict[str, Any]:
    """An order's row, events and messages, as `order`, `events` and `messages`."""
    return {
        "order": _rows(connection, "SELECT * FROM orders WHERE command_id = :id", {"id": command_id})[0],
        "events": _rows(
            connection,
            "SELECT * FROM order_events WHERE command_id = :id ORDER BY event_id",
            {"id": command_id},
        ),
        "messages": _rows(
            connection,
            "SELECT * FROM telegram_messages WHERE command_id = :id ORDER BY id",
            {"id": command_id},
        ),
    }


def kept_alert(connection: sqlite3.Connection, alert_id: str) -> Row | None:
    """An alert as it was delivered, its secret masked."""
    return next(iter(_rows(connection, "SELECT * FROM alerts WHERE alert_id = :id", {"id": alert_id})), None)


def _rows(connection: sqlite3.Connection, query: str, values: dict[str, Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query, values)]
