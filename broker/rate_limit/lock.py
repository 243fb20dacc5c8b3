"""Lock a rate budget's file, and wait for the lock no longer than an exit may wait.

A process that was stopped while it holds the lock keeps it: the kernel frees the lock only when the process ends. The
lock is never taken away by force. So a process that goes on later writes what it read, and nobody has written in
between.
"""

import fcntl
from collections.abc import Callable

_STEP = 0.002  # seconds between two attempts
_TRIES = 150  # 0.3 s in all; the lock is held for less than a millisecond


class LockHeld(OSError):
    """The lock is held by a process that does not go on."""


def lock_soon(handle: int, sleep: Callable[[float], None]) -> None:
    """Take the lock.

    Raises:
        LockHeld: its holder does not release it in time.
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
