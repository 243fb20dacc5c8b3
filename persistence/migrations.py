"""Making and migrating orders.db at start, by sqlite-utils' migrations."""

import fcntl
import logging
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from persistence.schema import (
    ACCOUNTS_REMEMBERED,
    DAILY_LOSS,
    EXITS_BY_OWN_FILLS,
    FILLS_OF_EACH_SIDE,
    FIRST,
    POSITION_DIFFERENCES,
)
from persistence.sqlite import connect
from persistence.triggers import sync_triggers

log = logging.getLogger(__name__)

migrations = Migrations("orderwatch")

TABLES = (
    "alerts",
    "orders",
    "order_events",
    "order_intents",
    "telegram_messages",
    "positions",
    "heartbeats",
    "halts",
)


@migrations()
def first_tables(db: Database) -> None:
    """Everything that the first version needs."""
    for script in FIRST:
        _run(db, script)


@migrations()
def position_differences(db: Database) -> None:
    """What was told of positions that are not as our strategies hold them."""
    _run(db, POSITION_DIFFERENCES)


@migrations()
def fills_of_each_side(db: Database) -> None:
    """When a fill of each side was last recorded: an exit waits for those that reduce."""
    _run(db, FILLS_OF_EACH_SIDE)


@migrations()
def accounts_remembered(db: Database) -> None:
    """Whose orders each client's rows are; of older rows nobody knows, so the first account that is met takes them."""
    _run(db, ACCOUNTS_REMEMBERED)


@migrations()
def exits_by_own_fills(db: Database) -> None:
    """What an exit named, parts of a leg, provisional absence, and which differences at the broker are believed."""
    _run(db, EXITS_BY_OWN_FILLS)


@migrations()
def daily_loss(db: Database) -> None:
    """What of the broker's profit and loss is today's, what two reads confirm, and an operator's lifts."""
    _run(db, DAILY_LOSS)


def _run(db: Database, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)


class DatabaseTooNew(Exception):
    """The database was migrated by a newer program than this one."""


def migrate(path: Path) -> None:
    """Bring orders.db to this program's schema, making it if need be; safe to call from several processes.

    Raises:
        DatabaseTooNew: it has a migration that this program does not know.
        OSError, sqlite3.Error: the place cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(path.name + ".migrate.lock"), "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        connection = connect(path)
        try:
            db = Database(connection)
            _refuse_newer(db, path)
            for pending in migrations.pending(db):
                log.info("[BOOT] migrating %s: %s", path.name, pending.name)
            migrations.apply(db)
            sync_triggers(connection)
            present = set(db.table_names())
        finally:
            connection.close()
    for table in TABLES:
        if table not in present:
            raise RuntimeError(f"{path}: table {table} is missing")
        log.info("[BOOT] %s table OK", table)


def _refuse_newer(db: Database, path: Path) -> None:
    known = {m.name for m in migrations._migrations}
    unknown = [m.name for m in migrations.applied(db) if m.name not in known]
    if unknown:
        raise DatabaseTooNew(
            f"{path} was migrated by a newer Orderwatch ({', '.join(unknown)}): run that version, or restore a backup"
        )
