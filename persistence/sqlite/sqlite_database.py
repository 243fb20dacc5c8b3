"""Everything that is opened on one orders.db. SQLite's own errors end here: callers meet `StoreUnavailable`."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from domain.errors import StoreUnavailable
from domain.ports import Clock, Journal, Row, Transaction, Wanted
from persistence.reports import ArchiveProgress, Expected, Finding, Report
from persistence.sqlite.archive import archive, archive_beside
from persistence.sqlite.audit.checkpoints import make_checkpoint
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.conversations import SqliteConversations
from persistence.sqlite.database import ChangeSignal, GroupCommit, Readers, checkpoint_wal
from persistence.sqlite.doctor import check_up
from persistence.sqlite.identity import IdentityFile, noted_id, witness_path
from persistence.sqlite.migrations import check_identity, migrate
from persistence.sqlite.operator_records import SqliteOperatorRecords
from persistence.sqlite.outbox import SqliteOutbox
from persistence.sqlite.queries.archived_orders import Story, find_story, kept_alert, legs_of, looking
from persistence.sqlite.queries.metrics import ClosedCounts, figures, room, timings
from persistence.sqlite.queries.orders import OrderQueries
from persistence.sqlite.repository import OrderRepository
from persistence.sqlite.restore import backup, restore
from persistence.sqlite.transaction import FactsOf, Render

T = TypeVar("T")


class SqliteDatabase:
    """Implement `persistence.database.Database` on the SQLite file at `path`. Nothing is opened before it is used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed_counts = ClosedCounts()

    # what a process opens -------------------------------------------------------------------------------------

    def store(
        self,
        *,
        clock: Clock,
        render: Render,
        facts_of: FactsOf = lambda notice: None,
        journal: Journal | None = None,
    ) -> OrderRepository:
        if journal is None:
            return OrderRepository(self._path, clock=clock, render=render, facts_of=facts_of)
        return _JournaledRepository(
            self._path, clock=clock, render=render, facts_of=facts_of, journal=journal
        )

    def queries(self) -> OrderQueries:
        return OrderQueries(self._readers)

    def outbox(self) -> SqliteOutbox:
        return SqliteOutbox(GroupCommit(self._path), self._readers)

    def conversations(self) -> SqliteConversations:
        return SqliteConversations(GroupCommit(self._path), self._readers)

    def operator_records(self) -> SqliteOperatorRecords:
        return SqliteOperatorRecords(GroupCommit(self._path), self._readers)

    def changes(self) -> ChangeSignal:
        with _as_unavailable():
            return ChangeSignal(self._path)

    def metrics(self, now: datetime) -> Mapping[str, Mapping[str, float]]:
        with _as_unavailable():
            return figures(self._readers, self._closed_counts, now) | room(self._path)

    def timings(self, now: datetime) -> Mapping[str, Mapping[str, Sequence[float]]]:
        with _as_unavailable():
            return timings(self._readers, now)

    @cached_property
    def _readers(self) -> Readers:
        return Readers(self._path)

    @cached_property
    def _commits(self) -> GroupCommit:
        """The housekeeping's own, so that no order queues behind it."""
        return GroupCommit(self._path)

    # what an operator asks ------------------------------------------------------------------------------------

    def orders(self, wanted: Wanted, *, limit: int) -> list[Row]:
        with self._looking() as queries:
            return queries.orders(wanted, limit=limit)[0]

    def frozen_orders(self, sent_before: datetime, *, limit: int) -> list[Row]:
        with self._looking() as queries:
            return queries.frozen_orders(sent_before, limit=limit)

    def strategies(self, client_id: str) -> list[str]:
        with self._looking() as queries:
            return queries.strategies(client_id)

    def find_story(self, text: str) -> tuple[list[str], Story | None]:
        with _as_unavailable():
            return find_story((self._path, archive_beside(self._path)), text)

    def legs_of(self, text: str) -> list[Row]:
        with _as_unavailable():
            return legs_of((self._path, archive_beside(self._path)), text)

    def kept_alert(self, alert_id: str) -> Row | None:
        with _as_unavailable(), looking(self._path) as connection:
            return kept_alert(connection, alert_id)

    @contextmanager
    def _looking(self) -> Iterator[OrderQueries]:
        """The read model on a connection that can only read, and creates no file."""
        with _as_unavailable(), looking(self._path) as connection:
            yield OrderQueries(_OneConnection(connection))

    # care -----------------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        return self._path.exists()

    def migrate(self) -> None:
        with _as_unavailable():
            migrate(self._path)

    def check_identity(self) -> None:
        with _as_unavailable():
            check_identity(self._path)

    def identity(self) -> str:
        return noted_id(self._path)

    def commits(self) -> int:
        return 0 if self._witness is None else self._witness.generation

    @cached_property
    def _witness(self) -> IdentityFile | None:
        return IdentityFile(self._path) if witness_path(self._path).exists() else None

    def move_log(self) -> None:
        with _as_unavailable():
            checkpoint_wal(self._path)

    def checkpoint_events(self, now: datetime) -> None:
        with _as_unavailable():
            while self._commits.run(lambda connection: make_checkpoint(connection, now)):
                pass

    def archive(self, *, older_than: datetime, batch: int, now: datetime) -> ArchiveProgress:
        with _as_unavailable():
            beside = archive_beside(self._path)
            return archive(self._path, beside, older_than=older_than, batch=batch, now=now)

    def verify(self) -> Report:
        with _as_unavailable():
            return verify(self._path, archive_beside(self._path))

    def backup(self, target: Path) -> None:
        with _as_unavailable():
            backup(self._path, target)

    def restore(self, source: Path, at: datetime) -> Path | None:
        with _as_unavailable():
            return restore(self._path, source, at)

    def check_up(self, now: datetime, expected: Expected) -> list[Finding]:
        with _as_unavailable():
            return list(check_up(self._path, now, expected))

    @staticmethod
    def library_version() -> str:
        """See `persistence.database.library_version`."""
        return f"SQLite {sqlite3.sqlite_version}"


class _JournaledRepository(OrderRepository):
    """The order repository, whose writes a journal follows."""

    def __init__(
        self, path: Path, *, clock: Clock, render: Render, facts_of: FactsOf, journal: Journal
    ) -> None:
        super().__init__(path, clock=clock, render=render, facts_of=facts_of)
        self._journal = journal

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self._journal(super().write, work)


class _OneConnection:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self) -> sqlite3.Connection:
        return self._connection


@contextmanager
def _as_unavailable() -> Iterator[None]:
    """Raise an error of SQLite as `StoreUnavailable`, with its own words."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from error
