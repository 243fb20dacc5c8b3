"""What the command line shows of orders and alerts; the same questions can be put to orders.db and to the archive."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Story = dict[str, Any]


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


def strategies_of(connection: sqlite3.Connection, client_id: str) -> list[str]:
    """The strategies of which the client has orders, by name."""
    rows = connection.execute(_STRATEGIES, {"client": client_id})
    return sorted(name for (name,) in rows)


def find_story(paths: Iterable[Path], text: str) -> tuple[list[str], Story | None]:
    """The order whose id is the text, or is the only one to end with it, in the first of these databases that has one.

    The id of its alert serves as well, where the alert has no other leg there. Returns the ids that fit, and the
    story when it is one: its row, events and messages as `order`, `events` and `messages`. A database that is not
    there has no orders.
    """
    for path in paths:
        if path.exists():
            with looking(path) as connection:
                ids = _matching_ids(connection, text)
                if ids:
                    return ids, _story_of(connection, ids[0]) if len(ids) == 1 else None
    return [], None


def _matching_ids(connection: sqlite3.Connection, text: str) -> list[str]:
    for query in (_BY_ID, _BY_ALERT, _BY_END):
        ids = [row["command_id"] for row in _rows(connection, query, {"id": text})] if text else []
        if ids:
            return ids
    return []


def legs_of(paths: Iterable[Path], text: str) -> list[Row]:
    """The legs of the alert that the text means; none where it means one order, or orders of several alerts."""
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


def _story_of(connection: sqlite3.Connection, command_id: str) -> Story:
    queries = {
        "order": _ORDER,
        "events": "SELECT * FROM order_events WHERE command_id = :id ORDER BY event_id",
        "messages": "SELECT * FROM telegram_messages WHERE command_id = :id ORDER BY id",
    }
    found: Story = {name: _rows(connection, query, {"id": command_id}) for name, query in queries.items()}
    return found | {"order": found["order"][0]}


def kept_alert(connection: sqlite3.Connection, alert_id: str) -> Row | None:
    """An alert as it was delivered, its secret masked."""
    return next(iter(_rows(connection, "SELECT * FROM alerts WHERE alert_id = :id", {"id": alert_id})), None)


def _rows(connection: sqlite3.Connection, query: str, values: dict[str, Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query, values)]


_ORDER = "SELECT * FROM orders WHERE command_id = :id"
_LEGS = "SELECT * FROM orders WHERE alert_id = :id ORDER BY leg_index, command_id"
_BY_ID = "SELECT command_id FROM orders WHERE command_id = :id"
_BY_ALERT = "SELECT command_id FROM orders WHERE alert_id = :id ORDER BY leg_index"
_BY_END = (
    "SELECT command_id FROM orders WHERE substr(command_id, -length(:id)) = :id "
    "OR substr(alert_id, -length(:id)) = :id ORDER BY alert_id, leg_index LIMIT 10"
)

# Each part reads an index of its statuses alone, which for the closed ones holds all that is asked: no row is read.
_STRATEGIES = " UNION ".join(
    f"SELECT strategy_name FROM orders INDEXED BY {index} WHERE {status} AND client_id = :client"
    for index, status in (
        ("orders_closed", "status IN ('EXECUTED', 'FAILED')"),
        ("orders_at_broker", "status = 'SENT_TO_BROKER'"),
        ("orders_claimable", "status = 'CREATED'"),
    )
)
