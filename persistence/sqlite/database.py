"""Connections to SQLite, and the group commit that makes durable writes cheap.

`synchronous=FULL` in WAL costs one fsync per commit. Writers of one process that arrive while a commit is under way
are committed together by the next leader, each inside its own savepoint. This costs one fsync, and each writer still
succeeds or fails alone.
"""

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from domain.errors import StoreFull, StoreReplaced, StoreUnavailable
from persistence.sqlite.damage import cannot, is_lasting, no_room
from persistence.sqlite.identity import IdentityFile, IdentityGuard, judged, witness_path

T = TypeVar("T")

BUSY_SECONDS = 2.0  # how long a writer waits for other processes: alert platforms give up after 3 s
_RETRY_SECONDS = 0.0002  # SQLite's own busy handler sleeps up to 100 ms; a commit here takes about 1 ms
_PAGE_BYTES = 1024  # of a new database: a single commit touches many pages, and writes each of them
_CHECKPOINT_PAGES = 80_000  # a safety net only: the watcher checkpoints, so that no webhook has to
_MAX_BATCH = 64
_ASK_SECONDS = 0.1  # between two questions whether another program has committed
# Between two transactions of one process. It is longer than other processes' retry interval, so none is starved.
_PAUSE_SECONDS = 0.0006


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection with our common settings: WAL, durable, autocommit, waiting for other writers.

    Raises:
        sqlite3.Error: the file cannot be opened or is no database.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")  # has no effect on a database that has pages
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    connection.execute("PRAGMA temp_store=MEMORY")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


class _Job:
    __slots__ = ("done", "error", "result", "wake", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.done = False
        self.wake = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


class GroupCommit:
    """Runs the write work of many threads on one connection, many jobs per transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._queue: deque[_Job] = deque()
        self._turn = threading.Lock()
        self._ended_at = 0.0
        self._guard = IdentityGuard(path)
        self.replaced: StoreReplaced | None = None  # why this process must not write any more, once known
        self._failed: tuple[StoreUnavailable, int] | None = None  # with the number of commits at that time

    def run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run the work in a durable transaction and return its result. It must use nothing but the connection.

        Whatever `work` raises is raised unchanged.

        Raises:
            StoreUnavailable: nothing was kept.
        """
        job = _Job(work)
        self._queue.append(job)
        while not job.done:
            if self._turn.acquire(blocking=False):
                try:
                    self._lead()
                finally:
                    self._turn.release()
                    self._hand_on()
            else:
                job.wake.wait()
                job.wake.clear()
        if job.error is not None:
            raise job.error
        return job.result

    def _hand_on(self) -> None:
        """Wake one of the threads that arrived meanwhile to lead next. The last leader returns to its own caller."""
        with contextlib.suppress(IndexError):
            self._queue[0].wake.set()

    def look(self) -> None:
        """Check that the file is still the database that was in use, without writing to it.

        Raises:
            StoreReplaced: it is not. This object writes nothing any more.
            StoreUnavailable: whether it is cannot be determined at present.
        """
        with self._turn:
            if self.replaced is None:
                try:
                    self._guard.look()
                except StoreReplaced as error:
                    self.replaced = error
            if self.replaced is not None:
                raise self.replaced

    @property
    def unwritable(self) -> StoreUnavailable | None:
        """Why nothing can be written at present, or None.

        Either the disk is full, or the last write failed and no process has committed since.
        """
        failed, full = self._failed, no_room(self._path)
        if failed is not None and failed[1] == self._guard.commits:
            return failed[0]
        return None if full is None else StoreFull(full)

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _lead(self) -> None:
        self._let_others_in()
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), _MAX_BATCH))]
        if not batch:  # another leader took the jobs meanwhile: avoid an empty commit
            return
        failure: StoreUnavailable = StoreUnavailable("orders.db: the commit was interrupted")
        committed = False
        try:
            if self.replaced is not None:
                raise self.replaced
            connection = self._begin()
            self._guard.enter(connection)
            for job in batch:
                _run_alone(connection, job, savepoint=len(batch) > 1)
            if len(batch) > 1 or batch[0].error is None:  # else the only job failed and was rolled back
                connection.execute("COMMIT")
                self._guard.committed()
                self._failed = None
            committed = True
        except StoreReplaced as error:
            failure = self.replaced = error
        except StoreUnavailable as error:
            failure = self._noted(error)
        except sqlite3.Error as error:
            self._discard()  # before the file is checked, so that others can write meanwhile
            failure = self._failure(error)
        finally:  # whatever interrupts the leader, no caller may learn that its work was kept when it was not
            if not committed:
                self._discard()
            for job in batch:
                if not committed and job.error is None:
                    job.error = failure
                job.done = True
                job.wake.set()
            self._ended_at = time.monotonic()

    def _failure(self, error: sqlite3.Error) -> StoreUnavailable:
        """Return the store error for a SQLite error.

        A retry does not repair a damaged file, so it is distinguished from a busy database and from a full disk.
        """
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            failure = cannot(self._path, error)
            return self._noted(failure) if is_lasting(error) else failure
        failure = judged(self._path, error)
        if isinstance(failure, StoreReplaced):
            self.replaced = failure
            return failure
        return self._noted(failure)

    def _noted(self, failure: StoreUnavailable) -> StoreUnavailable:
        self._failed = (failure, self._guard.commits)
        return failure

    def _let_others_in(self) -> None:
        """Pause, so that other processes can take SQLite's write lock.

        The lock is not fair: the process that has just released it would mostly take it again. Jobs that arrive
        during the pause are committed together.
        """
        pause = self._ended_at + _PAUSE_SECONDS - time.monotonic()
        if pause > 0:
            time.sleep(pause)

    def _begin(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path)
            self._connection.execute("PRAGMA busy_timeout=0")  # the loop below waits in finer steps
            self._guard.opened()
        give_up = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return self._connection
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(_RETRY_SECONDS)

    def _discard(self) -> None:
        """Close the connection: after a failed commit nothing on it can be trusted. The next commit opens a new one."""
        if self._connection is not None:
            try:
                self._connection.close()
            finally:
                self._connection = None


