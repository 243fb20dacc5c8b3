"""When each client's book is read: no more often than its broker allows, and never later than it was asked for."""

import threading
from datetime import datetime, timedelta

from domain.ports import Clock
from domain.times import is_within

_SWEEP = timedelta(seconds=10)  # so often even when nothing of ours is open
_RECENT = timedelta(seconds=5)
_URGENT = timedelta(seconds=0.5)


class BookPollSchedule:
    """The times of the looks into each client's book; safe to call from several threads."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._created_at = clock.now()
        self._began: dict[str, datetime] = {}
        self._ended: dict[str, datetime] = {}
        self._shown: dict[str, datetime] = {}
        self._asked: set[str] = set()
        self._urgent: set[str] = set()
        self._put_off: dict[str, datetime] = {}
        self._lock = threading.Lock()  # a look is begun by one thread only

    def ask(self, client_id: str, *, urgent: bool = False) -> None:
        """Something has happened at the broker: a look that begins from now on is to see it. `urgent`: for an exit."""
        self._asked.add(client_id)
        if urgent:
            self._urgent.add(client_id)

    def takes_urgent(self, client_id: str) -> bool:
        """True when an exit waits for the look that begins now."""
        is_urgent = client_id in self._urgent
        self._urgent.discard(client_id)
        return is_urgent

    def begin(self, client_id: str, interval: timedelta, *, wanted: bool) -> bool:
        """True when the book is to be read now, which is then taken to be done.

        Args:
            interval: the shortest time between the beginnings of two reads.
            wanted: something waits for what the book says. Without it, and unless it was asked for, the book is
                read now and then: for orders that no row explains, and fills of what was called dead.
        """
        with self._lock:
            return self._begin(client_id, interval, wanted=wanted)

    def _begin(self, client_id: str, interval: timedelta, *, wanted: bool) -> bool:
        now, last = self._clock.now(), self._began.get(client_id)
        wanted = wanted or client_id in self._asked
        if client_id in self._urgent:  # the pace of polling is that of entries
            interval = min(interval, _URGENT)
        due = None if last is None else last + (interval if wanted else _SWEEP)
        if due is not None and last is not None and last <= now < due:  # before `last` the clock was set back
            if wanted:
                self._put_off[client_id] = due
            else:  # what waited for it was settled otherwise
                self._put_off.pop(client_id, None)
            return False
        self._began[client_id] = now
        self._put_off.pop(client_id, None)
        self._asked.discard(client_id)
        return True

    def due_in(self, client_id: str) -> timedelta | None:
        """How long until a look that was wanted too soon may be made; None when there is none."""
        due = self._put_off.get(client_id)
        return None if due is None else max(due - self._clock.now(), timedelta(0))

    def shown(self, client_id: str, read_started_at: datetime) -> None:
        """A look that began then could be read, and everything in it is recorded."""
        self._shown[client_id] = read_started_at

    def shows(self, client_id: str, since: datetime) -> bool:
        """True when a look that began after `since`, and not long ago, is recorded."""
        began = self._shown.get(client_id)
        return began is not None and began >= since and is_within(began, self._clock.now(), _RECENT)

    def end(self, client_id: str) -> None:
        """A look has come to its end, whether the book could be read or not."""
        self._ended[client_id] = self._clock.now()

    def silence(self, client_id: str) -> timedelta:
        """How long ago a look last came to its end."""
        return abs(
            self._clock.now() - self._ended.get(client_id, self._created_at)
        )  # whichever way it was set
