"""Move closed orders out of orders.db into an archive beside it, one batch at a time.

An order moves with its events and messages, and only together with the other legs of its alert. `alerts` and
`order_intents` stay for ever. Their keys make a repeated signal a duplicate, and keep a new alert's intent from
taking an old one's client order id.

A batch is first copied and committed in the archive. Then it is recorded in `archived_orders` and deleted, in one
transaction of orders.db. If the process is killed between the two, the next run copies the same rows again and goes
on.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from domain.times import time_text
from persistence.reports import NOTHING, ArchiveProgress
from persistence.sqlite.audit.checkpoints import last_checkpoint, make_checkpoint
from persistence.sqlite.database import connect
from persistence.sqlite.file_lock import lock_within
from persistence.sqlite.migrations import migrations
from persistence.sqlite.private_files import make_private
from persistence.sqlite.queries.statements import statement

_LONGEST_TURN = 15.0  # seconds to wait for another process that archives


def archive_beside(path: Path) -> Path:
    """Return the path of the archive of an orders.db."""
    return path.with_name("archive.db")


def archive(
    path: Path, archive_path: Path, *, older_than: datetime, batch: int, now: datetime
) -> ArchiveProgress:
    """Move one batch of closed orders that have not changed since `older_than`. Call again until it returns NOTHING.

    Orders with a pending message are not moved yet. New orders reuse the space that moved orders leave in orders.db;
    the file does not shrink. The write lock is held for about 30 ms with 500 orders.

    Args:
        path: orders.db, already migrated.
        archive_path: the archive; created if it does not exist.
        older_than: the last change of each leg of an alert must lie before this.
        batch: orders chosen; the other legs of their alerts come with them.
        now: the time that is recorded with each order.

    Raises:
        ValueError: `batch` is not positive.
        sqlite3.Error, OSError: one of the databases cannot be written; nothing is lost.
    """
    if batch < 1:
        raise ValueError("batch must be positive")
    _make_archive(archive_path)
    with closing(connect(path)) as connection:
        connection.execute("ATTACH ? AS archive", (str(archive_path.absolute()),))
        connection.execute("PRAGMA archive.synchronous=FULL")
        connection.execute("CREATE TEMP TABLE moving (command_id TEXT PRIMARY KEY, alert_id, event_hash)")
        covered = _cover(connection, now)
        copied = _copy(connection, time_text(older_than), covered, batch)
        return _remove(connection, time_text(now)) if copied else NOTHING


def _make_archive(path: Path) -> None:
    """Create the tables of orders.db in the archive.

    They lack the triggers of orders.db, which would refuse rows that are copied as they are. Triggers of their own
    make `orders` and `order_events` append-only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    make_private(path, ".lock")
    with open(path.with_name(path.name + ".lock"), "w") as turn, closing(connect(path)) as connection:
        lock_within(turn, _LONGEST_TURN)
        migrations.apply(connection)
        for table in ("orders", "order_events"):
            connection.execute(
                f"CREATE TRIGGER IF NOT EXISTS {table}_kept BEFORE DELETE ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the archive is kept'); END"
            )
            connection.execute(
                f"CREATE TRIGGER IF NOT EXISTS {table}_unchanged BEFORE UPDATE ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the archive is kept'); END"
            )


def _cover(connection: sqlite3.Connection, now: datetime) -> int:
    """Bring the checkpoints up to date and return the last event they cover.

    An event must be covered before it moves, because a checkpoint is made only from what is in orders.db.
    """
    more = True
    while more:
        with _transaction(connection, "IMMEDIATE"):
            more = make_checkpoint(connection, now)
    return last_checkpoint(connection)[0]


_MOVING = "command_id IN (SELECT command_id FROM temp.moving)"
_COPY = (
    # Replaced: an interrupted move may have left a copy, and the order may have changed since.
    f"INSERT OR REPLACE INTO archive.orders ({{stored}}) SELECT {{stored}} FROM main.orders WHERE {_MOVING}",
    f"INSERT OR REPLACE INTO archive.telegram_messages SELECT * FROM main.telegram_messages WHERE {_MOVING}",
    f"INSERT OR IGNORE INTO archive.order_events SELECT * FROM main.order_events WHERE {_MOVING}",
)


def _copy(connection: sqlite3.Connection, cutoff: str, covered: int, batch: int) -> int:
    """Choose the next batch and commit its copy in the archive. Return how many orders it has."""
    with _transaction(connection, "DEFERRED"):  # takes the archive's write lock only
        connection.execute("DELETE FROM temp.moving")
        connection.execute(
            statement("choose_archivable"), {"cutoff": cutoff, "covered": covered, "batch": batch}
        )
        stored = _stored_columns(connection)
        for copy in _COPY:
            connection.execute(copy.format(stored=stored))
    return int(connection.execute("SELECT count(*) FROM temp.moving").fetchone()[0])


def _stored_columns(connection: sqlite3.Connection) -> str:
    """Return the columns of an order, without those that the database computes: they cannot be written."""
    return ", ".join(
        name for (name,) in connection.execute("SELECT name FROM pragma_table_info('orders', 'main')")
    )


def _remove(connection: sqlite3.Connection, at: str) -> ArchiveProgress:
    """Record the copied batch as archived and delete it, except alerts that changed since the copy."""
    with _transaction(connection, "IMMEDIATE"):
        connection.execute(statement("leave_changed"))
        connection.execute(
            "INSERT INTO main.archived_orders SELECT command_id, event_hash, ? FROM temp.moving", (at,)
        )
        # No notice is sent any more about an archived order.
        connection.execute(f"DELETE FROM main.told_notices WHERE {_MOVING}")
        events = connection.execute(f"DELETE FROM main.order_events WHERE {_MOVING}").rowcount
        orders = connection.execute(f"DELETE FROM main.orders WHERE {_MOVING}").rowcount
        messages = connection.execute(
            f"DELETE FROM main.telegram_messages AS m WHERE {_MOVING} "
            "AND EXISTS (SELECT 1 FROM archive.telegram_messages a WHERE a.id = m.id)"
        ).rowcount
    return ArchiveProgress(orders, events, messages)


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
