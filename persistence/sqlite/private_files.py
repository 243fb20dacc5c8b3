"""Restrict database files to their owner.

They record what was traded and by whom, so no other user of the machine may read them.
"""

import os
from contextlib import suppress
from pathlib import Path


def private(path: str, flags: int) -> int:
    """Open a file; a file that is created is accessible to its owner only. Pass this to `open` as `opener`."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def make_private(path: Path, lock: str) -> None:
    """Restrict a database, its log and its lock to their owner, whether they exist already or not.

    SQLite gives its log the mode of the database. The mode of an existing file is changed by path: closing a handle
    of the file would drop SQLite's locks.
    """
    for suffix in ("", lock):
        with suppress(FileExistsError):
            os.close(os.open(f"{path}{suffix}", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    for suffix in ("", lock, "-wal", "-shm", ".generation"):
        file = path.with_name(path.name + suffix)
        # PermissionError: the file belongs to another user, who decides whether it is shared.
        with suppress(FileNotFoundError, PermissionError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
