"""Schedule order-book polls: no more often than the broker allows, and as soon after a request as that permits."""

import threading
from datetime import datetime, timedelta

from domain.ports import Clock
from domain.times import is_within

_SWEEP = timedelta(seconds=10)  # the interval while no order of ours is open
_RECENT = timedelta(seconds=5)
_URGENT = timedelta(seconds=0.5)


class BookPollSchedule:
    """The poll times of each client's order book. Safe to call from several threads."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._created_at = clock.now()
        self._began: dict[str, datetime] = {}
        self._ended: dict[str, datetime] = {}
        self._shown: dict[str, datetime] = {}
        self._asked: set[str] = set()
        self._urgent: set[str] = set()
        self._put_off: dict[str, datetime] = {}
        self._lock = threading.Lock()  # only one thread may begin a poll

    def ask(self, client_id: str, *, urgent: bool = False) -> None:
        """Request a poll that begins from now on, to see what has happened at the broker. `urgent`: for an exit."""
        self._asked.add(client_id)
        if urgent:
            self._urgent.add(client_id)

    def takes_urgent(self, client_id: str) -> bool:
        """Return True when an exit waits for the poll that begins now, and clear that mark."""
        is_urgent = client_id in self._urgent
        self._urgent.discard(client_id)
        return is_urgent

    def begin(self, client_id: str, interval: timedelta, *, wanted: bool) -> bool:
        """Return True when the book is to be read now. The poll then counts as begun.

        Args:
            interval: the shortest time between the beginnings of two polls.
            wanted: something waits for what the book shows. Otherwise, and unless a poll was requested, the book is
                read only now and then. Those polls find orders that no row explains, and fills of orders that were
                recorded as dead.
        """
        with self._lock:
            return self._begin(client_id, interval, wanted=wanted)

    def _begin(self, client_id: str, interval: timedelta, *, wanted: bool) -> bool:
        now, last = self._clock.now(), self._began.get(client_id)
        wanted = wanted or client_id in self._asked
        if client_id in self._urgent:  # the normal interval is meant for entries
            interval = min(interval, _URGENT)
        due = None if last is None else last + (interval if wanted else _SWEEP)
        if due is not None and last is not None and last <= now < due:  # `now < last`: the clock was set back
            if wanted:
                self._put_off[client_id] = due
            else:  # what waited for this poll was settled in another way
                self._put_off.pop(client_id, None)
            return False
        self._began[client_id] = now
        self._put_off.pop(client_id, None)
        self._asked.discard(client_id)
        return True

    def due_in(self, client_id: str) -> timedelta | None:
        """Return how long until a poll that was wanted too soon may begin; None when there is none."""
        due = self._put_off.get(client_id)
        return None if due is None else max(due - self._clock.now(), timedelta(0))

    def shown(self, client_id: str, read_started_at: datetime) -> None:
        """Record that a poll that began at `read_started_at` succeeded, and that everything in it is stored."""
        self._shown[client_id] = read_started_at

    def shows(self, client_id: str, since: datetime) -> bool:
        """Return True when a poll that began at or after `since`, and not long ago, is stored."""
        began = self._shown.get(client_id)
        return began is not None and began >= since and is_within(began, self._clock.now(), _RECENT)

    def end(self, client_id: str) -> None:
        """Record that a poll has ended, whether or not the book could be read."""
        self._ended[client_id] = self._clock.now()

    def silence(self, client_id: str) -> timedelta:
        """Return how long ago a poll last ended; without any, how long ago this schedule was created."""
        # Absolute, whichever way the clock was set meanwhile.
        return abs(self._clock.now() - self._ended.get(client_id, self._created_at))
