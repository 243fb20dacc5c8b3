"""Databases hold what was traded and by whom: no other user of the machine reads them."""

import os
from contextlib import suppress
from pathlib import Path


def private(path: str, flags: int) -> int:
    """Open a file that, where it is made, is its owner's alone: the `opener` of `open`."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def make_private(path: Path, lock: str) -> None:
    """Let a database, its log and its lock be their owner's alone, whether they are there already or not.

    SQLite gives its log the mode of the database. By path: closing a handle of the file would drop SQLite's locks.
    """
    for suffix in ("", lock):
        with suppress(FileExistsError):
            os.close(os.open(f"{path}{suffix}", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    for suffix in ("", lock, "-wal", "-shm", ".generation"):
        file = path.with_name(path.name + suffix)
        with suppress(
            FileNotFoundError, PermissionError
        ):  # another user's: that it is shared was decided there
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
