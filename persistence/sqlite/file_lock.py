"""Take a file lock within a time limit.

Without a limit a caller could wait for ever: a process that was stopped while it held the lock keeps it.
"""

import fcntl
import time
from typing import IO

from persistence.errors import FileLocked

_STEP = 0.02  # seconds between two attempts


def lock_within(file: IO[str], seconds: float) -> None:
    """Take the exclusive lock of an open file.

    Raises:
        FileLocked: the lock was not free within `seconds`; the message says what to do.
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
