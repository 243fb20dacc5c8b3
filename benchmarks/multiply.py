"""Make a database with a long history from one with a short history: SQLite copies the rows under other ids.

With `earlier_days` the copies are dated on earlier days, a day for each copy, so a longer history is also older. The
copies keep the hash chains of their originals. Heads and links match, which is what the triggers check.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

Expressions = dict[str, str]

_ALERT_ID = "'00' || serial || substr({0}, 9)"
_TAG = "substr({0}, 1, 14) || serial"
_KEY = "{0} || '#' || serial"
_TIME = "coalesce(day, substr({0}, 1, 10)) || substr({0}, 11)"
_BROKER_ID = "CASE WHEN {0} IS NULL THEN NULL ELSE printf('P%012d', substr({0}, 2) + copy * :step) END"

_ORDERS_DB: dict[str, Expressions] = {
    "alerts": {
        "alert_id": _ALERT_ID, "idempotency_key": _KEY, "signal_id": _KEY, "received_at": _TIME,
    },
    "orders": {
        "command_id": _ALERT_ID, "alert_id": _ALERT_ID, "client_order_id": _TAG, "broker_order_id": _BROKER_ID,
        "created_at": _TIME, "expires_at": _TIME, "updated_at": _TIME, "sent_at": _TIME,
    },
    "order_events": {"event_id": "NULL", "command_id": _ALERT_ID, "at": _TIME},
    "order_intents": {
        "id": "NULL", "idempotency_key": _KEY, "signal_id": _KEY, "command_id": _ALERT_ID, "order_id": _BROKER_ID,
        "created_at": _TIME, "updated_at": _TIME,
    },
    "telegram_messages": {
        "id": "NULL", "command_id": _ALERT_ID, "alert_id": _ALERT_ID, "timestamp": _TIME, "sent_at": _TIME,
    },
}  # fmt: skip
_PAPER_DB: dict[str, Expressions] = {
    "orders": {
        "sequence": "{0} + copy * :step", "client_order_id": _TAG, "placed_at": _TIME, "updated_at": _TIME,
    },
}  # fmt: skip


def multiply(source: Path, target: Path, factor: int, *, earlier_days: bool) -> None:
    """Make `orders.db` and `paper.db` in `target` with `factor` times the orders of those in `source`."""
    for name in ("orders.db", "paper.db"):
        with closing(sqlite3.connect(source / name)) as connection:
            connection.execute("VACUUM INTO ?", (str(target / name),))
    with closing(sqlite3.connect(target / "paper.db")) as paper:
        step = paper.execute("SELECT max(sequence) FROM orders").fetchone()[0]
    for name, tables in (("orders.db", _ORDERS_DB), ("paper.db", _PAPER_DB)):
        with closing(sqlite3.connect(target / name, isolation_level=None)) as connection:
            _hasten(connection)
            _multiply(connection, tables, factor, step, earlier_days=earlier_days)
            connection.execute("PRAGMA journal_mode=WAL")


def _hasten(connection: sqlite3.Connection) -> None:
    """Turn off journal and syncs for speed.

    Nothing is lost if this fails half-way: the next run makes the whole file anew.
    """
    for pragma in (
        "journal_mode=OFF",
        "synchronous=OFF",
        "locking_mode=EXCLUSIVE",
        "cache_size=-400000",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _multiply(
    connection: sqlite3.Connection,
    tables: dict[str, Expressions],
    factor: int,
    step: int,
    *,
    earlier_days: bool,
) -> None:
    again = _take_away(connection, tuple(tables))
    connection.execute("BEGIN")
    connection.execute("CREATE TEMP TABLE copies (copy INTEGER PRIMARY KEY, serial TEXT, day TEXT)")
    connection.executemany(
        "INSERT INTO copies VALUES (?1, printf('%06d', ?1), date('now', '-' || (?2 - ?1) || ' days'))",
        [(copy, factor) for copy in range(1, factor)],
    )
    if not earlier_days:
        connection.execute("UPDATE copies SET day = NULL")
    for table, expressions in tables.items():
        _copy(connection, table, expressions, step)
    for sql in again:
        connection.execute(sql)
    connection.execute("COMMIT")


def _take_away(connection: sqlite3.Connection, tables: tuple[str, ...]) -> list[str]:
    """Drop triggers and indexes, and return the SQL that creates them again.

    Creating them is faster once all rows are there.
    """
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL "
        f"AND tbl_name IN ({', '.join('?' * len(tables))})",
        tables,
    ).fetchall()
    for kind, name, _ in rows:
        connection.execute(f'DROP {kind} "{name}"')
    return [sql for _, _, sql in rows]


def _copy(connection: sqlite3.Connection, table: str, expressions: Expressions, step: int) -> None:
    connection.execute(f"CREATE TEMP TABLE base AS SELECT * FROM main.{table}")
    columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
    values = ", ".join(expressions.get(name, "{0}").format(f"base.{name}") for name in columns)
    connection.execute(
        f"INSERT INTO main.{table} SELECT {values} FROM copies CROSS JOIN base ORDER BY copy, base.rowid",
        {"step": step} if ":step" in values else {},
    )
    connection.execute("DROP TABLE base")
