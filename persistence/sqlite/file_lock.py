"""Waiting for a lock of ours on a file, and no longer than is good: a process that was stopped inside one keeps it."""

import fcntl
import time
from typing import IO

_STEP = 0.02  # seconds between two tries


class FileLocked(OSError):
    """Another process holds the lock and does not go on."""


def lock_within(file: IO[str], seconds: float) -> None:
    """Take the exclusive lock of an open file.

    Raises:
        FileLocked: it was not free in time; says what to do.
    """
    give_up = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise FileLocked(
                    f"{file.name} is locked by another process for {seconds:g} s: see which it is (`fuser "
                    f"{file.name}`), let it go on or end it, and try again"
                ) from None
            time.sleep(_STEP)
        else:
            return
