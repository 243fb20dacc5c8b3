"""Create and migrate orders.db at start, with sqlite-utils' migrations.

sqlite-utils is imported only where a migration is missing: it would cost each start some 50 ms, and each process
memory.
"""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import StoreReplaced
from persistence.errors import DatabaseTooNew
from persistence.sqlite.conversation_schema import CONVERSATION
from persistence.sqlite.damage import cannot, is_lasting
from persistence.sqlite.database import connect
from persistence.sqlite.file_lock import lock_within
from persistence.sqlite.group_schema import COMBINED, GROUPS
from persistence.sqlite.id_ends import ORDERS_BY_ID_END
from persistence.sqlite.identity import WHAT_TO_DO, check_at_start, judged, restoring_path
from persistence.sqlite.operator_schema import OPERATOR_RECORDS
from persistence.sqlite.private_files import make_private, private
from persistence.sqlite.protection_schema import (
    COST_AND_TIME,
    FURTHER_TERMS,
    LOCKS,
    PROTECTIONS,
    SECOND_TRIES,
)
from persistence.sqlite.risk_schema import EQUITY_CURVE, RISK
from persistence.sqlite.schema import (
    ACCOUNTS_REMEMBERED,
    ADOPTED_UNITS,
    CLAIM_PRIORITIES,
    CLIENTS_NOT_CONFIGURED,
    DAILY_LOSS,
    DATABASE_IDENTITY,
    DETAILS_OF_REASONS,
    ENTRIES_THAT_WAIT,
    EXITS_BY_OWN_FILLS,
    FACTS_OF_MESSAGES,
    FILLS_OF_EACH_PRODUCT,
    FILLS_OF_EACH_SIDE,
    FIRST,
    HEARTBEATS_PART_BY_PART,
    OUR_TAGS_IN_THE_BOOK,
    POSITION_DIFFERENCES,
    POSITIONS_COMPARED,
    SHARES_OF_EARLIER_DAYS,
    SHOWN_WITHOUT_A_GAP,
    TOLD_ELSEWHERE,
    TOLD_ONCE,
    UNEXPLAINED_EXTERNAL_ORDERS,
    UNREADABLE_POSITIONS,
)
from persistence.sqlite.sizing import EQUITIES
from persistence.sqlite.told_by_earlier_versions import carry_over
from persistence.sqlite.triggers import sync_triggers

if TYPE_CHECKING:
    from sqlite_utils import Database

Step = Callable[["Database"], None]

_LONGEST_MIGRATION = 15.0  # seconds to wait for another process that migrates

log = logging.getLogger(__name__)

_SET = "orderwatch"  # the name of our migrations among sqlite-utils' sets
_APPLIED = "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid"
_HAS_APPLIED = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlite_migrations'"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


class MigrationList:
    """The migrations in their order. Decorate a function with an instance's call to append it."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def __call__(self) -> Callable[[Step], Step]:
        def append(step: Step) -> Step:
            self._steps.append(step)
            return step

        return append

    @property
    def names(self) -> list[str]:
        """Their names, oldest first."""
        return [step.__name__ for step in self._steps]

    def pending(self, connection: sqlite3.Connection) -> list[str]:
        """Return the names of those that this database lacks."""
        applied = set(self.applied(connection))
        return [name for name in self.names if name not in applied]

    def applied(self, connection: sqlite3.Connection) -> list[str]:
        """Return the names of those that were applied to this database, by any version."""
        if connection.execute(_HAS_APPLIED).fetchone() is None:
            return []
        return [name for (name,) in connection.execute(_APPLIED, (_SET,))]

    def apply(self, connection: sqlite3.Connection) -> None:
        """Apply those that are pending, each in a transaction together with its record."""
        if not self.pending(connection):
            return
        from sqlite_utils import Database
        from sqlite_utils.migrations import Migrations

        library = Migrations(_SET)
        for step in self._steps:
            library()(step)
        library.apply(Database(connection))


migrations = MigrationList()

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
def first_tables(db: "Database") -> None:
    """Create everything that the first version needs."""
    for script in FIRST:
        _run(db, script)


@migrations()
def position_differences(db: "Database") -> None:
    """Store the notified differences between the broker's positions and our strategies' holdings."""
    _run(db, POSITION_DIFFERENCES)


@migrations()
def fills_of_each_side(db: "Database") -> None:
    """Store when a fill of each side was last recorded. An exit waits for fills that reduce."""
    _run(db, FILLS_OF_EACH_SIDE)


@migrations()
def accounts_remembered(db: "Database") -> None:
    """Store the broker account that each client's rows belong to.

    The account of older rows is unknown, so the first account that is met takes them.
    """
    _run(db, ACCOUNTS_REMEMBERED)


@migrations()
def exits_by_own_fills(db: "Database") -> None:
    """Store what an exit named, parts of a leg, provisional absence, and which position differences are believed."""
    _run(db, EXITS_BY_OWN_FILLS)


@migrations()
def database_identity(db: "Database") -> None:
    """Store which database this is and how many commits it has seen, so that a copy put in its place is detected."""
    _run(db, DATABASE_IDENTITY)


@migrations()
def positions_compared(db: "Database") -> None:
    """Store when a client's positions were last compared with its strategies' holdings.

    A read of the positions alone is not a comparison.
    """
    _run(db, POSITIONS_COMPARED)


@migrations()
def clients_not_configured(db: "Database") -> None:
    """Store about which clients that the settings do not name a notice was sent."""
    _run(db, CLIENTS_NOT_CONFIGURED)


@migrations()
def unreadable_positions(db: "Database") -> None:
    """Store the unreadable rows of the last read of the positions, and how much of a position was delivered."""
    _run(db, UNREADABLE_POSITIONS)


@migrations()
def daily_loss(db: "Database") -> None:
    """Store what of the broker's profit and loss is today's, what two reads confirm, and an operator's lifts."""
    _run(db, DAILY_LOSS)


