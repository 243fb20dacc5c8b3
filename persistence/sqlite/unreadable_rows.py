"""Store the rows of the last read of the positions that could not be parsed.

A position that such a row may describe is unknown, not flat.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from domain.broker_reports import PositionsSnapshot, UnreadableRow
from domain.times import time_text
from persistence.sqlite.queries.statements import statement

COLUMNS = "exchange, symbol, product, row_text, has_pnl"
"""The columns of a row in the order that `rows_in` reads; `stopping.sql` lists them too."""


def save(connection: sqlite3.Connection, client_id: str, snapshot: PositionsSnapshot) -> None:
    """Replace the unreadable rows of the client's previous read with those of this read."""
    connection.execute("DELETE FROM unreadable_positions WHERE client_id = ?", (client_id,))
    connection.executemany(
        "INSERT INTO unreadable_positions VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                client_id,
                row.exchange,
                row.symbol,
                row.product,
                row.text,
                int(row.has_pnl),
                time_text(snapshot.read_started_at),
            )
            for row in snapshot.unreadable
        ],
    )


def rows_of(connection: sqlite3.Connection, client_id: str) -> tuple[UnreadableRow, ...]:
    """Return the unreadable rows of the client's last read."""
    found = connection.execute(
        f"SELECT {COLUMNS} FROM unreadable_positions WHERE client_id = ? ORDER BY rowid", (client_id,)
    )
    return rows_in(found)


def by_client(connection: sqlite3.Connection) -> dict[str, tuple[UnreadableRow, ...]]:
    """Return the unreadable rows of every client's last read. A client without any is left out."""
    clients = connection.execute("SELECT DISTINCT client_id FROM unreadable_positions ORDER BY 1").fetchall()
    return {client: rows_of(connection, client) for (client,) in clients}


def rows_in(found: Iterable[Sequence[object]]) -> tuple[UnreadableRow, ...]:
    """Convert database rows with the columns `COLUMNS`."""
    return tuple(_row(*values) for values in found)  # type: ignore[arg-type]


def hiding(
    connection: sqlite3.Connection,
    client_id: str,
    rows: Sequence[UnreadableRow],
    place: tuple[str, str, str | None],
) -> UnreadableRow | None:
    """Return the first row that makes the position at exchange, symbol and product (None: any) unknown, or None."""
    if not rows:
        return None
    exchange, symbol, product = place
    listed = connection.execute(
        statement("is_listed"),
        (client_id, exchange, symbol, product),
    ).fetchone()
    return next((r for r in rows if r.hides(exchange, symbol, product, listed=listed is not None)), None)


def _row(
    exchange: str | None, symbol: str | None, product: str | None, text: str, has_pnl: int
) -> UnreadableRow:
    return UnreadableRow(exchange, symbol, product, None, None, text, bool(has_pnl))
