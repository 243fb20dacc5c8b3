"""What entries are sized by, and where an exit of a template finds what it closes."""

import sqlite3

from domain.enums import Side
from domain.money import decimal_text, parse_decimal
from domain.sizing import Equity
from domain.times import parse_time, time_text
from persistence.sqlite.queries.statements import statement

EQUITIES = """
CREATE TABLE equities (
    client_id TEXT PRIMARY KEY,
    amount TEXT NOT NULL,
    read_at TEXT NOT NULL,
    source TEXT NOT NULL
) STRICT;
"""


def equity(connection: sqlite3.Connection, client_id: str) -> Equity | None:
    """Return the last equity that was read of a client; None while none was."""
    row = connection.execute(
        "SELECT amount, read_at, source FROM equities WHERE client_id = ?", (client_id,)
    ).fetchone()
    return None if row is None else Equity(parse_decimal(row[0]), parse_time(row[1]), row[2])


class SizingTables:
    """Part of a transaction."""

    _connection: sqlite3.Connection

    def equity(self, client_id: str) -> Equity | None:
        return equity(self._connection, client_id)

    def keep_equity(self, client_id: str, read: Equity) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO equities VALUES (?, ?, ?, ?)",
            (client_id, decimal_text(read.amount), time_text(read.at), read.source),
        )

    def open_as_asked(
        self, client_id: str, strategy_name: str, asked: str, side: Side | None = None
    ) -> list[tuple[str, str]]:
        found = self._connection.execute(statement("open_as_asked"), (client_id, strategy_name, asked, side))
        return sorted(found)
