"""Open orders.db by its URL. Only this package decides, and knows, which kind of database it is."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from domain.database_url import sqlite_path
from domain.message_facts import MessageFacts
from domain.notices import Notice
from domain.ports import (
    Clock,
    ConversationStore,
    Journal,
    OperatorRecords,
    OutboxStore,
    ProcessStore,
    ReadModel,
    Row,
    Wanted,
)
from persistence.errors import UnknownDatabase
from persistence.reports import ArchiveProgress, Expected, Finding, Report
from persistence.sqlite.sqlite_database import SqliteDatabase

Figures = Mapping[str, Mapping[str, float]]
"""Metric name → label → figure."""
Timings = Mapping[str, Mapping[str, Sequence[float]]]
"""Metric name → label → the seconds that each of the things took that ended lately."""


class Changes(Protocol):
    """Detects commits of any process."""

    def changed(self) -> bool:
        """Return True if something was committed since the last call."""


class OrderFinder(Protocol):
    """What an operator asks of orders.db and of its archive. Each raises `StoreUnavailable` when it cannot be read.

    No method creates a database, migrates it or writes to it.
    """

    def orders(self, wanted: Wanted, *, limit: int) -> list[Row]:
        """Return matching orders, newest first; see `ReadModel.orders`."""

    def frozen_orders(self, sent_before: datetime, *, limit: int) -> list[Row]:
        """See `ReadModel.frozen_orders`."""

    def strategies(self, client_id: str) -> list[str]:
        """List the strategies that have orders of the client, by name."""

    def find_story(self, text: str) -> tuple[list[str], dict[str, Any] | None]:
        """Find orders by the end of their id, or of their alert's; of exactly one, return its story as well."""

    def legs_of(self, text: str) -> list[Row]:
        """Return the legs of the alert that the text means; none if it means one order, or orders of several."""

    def kept_alert(self, alert_id: str) -> Row | None:
        """Return an alert as it was delivered, with its secret masked, or None."""


class DatabaseCare(Protocol):
    """What keeps a database sound. Each raises `StoreUnavailable` or OSError when it cannot be done."""

    def exists(self) -> bool:
        """Return True when there is a database, migrated or not."""

    def migrate(self) -> None:
        """Bring it to this program's schema, creating it if needed. Safe to call from several processes.

        Raises:
            StoreReplaced: it is not the database that was last written to.
            DatabaseTooNew: it has a migration that this program does not know.
            FileLocked: another process that migrates did not end in time.
        """

    def check_identity(self) -> None:
        """Check that a database that another process has migrated is still the one that was in use.

        Raises:
            StoreReplaced: it is not.
        """

    def identity(self) -> str:
        """Return the start of the database's id, for a health check, or "" if none was recorded yet."""

    def commits(self) -> int:
        """Return how many commits any process is known to have made; 0 where that is not known."""

    def move_log(self) -> None:
        """Move committed pages from the log into the database, without making any reader or writer wait."""

    def checkpoint_events(self, now: datetime) -> None:
        """Cover all order events by checkpoints of the event chain."""

    def archive(self, *, older_than: datetime, batch: int, now: datetime) -> ArchiveProgress:
        """Move one batch of closed orders that have not changed since `older_than`, until it returns NOTHING."""

    def verify(self) -> Report:
        """Check that the database and its archive still match what happened."""

    def backup(self, target: Path) -> None:
        """Copy the database into a file that does not exist yet; it may be in use.

        Raises:
            CannotRestore: the target exists.
        """

    def restore(self, source: Path, at: datetime) -> Path | None:
        """Put a copy in the database's place; returns where the previous one is now, or None if there was none.

        Raises:
            CannotRestore: it is in use, or the source is no database of ours. Nothing was put in place.
        """

    def check_up(self, now: datetime, expected: Expected) -> list[Finding]:
        """Return findings about everything that the database shows, without changing anything."""


class Database(OrderFinder, DatabaseCare, Protocol):
    """One orders database, and everything that is opened on it."""

    def store(
        self,
        *,
        clock: Clock,
        render: Callable[[Notice], str],
        facts_of: Callable[[Notice], MessageFacts | None] = lambda notice: None,
        journal: Journal | None = None,
    ) -> ProcessStore:
        """Open the store.

        Args:
            clock: gives the time of messages and of state changes.
            render: turns a notice into text; the outbox keeps the text.
            facts_of: returns the content of that text as data, kept beside it.
            journal: does each write with the store's own `write`, and notes what it did. None: nothing is noted.
        """

    def queries(self) -> ReadModel:
        """Open the read model. Each thread reads on its own, and never waits for a writer."""

    def outbox(self) -> OutboxStore:
        """Open the outbox. Its commits are its own, so that no order queues behind a message."""

    def conversations(self) -> ConversationStore:
        """Open the rows of the conversation with operators. Its commits are its own, as those of the outbox."""

    def operator_records(self) -> OperatorRecords:
        """Open what the console keeps of its own. Its commits are its own, as those of the outbox."""

    def changes(self) -> Changes:
        """Watch for commits of any process."""

    def metrics(self, now: datetime) -> Figures:
        """Return the figures for `/metrics`. Ages are in seconds. Raises StoreUnavailable or OSError."""

    def timings(self, now: datetime) -> Timings:
        """Return how long things took that ended lately, for `/metrics`. Raises StoreUnavailable."""


def open_database(url: str | Path, *, setting: str = "ORDERS_DB") -> Database:
    """Return the database that a URL (`sqlite:///path`) or a plain path names. Nothing is opened or created yet.

    Args:
        url: as the setting gives it.
        setting: the name of the setting, for the error.

    Raises:
        UnknownDatabase: the URL has another scheme, or names no file.
    """
    try:
        path = url if isinstance(url, Path) else Path(sqlite_path(url))
    except ValueError as error:
        raise UnknownDatabase(f"{setting}: {error}") from None
    return SqliteDatabase(path)


def library_version() -> str:
    """Return the name and version of the library that reads the database, for the doctor."""
    return SqliteDatabase.library_version()
