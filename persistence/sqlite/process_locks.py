"""File locks that show which watchers are alive.

Each watcher holds a lock on a file of its own. The kernel releases the lock when the process ends. A claim carries
its watcher's name, so whether the caller of an unanswered order call is gone is known, not inferred from a timeout.
This needs no clock, and no process id that may be reused.
"""

import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class ProcessLocks:
    """The lock files beside the database."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + ".watchers")
        self._held: dict[str, int] = {}

    def enter(self, name: str) -> None:
        """Hold this name until the process ends.

        Raises:
            ValueError: the name is not a valid watcher name.
            OSError: another process holds it, or the folder cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no watcher's name")
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _lock_soon(handle)
            except OSError:
                os.close(handle)
                raise
            if self._still_there(handle, name):
                self._held[name] = handle
                return
            # Between our open and lock, another process removed the file as that of an ended watcher: try again.
            os.close(handle)

    def _still_there(self, handle: int, name: str) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), (self._folder / name).stat())
        except FileNotFoundError:
            return False

    def leave(self, name: str) -> None:
        """Release the name."""
        handle = self._held.pop(name, None)
        if handle is not None:
            (self._folder / name).unlink(missing_ok=True)
            os.close(handle)

    def alive(self, name: str) -> bool:
        """Return False only if nobody holds the name: its process ended, however it ended."""
        if name in self._held:
            return True
        try:
            handle = os.open(self._folder / name, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(handle)

    def names(self) -> list[str]:
        """Return all names that a process entered, whether or not that process is alive."""
        return sorted(file.name for file in self._folder.iterdir()) if self._folder.is_dir() else []

    @contextmanager
    def ended(self) -> Iterator[list[str]]:
        """Yield the names of watchers that ended without leaving.

        They are forgotten when the block ends, but not when it fails. A process that dies while it notifies about
        them therefore leaves them to the next one. If several processes ask at once, only one gets the names.
        """
        telling = self._alone()
        try:
            files = [] if telling is None else sorted(self._folder.iterdir())
            names = [file.name for file in files if not self.alive(file.name)]
            yield names
            for name in names:
                self._remove(self._folder / name)
        finally:
            if telling is not None:
                os.close(telling)

    def _alone(self) -> int | None:
        """Take the folder's lock, or return None while another process holds it.

        The locks of the files in the folder do not serve, because a process may be waiting for one of them.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle

    def _remove(self, file: Path) -> None:
        """Remove the file while holding its lock, so that no process can take the name in between unnoticed."""
        try:
            handle = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink(missing_ok=True)
        except BlockingIOError:
            pass  # another process holds it after all
        finally:
            os.close(handle)


def _lock_soon(handle: int) -> None:
    """Take the lock, retrying for the moment in which another process may hold it to check who is alive.

    Raises:
        BlockingIOError: another process keeps holding it.
    """
    for _ in range(20):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        else:
            return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
