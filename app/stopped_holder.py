"""Ends a process that was stopped inside a write to orders.db: it holds SQLite's lock, and with it every exit.

The kernel says who holds the lock, and whether that process is stopped; no database is asked, so nothing here can wait
for the lock itself. Ending the holder is safe: SQLite takes back what it had not committed, and what it was about to
answer was answered to nobody. A debugger's halt ends nothing, nor does a process that merely works for long.
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
_PATIENCE = 3.0  # seconds: somebody may stop a process for a look and let it go on


class StoppedHolder:
    """Looks for a stopped process that holds the writer's lock of a database. Must run where no connection is open."""

    def __init__(self, database: Path, *, patience: float = _PATIENCE) -> None:
        self._shm = database.with_name(database.name + "-shm")
        self._patience = patience
        self._seen: tuple[int, float] | None = None

    def look(self) -> int | None:
        """End the holder if it has been stopped for long; returns its process id when that was done."""
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
    """The process that writes to the database at this moment; None where there is none, or the system does not say."""
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
    """True while a signal has stopped it, as by Ctrl-Z."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state == "T"
