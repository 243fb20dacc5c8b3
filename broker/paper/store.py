"""The paper broker's SQLite file: schema, connections, and transactions that report whether they were committed."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from domain.errors import NotSent, OutcomeUnknown, ReadFailed

T = TypeVar("T")

BUSY_SECONDS = 5.0  # how long a call waits for other writers before it gives up
_RETRY_SECONDS = (
    0.0005  # SQLite's own busy handler sleeps up to 100 ms; a transaction here takes about 0.1 ms
)
_CHECKPOINT_PAGES = (
    8000  # each checkpoint costs two fsyncs: with 32 MB between them hardly any order is delayed by one
)
_BROKEN = (sqlite3.Error, OSError, ArithmeticError, ValueError)
"""The errors of a file that is gone, full, foreign or edited by hand, and of text that SQLite cannot hold."""

_VERSION = 1
_SCHEMA = """
CREATE TABLE orders (
    sequence INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    product TEXT NOT NULL,
    side TEXT NOT NULL,
    order_type TEXT NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT,
    trigger_price TEXT,
    status TEXT NOT NULL,
    filled_quantity TEXT NOT NULL,
    filled_value TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    placed_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (client_id, client_order_id)
) STRICT;
CREATE INDEX orders_open ON orders (client_id, exchange, symbol) WHERE status IN ('OPEN', 'TRIGGER_PENDING');
CREATE INDEX orders_updated ON orders (client_id, updated_at);
CREATE TRIGGER orders_stay BEFORE DELETE ON orders
BEGIN SELECT RAISE(ABORT, 'orders are never deleted: their ids must not come again'); END;

CREATE TABLE positions (
    client_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    product TEXT NOT NULL,
    net_quantity TEXT NOT NULL,
    open_cost TEXT NOT NULL,
    realized_pnl TEXT NOT NULL,
    traded_on TEXT NOT NULL,
    PRIMARY KEY (client_id, exchange, symbol, product)
) STRICT, WITHOUT ROWID;
CREATE INDEX positions_held ON positions (client_id) WHERE net_quantity <> '0';
CREATE INDEX positions_traded ON positions (client_id, traded_on);

CREATE TABLE marks (
    client_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    price TEXT NOT NULL,
    available TEXT,
    firm INTEGER NOT NULL,
    PRIMARY KEY (client_id, exchange, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejections (
    id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    later INTEGER NOT NULL
) STRICT;
CREATE INDEX rejections_next ON rejections (client_id, symbol, id);
"""


class PaperBookTooNew(Exception):
    """The paper broker's file was written by a newer program than this one."""


def migrate(path: Path) -> None:
    """Create the file, or check that this program knows its schema. Safe to call from several processes.

    Raises:
        PaperBookTooNew: the file has a newer schema.
        OSError, sqlite3.Error: the path cannot be written, or the file is something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_private(path, ".migrate.lock")
    with open(path.with_name(path.name + ".migrate.lock"), "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise PaperBookTooNew(
                    f"{path} has schema {version}, and this program knows {_VERSION}: run the newer program"
                )
            if version == 0:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
        finally:
            connection.close()


class PaperStore:
    """Transactions on the file, with one connection for each thread. Several processes may have the file open.

    A commit is not followed by an fsync (`synchronous=NORMAL`). It survives a kill of the process at any
    instruction. After a power loss the file is sound but may lack the last commits. That is enough for
    simulated money, and makes an order several times faster.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._turn = threading.Lock()

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction. An error that it raises rolls the transaction back.

        Raises:
            NotSent: nothing was committed.
            OutcomeUnknown: the commit failed half-way.
        """
        # Threads of this process queue here: waking the next one is quicker than letting it poll the file.
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise NotSent("the paper broker is busy")
        try:
            connection, result = self._uncommitted(work)
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                self.close()
                raise OutcomeUnknown(f"the paper broker's commit failed: {error}") from error
            return result
        finally:
            self._turn.release()

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one snapshot of the file.

        Raises:
            ReadFailed: the file could not be read.
        """
        try:
            return _patiently(lambda: self._on_snapshot(work))
        except _BROKEN as error:
            self.close()
            raise ReadFailed(f"the paper broker's file could not be read: {error}") from error

    def close(self) -> None:
        """Close this thread's connection. The next call opens another."""
        connection, self._local.connection = getattr(self._local, "connection", None), None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _uncommitted(self, work: Callable[[sqlite3.Connection], T]) -> tuple[sqlite3.Connection, T]:
        """Run `work` and return with its transaction still open."""
        try:
            connection = self._connection()
            _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
            return connection, work(connection)
        except _BROKEN as error:
            self.close()  # this rolls back
            raise NotSent(f"the paper broker's file could not be written: {error}") from error
        except BaseException:
            self.close()  # a refusal, an interrupt, a defect: each must release the lock on the file
            raise

    def _on_snapshot(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection to the file that is at the path now, not to one deleted meanwhile."""
        inode = os.stat(self._path).st_ino
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.inode != inode:
            self.close()
            self._local.connection = connection = _connect(self._path)
            self._local.inode = inode
        return connection


def _make_private(path: Path, lock: str) -> None:
    """Restrict a database, its log and its lock to their owner, whether they exist already or not.

    SQLite gives its log the mode of the database. The mode is changed by path, because closing a handle of the file
    would drop SQLite's locks.
    """
    for suffix in ("", lock):
        with suppress(FileExistsError):
            os.close(os.open(f"{path}{suffix}", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    for suffix in ("", lock, "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        with suppress(
            FileNotFoundError, PermissionError
        ):  # another user's file: that user decided to share it
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def _connect(path: Path) -> sqlite3.Connection:
    """Connect to a file that exists. A missing file is not created, because it would be empty."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    return connection


def _patiently(attempt: Callable[[], T]) -> T:
    """Retry while another process locks the file, for `BUSY_SECONDS` at most."""
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            # Python raises some of these itself, without a code.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_RETRY_SECONDS)