_FATAL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT,
          sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOTADB}  # fmt: skip
"""Errors that concern the database, not the statement: the whole batch fails."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _run_alone(connection: sqlite3.Connection, job: _Job, *, savepoint: bool) -> None:
    """Run one job so that its failure affects no other job.

    The only job of a transaction needs no savepoint for that.
    """
    if savepoint:
        job.result, job.error = attempt(connection, lambda: job.work(connection))
        return
    job.result, job.error = _result_of(lambda: job.work(connection))
    if job.error is not None and connection.in_transaction:
        connection.execute("ROLLBACK")


def attempt(connection: sqlite3.Connection, work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """Run the work in a savepoint. Return its result, or its error after what it did was rolled back.

    Raises:
        sqlite3.Error: the error concerns the database, not the work: the whole transaction fails.
    """
    connection.execute("SAVEPOINT attempt")
    result, error = _result_of(work)
    if error is not None:
        connection.execute("ROLLBACK TO attempt")
    connection.execute("RELEASE attempt")
    return result, error


def _result_of(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return work(), None
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _FATAL:
            raise
        return None, error
    except Exception as error:  # noqa: BLE001 - works that share a transaction each get their own error
        return None, error


class Readers:
    """One read connection per thread, so that reads never wait for writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def get(self) -> sqlite3.Connection:
        """Return this thread's connection.

        Raises:
            StoreUnavailable: the database cannot be opened.
        """
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = connect(self._path, read_only=True)
            except sqlite3.Error as error:
                raise StoreUnavailable(f"orders.db: {error}") from error
            self._local.connection = connection
        return connection


class ChangeSignal:
    """Detects commits of any process by SQLite's own counter.

    There is no message to lose and nothing to clean up.

    Whether it is worth asking SQLite is known from memory that our processes share: the number of their commits. A
    query costs a tenth of a millisecond when nothing else has run meanwhile, which is most of what an idle watcher
    does. A commit of another program, which does not count there, is noticed within a tenth of a second.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._connection = connect(path, read_only=True)
        self._shared = IdentityFile(path) if witness_path(path).exists() else None
        self._generation, self._asked_at = self._commits(), monotonic()
        self._seen = self._version()

    def changed(self) -> bool:
        """Return True if something was committed since the last call. It takes a few microseconds."""
        generation, now = self._commits(), self._monotonic()
        if (
            generation == self._generation
            and now - self._asked_at < _ASK_SECONDS
            and self._shared is not None
        ):
            return False
        self._generation, self._asked_at = generation, now
        version = self._version()
        changed, self._seen = version != self._seen, version
        return changed

    def _commits(self) -> int:
        return 0 if self._shared is None else self._shared.generation

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def checkpoint_wal(path: Path) -> None:
    """Move committed pages from the log into the database, without making any reader or writer wait.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        connection.close()
