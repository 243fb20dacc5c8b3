"""Back up orders.db, and put a copy in its place while no process uses it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from domain.errors import OrderwatchError
from persistence.errors import DatabaseTooNew
from persistence.sqlite.identity import HAS_IDENTITY, IdentityFile, restoring_path, sync, witness_path
from persistence.sqlite.migrations import migrate, refuse_newer
from persistence.sqlite.process_locks import ProcessLocks

_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510  # the bytes that every open SQLite connection holds a lock on


class CannotRestore(OrderwatchError):
    """The backup or restore was refused. Nothing was changed."""


def backup(database: Path, target: Path) -> None:
    """Copy the database, including its log, into one file. The database may be in use.

    The copy gets an id of its own. If it is put in the database's place by hand while the service runs, the service
    detects it.

    Raises:
        CannotRestore: the target exists.
        sqlite3.Error, OSError: it could not be copied.
    """
    if target.exists():
        raise CannotRestore(f"{target} exists: name a file that does not")
    _copy(database, target)
    with closing(sqlite3.connect(target)) as copied, copied:
        if copied.execute(HAS_IDENTITY).fetchone():
            copied.execute("UPDATE database_identity SET id = lower(hex(randomblob(16)))")


def restore(database: Path, source: Path, at: datetime) -> Path | None:
    """Put a copy in the database's place. Return where the previous database is now, or None if there was none.

    The source may be the database itself: its present content is then accepted as it is. The restored database gets
    a new identity. Its generation continues from the newest that any process has seen.

    Raises:
        CannotRestore: a process has the database open, or the source is not an intact database that this version of
            Orderwatch can use. Nothing was put in place.
        sqlite3.Error, OSError: nothing was put in place, or the copy is there and could not be migrated; the start of
            the service migrates it then, or says why not.
    """
    with _alone(database):
        fresh = restoring_path(database)
        fresh.unlink(missing_ok=True)
        try:
            _copy(source, fresh)
            _prove(fresh, source)
            _new_identity(fresh, _newest(database))
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        kept = _set_aside(database, at)
        os.replace(fresh, database)
        sync(database.absolute().parent)
        witness_path(database).unlink(missing_ok=True)
        sync(database.absolute().parent)
    migrate(database)
    return kept


def _copy(source: Path, target: Path) -> None:
    # Not with `immutable`, which ignores the log: the log's content belongs to the database.
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as one,
        closing(sqlite3.connect(target)) as other,
    ):
        one.backup(other)
        other.execute("PRAGMA journal_mode=DELETE")


def _prove(path: Path, source: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        try:
            [(said, *_), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
            connection.execute("SELECT command_id FROM orders LIMIT 1").fetchall()
        except sqlite3.Error as error:
            raise CannotRestore(f"{source} is no whole database of Orderwatch: {error}") from error
    if said != "ok":
        raise CannotRestore(f"{source} is damaged: {said}")
    try:
        with closing(sqlite3.connect(path)) as connection:
            refuse_newer(connection, source)
    except DatabaseTooNew as error:
        raise CannotRestore(str(error)) from error


def _new_identity(path: Path, newest: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        if connection.execute(HAS_IDENTITY).fetchone():
            connection.execute(
                "UPDATE database_identity SET id = lower(hex(randomblob(16))), generation = max(generation, ?) + 1",
                (newest,),
            )


def _newest(database: Path) -> int:
    return IdentityFile(database).generation if witness_path(database).exists() else 0


def _set_aside(database: Path, at: datetime) -> Path | None:
    """Keep what was there, log and all: it may be wanted to see what the copy does not have.

    The log may be there alone, where a restore before this one was interrupted: it must not become the copy's.
    """
    kept = database.with_name(f"{database.name}.before-{at:%Y%m%dT%H%M%SZ}")
    existed = database.exists()
    for suffix in ("", "-wal", "-shm"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            os.replace(file, kept.with_name(kept.name + suffix))
    sync(database.absolute().parent)
    return kept if existed else None


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Make sure that no process has the database open, and that none starts meanwhile.

    Raises:
        CannotRestore: a process has it open, or a watcher runs.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with open(database.with_name(database.name + ".migrate.lock"), "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        claimants = ProcessLocks(database)
        alive = [name for name in claimants.names() if claimants.alive(name)]
        if alive:
            raise CannotRestore(
                f"watcher {', '.join(alive)} runs: stop Orderwatch first, then type this again; nothing was changed"
            )
        if database.exists() and _is_open(database):
            raise CannotRestore(
                f"a process has {database.absolute()} open: stop Orderwatch and other programs that use it (`fuser` "
                "names them), then type this again; nothing was changed"
            )
        yield


def _is_open(database: Path) -> bool:
    """Return whether a process has the database open.

    This process must have no connection of its own: closing the file here would drop that connection's locks.
    """
    with open(database, "rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError:
            return True
    return False
