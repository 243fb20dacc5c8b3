"""Determine whether a database that could not be read or written is damaged, or only has no room at present.

A checkpoint that a full disk (or a kill) ends midway leaves some pages of a commit in the main file and others not.
That file alone is malformed, but nothing is lost, because the log still has every page. Therefore:

- A database that one check calls damaged is checked again several times, as SQLite itself reads it, including the
  log, on a connection of its own.
- While the disk is full, nothing is called damaged at all.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from domain.errors import StoreFull, StoreUnavailable

_NO_ROOM = 1 << 20  # bytes free
_TRIES, _PAUSE = 4, 0.25  # checks, and seconds between them: alert platforms give up after 3 s
_LOOK_SECONDS = 0.25  # how long one check searches the pages for damage; in a large database not all of them
_STEPS = 1000  # of SQLite's virtual machine, between two reads of the clock
_DAMAGE = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}  # SQLITE_ERROR: a table is missing
_GONE = {errno.ENOENT, errno.ENOTDIR}
_CANNOT = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

Check = Callable[[sqlite3.Connection], str | None]


def no_room(path: Path) -> str | None:
    """Return a message if hardly anything can be written on the disk, or None if there is room."""
    try:
        found = os.statvfs(path.absolute().parent)
    except OSError:
        return None  # a write there will report the error itself
    free = found.f_bavail * found.f_frsize
    if free >= _NO_ROOM:
        return None
    return f"the disk is full: {free >> 10} KiB free in {path.absolute().parent}"


def cannot(path: Path, error: Exception) -> StoreUnavailable:
    """Return the store error for an error that says nothing about the database itself.

    Nothing was kept, and the work may be tried again.
    """
    full = no_room(path) if isinstance(error, OSError) or is_lasting(error) else None
    if full is None and _code(error) != sqlite3.SQLITE_FULL and getattr(error, "errno", 0) != errno.ENOSPC:
        return StoreUnavailable(f"{path.name}: {error}")
    full = full or f"the disk is full, or what this user may write on it: {path.absolute().parent}"
    return StoreFull(f"{path.name}: {error}; {full}; nothing can be kept until there is room")


def is_lasting(error: Exception) -> bool:
    """Return True for an error that the next write will meet too, unlike that of a database that was only busy."""
    return _code(error) in _CANNOT


def is_gone(error: OSError) -> bool:
    """Return True if the path does not exist. A path that could only not be accessed is not gone."""
    return error.errno in _GONE


def damage(path: Path, check: Check) -> str | None:
    """Return what is wrong with the database as SQLite reads it, including the log, or None if it is intact.

    It counts as damaged only if several checks in a row fail. `check` returns what is wrong with what it reads on
    the connection.

    Raises:
        StoreUnavailable: this cannot be determined at present, in particular while the disk is full.
    """
    found = None
    for round_ in range(_TRIES):
        time.sleep(_PAUSE if round_ else 0.0)
        found = _look(path, check)
        if found is None:
            return None
    if no_room(path) is not None:
        raise cannot(path, OSError(errno.ENOSPC, str(found)))
    return found


def _look(path: Path, check: Check) -> str | None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return check(connection) or _search(connection)
    except sqlite3.Error as error:
        if _code(error) in _DAMAGE:
            return f"it is damaged ({error})"
        raise cannot(path, error) from error


def _search(connection: sqlite3.Connection) -> str | None:
    """Search the pages for damage, for at most `_LOOK_SECONDS`. Return what is wrong, or None."""
    give_up = time.monotonic() + _LOOK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > give_up, _STEPS)
    try:
        [(said, *_), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    return None if said == "ok" else f"it is damaged ({said})"


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
