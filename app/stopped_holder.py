"""End a process that was stopped inside a write to orders.db: it holds SQLite's write lock, and so blocks every exit.

The kernel says which process holds the lock, and whether that process is stopped. No database is queried, so nothing
here can wait for the lock itself.

Ending the holder is safe: SQLite rolls back what it had not committed, and nobody has received an answer for it.

A process that is halted by a debugger is not ended, nor is one that merely works for a long time.
"""

import fcntl
import logging
import os
import signal
import struct
import sys
import time
from pathlib import Path

log = logging.getLogger("app.stopped_holder")

_WRITER = 120
"""The byte of the -shm file that a writer locks (SQLite's WAL_WRITE_LOCK)."""

_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid
_PATIENCE = 3.0  # seconds; a person may stop a process briefly to inspect it


class StoppedHolder:
    """Finds and ends a stopped process that holds a database's write lock.

    Must run in a process that has no connection to the database open.
    """

    def __init__(self, database: Path, *, patience: float = _PATIENCE) -> None:
        self._shm = database.with_name(database.name + "-shm")
        self._patience = patience
        self._seen: tuple[int, float] | None = None

    def look(self) -> int | None:
        """End the holder if it was stopped for longer than the patience; returns its process id if it was ended."""
        pid = writer_of(self._shm)
        if pid is None or not is_stopped(pid):
            self._seen = None
            return None
        if self._seen is None or self._seen[0] != pid:
            self._seen = (pid, time.monotonic())
            return None
        if time.monotonic() - self._seen[1] < self._patience:
            return None
        self._seen = None
        return _end(pid)


def _end(pid: int) -> int | None:
    log.critical(
        "process %d was stopped in the middle of a write to orders.db and held up every exit: it is ended, and what it "
        "had not committed is undone",
        pid,
    )
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        log.critical("process %d cannot be ended (%s): end it, or no order moves", pid, error.strerror)
        return None
    return pid


def writer_of(shm: Path) -> int | None:
    """The process that holds the write lock now; None when there is none, or when the system does not say."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        handle = os.open(shm, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _WRITER, 1, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, wanted))
    except OSError:
        return None
    finally:
        os.close(handle)
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None


def is_stopped(pid: int) -> bool:
    """True while the process is stopped by a signal, as by Ctrl-Z."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state == "T"