@migrations()
def entries_that_wait(db: "Database") -> None:
    """Store what an entry waits for before it may be sent."""
    _run(db, ENTRIES_THAT_WAIT)


@migrations()
def adopted_units(db: "Database") -> None:
    """Store permanently which units of the account a person assigned to a strategy's holding: who, when and why."""
    _run(db, ADOPTED_UNITS)


@migrations()
def our_tags_in_the_book(db: "Database") -> None:
    """Store which external orders carry a tag of this program's form. Such an order is not sent a second time."""
    _run(db, OUR_TAGS_IN_THE_BOOK)


@migrations()
def shares_of_earlier_days(db: "Database") -> None:
    """Store how much of a difference is shares that were delivered on earlier days.

    Nobody has traded these, so nobody is notified.
    """
    _run(db, SHARES_OF_EARLIER_DAYS)


@migrations()
def unexplained_external_orders(db: "Database") -> None:
    """Index by symbol the external orders that count in a position. Each exit's claim queries them."""
    _run(db, UNEXPLAINED_EXTERNAL_ORDERS)


@migrations()
def heartbeats_part_by_part(db: "Database") -> None:
    """Store what a loop waits for as data. The text in its heartbeat is only for people."""
    _run(db, HEARTBEATS_PART_BY_PART)


@migrations()
def facts_of_messages(db: "Database") -> None:
    """Store a message's content as data beside its text, for folding messages into digests."""
    _run(db, FACTS_OF_MESSAGES)


@migrations()
def details_of_reasons(db: "Database") -> None:
    """Store separately what a reason's message says beyond its tag's sentence."""
    _run(db, DETAILS_OF_REASONS)


@migrations()
def told_once(db: "Database") -> None:
    """Store by key which notices were sent and must not be sent again. Move there what was remembered elsewhere."""
    _run(db, TOLD_ONCE)
    carry_over(db)
    _run(db, TOLD_ELSEWHERE)


@migrations()
def differences_shown_without_a_gap(db: "Database") -> None:
    """Store since when each read has shown a difference, and units that positions showed before the order book did."""
    _run(db, SHOWN_WITHOUT_A_GAP)


@migrations()
def claim_priorities(db: "Database") -> None:
    """Give each order, old ones too, its claim priority as a number, and index the claimable orders by it."""
    _run(db, CLAIM_PRIORITIES)


@migrations()
def fills_of_each_product(db: "Database") -> None:
    """Store when a fill was last recorded for each product too: an exit of one takes nothing from another."""
    _run(db, FILLS_OF_EACH_PRODUCT)


@migrations()
def protections(db: "Database") -> None:
    """Store the protections of positions with their history, and the last prices that they look at."""
    _run(db, PROTECTIONS)


@migrations()
def second_tries_of_protections(db: "Database") -> None:
    """Store which exits a protection follows, and when it asks again after one that failed."""
    _run(db, SECOND_TRIES)


@migrations()
def further_terms_of_protections(db: "Database") -> None:
    """Store what protects a position beyond one stop, one target and a trail: several targets with shares."""
    _run(db, FURTHER_TERMS)


@migrations()
def cost_and_time_of_protections(db: "Database") -> None:
    """Store that a stop was moved to cost, and when a protection exits by the clock."""
    _run(db, COST_AND_TIME)


