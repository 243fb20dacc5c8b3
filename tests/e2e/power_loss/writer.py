"""A program that makes orders.db and commits to it, a line on its output for each commit that is durable.

`python -m tests.e2e.power_loss.writer DATABASE COMMITS [SYNCHRONOUS]`; the last word plants another durability.
"""

import sqlite3
import sys
from pathlib import Path

from persistence.sqlite import database
from persistence.sqlite.migrations import migrate


def main(path: Path, commits: int, planted: str | None) -> None:
    """Count on from what is there."""
    if planted is not None:
        _plant(planted)
    migrate(path)
    writer = database.GroupCommit(path)
    for _ in range(commits):
        print(writer.run(_count), flush=True)


def _count(connection: sqlite3.Connection) -> int:
    [(number,)] = connection.execute("SELECT count(*) FROM halts").fetchall()
    connection.execute("INSERT INTO halts VALUES ('writer', ?, 'now', 'a test', 'to see')", (f"{number:06}",))
    return int(number)


def _plant(synchronous: str) -> None:
    connect = database.connect

    def planted(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        connection = connect(path, read_only=read_only)
        connection.execute(f"PRAGMA synchronous={synchronous}")
        return connection

    database.connect = planted


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
