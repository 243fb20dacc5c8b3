"""Allow exits a few calls while the rate budget's file cannot be used, so that the broker's limits still hold.

Nobody takes slots from the file in that time. Before the file was locked, at most the budget was taken. On top of it,
each process makes no more than two calls in a window (an exit's read and its order) and twenty in a minute, as many as
the budget leaves to other programs. Once the file can be used again, these calls are written into it.
"""

import threading

from broker.rate_limit.minute_quota import MINUTE

_IN_A_WINDOW = 2
_IN_A_MINUTE = 20


class ExitReserve:
    """The calls that this process made without the file. For several threads. `window` is in microseconds."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._made: list[int] = []  # the calls that still count
        self._unwritten: list[int] = []

    def take(self, now: int) -> bool:
        """Take a slot at `now`, in microseconds since 1970. False if none is left."""
        with self._lock:
            self._made = [at for at in self._made if now - MINUTE < at <= now]
            recent = [at for at in self._made if at > now - self._window]
            if len(recent) >= _IN_A_WINDOW or len(self._made) >= _IN_A_MINUTE:
                return False
            self._made.append(now)
            self._unwritten.append(now)
            return True

    def give_back(self) -> list[int]:
        """Return the calls that the file does not contain yet. From then on they count in the file."""
        with self._lock:
            unwritten, self._unwritten = self._unwritten, []
            return unwritten