@migrations()
def risk(db: "Database") -> None:
    """Store profit and loss by our own fills, and what stops entries. Fills of before are not counted."""
    _run(db, RISK)


@migrations()
def telegram_conversation(db: "Database") -> None:
    """Store how far each bot was listened to, what operators asked for in a chat, and muted chats."""
    _run(db, CONVERSATION)


@migrations()
def equities(db: "Database") -> None:
    """Store the equity of each client, by which entries are sized."""
    _run(db, EQUITIES)


@migrations()
def leg_groups(db: "Database") -> None:
    """Store the groups of entries that are judged together. Alerts of before have none, and are told as they were."""
    _run(db, GROUPS)


@migrations()
def equity_curve(db: "Database") -> None:
    """Store what each client's profit and loss stood at, a point a minute at most."""
    _run(db, EQUITY_CURVE)


@migrations()
def operator_records(db: "Database") -> None:
    """Store what operators decided about what needs them, and the day's course of profit and loss."""
    _run(db, OPERATOR_RECORDS)


@migrations()
def orders_by_id_end(db: "Database") -> None:
    """Index orders by the end of their alert's id, for the search by what a message ends with."""
    _run(db, ORDERS_BY_ID_END)


@migrations()
def locks_of_protections(db: "Database") -> None:
    """Store how much of a profit a protection has locked."""
    _run(db, LOCKS)


@migrations()
def combined_protection_of_groups(db: "Database") -> None:
    """Store what protects a group of legs as a whole, and which groups are watched."""
    _run(db, COMBINED)


def _run(db: "Database", script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)


def migrate(path: Path) -> None:
    """Migrate orders.db to this program's schema, creating it if needed. Safe to call from several processes.

    Raises:
        StoreReplaced: it is not the database that was last written to.
        DatabaseTooNew: it has a migration that this program does not know.
        StoreUnavailable: it cannot be read or written at present, in particular while the disk is full.
        OSError, sqlite3.Error: the place cannot be written.
        RuntimeError: a table is missing after the migration.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(path.name + ".migrate.lock"), "w", opener=private) as turn:
        lock_within(turn, _LONGEST_MIGRATION)
        is_new = not path.exists()  # before `make_private`, which creates the file
        if is_new and restoring_path(path).exists():
            raise _restore_did_not_end(path)
        make_private(path, ".migrate.lock")
        try:
            with closing(connect(path)) as connection:
                present = _migrate(path, connection, is_new=is_new)
        except sqlite3.DatabaseError as error:
            raise _named(path, error) from error
    for table in TABLES:
        if table not in present:
            raise RuntimeError(f"{path}: table {table} is missing")
        log.info("[BOOT] %s table OK", table)


def _migrate(path: Path, connection: sqlite3.Connection, *, is_new: bool) -> set[str]:
    """Apply the missing migrations. Return the tables that exist afterwards."""
    refuse_newer(connection, path)
    for pending in migrations.pending(connection):
        log.info("[BOOT] migrating %s: %s", path.name, pending)
    migrations.apply(connection)
    sync_triggers(connection)
    check_at_start(path, connection, is_new=is_new)
    return {name for (name,) in connection.execute(_TABLES)}


def check_identity(path: Path) -> None:
    """Check that a database that another process has migrated is still the one that was in use.

    Raises:
        StoreReplaced: it is not.
    """
    if not path.exists():
        raise StoreReplaced(f"{path.absolute()} was removed; {WHAT_TO_DO}")
    try:
        with closing(connect(path)) as connection:
            check_at_start(path, connection, is_new=False)
    except sqlite3.DatabaseError as error:
        raise _named(path, error) from error


def _restore_did_not_end(path: Path) -> StoreReplaced:
    return StoreReplaced(
        f"{path.absolute()} is not there: a restore did not end, and left {restoring_path(path).name}. Type "
        "`python cli.py restore FILE` again; what was there before lies beside it as *.before-*. To begin with an "
        f"empty database instead, remove {restoring_path(path).name}"
    )


def _named(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """Return the error to raise, so that a damaged file, a full disk and a busy database are distinguished."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return judged(path, error)
    return cannot(path, error) if is_lasting(error) else error


def refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DatabaseTooNew when a newer program than this one has migrated the database."""
    known = set(migrations.names)
    unknown = [name for name in migrations.applied(connection) if name not in known]
    if unknown:
        raise DatabaseTooNew(
            f"{path} was migrated by a newer Orderwatch ({', '.join(unknown)}): run that version, or restore a backup"
        )
