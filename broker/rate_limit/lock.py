"""The lock of a rate budget's file, waited for no longer than an exit may wait.

A process that was stopped inside the lock keeps it: the kernel frees it only when the process ends. The lock is never
taken from it by force, so a process that goes on later writes what it read, and nobody has written in between.
"""

import fcntl
from collections.abc import Callable

_STEP = 0.002  # seconds between two tries
_TRIES = 150  # 0.3 s in all; the lock is held for less than a millisecond


class LockHeld(OSError):
    """The lock is held by a process that does not go on."""


def lock_soon(handle: int, sleep: Callable[[float], None]) -> None:
    """Take the lock.

    Raises:
        Locked: its holder keeps it.
        OSError: the file cannot be locked.
    """
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_STEP)
        else:
            return
    raise LockHeld(None, f"not free within {_STEP * _TRIES:g} s")
