"""The watcher's threads: each client has its own lane, so that a broker that hangs delays no other client.

A lane has several executing threads, one of them for exits alone, and one that reconciles and reads positions.
Threads wait for a signal; a commit anywhere gives it within milliseconds, and the scheduler's poll gives it every
second as the safety net. No thread is ever relied on to come back: calls have a deadline, after which the order is
UNKNOWN and a new thread takes the place of the one that hangs.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.errors import StoreUnavailable
from domain.first_reads import Missing
from order_watcher import OrderWatcherEngine

log = logging.getLogger(__name__)

_BOOK_GATHER = 0.01  # so that one look into the book serves all orders of a burst
_MAX_ABANDONED = (
    16  # hanging threads of one lane; more are not started: the broker is down, and the lane says so
)


class Signal:
    """Wakes threads that wait; a wake that nobody waits for is kept."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._version = 0

    def wake(self) -> None:
        """Wake every thread that waits, now or at its next wait."""
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Return when there was a wake after `seen`, or the timeout (seconds) is over; the newest version."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != seen, timeout)
            return self._version


@dataclass(eq=False)
class Loop:
    """One thread that repeats a bounded piece of work, and what can be known of it from outside."""

    name: str
    client_id: str
    work: Callable[[], bool]  # True: there may be more to do at once
    signal: Signal
    idle_seconds: float
    sooner: Callable[[], float | None] = lambda: (
        None
    )  # seconds after which to look again, before the idle ones
    beat_at: float = field(default_factory=time.monotonic)
    errors: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"{self.client_id}/{self.name}", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Let the loop end after its present round."""
        self._stop.set()
        self.signal.wake()

    @property
    def is_alive(self) -> bool:
        """True while its thread runs."""
        return self.thread is not None and self.thread.is_alive()

    @property
    def stalled_seconds(self) -> float:
        """Seconds since the loop last finished a round."""
        return time.monotonic() - self.beat_at

    def _run(self) -> None:
        seen = -1
        while not self._stop.is_set():
            more = self._round()
            self.beat_at = time.monotonic()
            if not more:
                seen = self.signal.wait(seen, self._pause())

    def _pause(self) -> float:
        sooner = self.sooner()
        return self.idle_seconds if sooner is None else min(sooner, self.idle_seconds)

    def _round(self) -> bool:
        try:
            return self.work()
        except StoreUnavailable as error:
            self.errors += 1
            log.error("%s/%s: %s", self.client_id, self.name, error)
        except Exception:  # the edge of a thread: a defect must not end the loop in silence
            self.errors += 1
            log.exception("%s/%s failed", self.client_id, self.name)
        self._stop.wait(0.2)
        return False


class ClientWorkers:
    """One client's loops."""

    def __init__(
        self, engine: OrderWatcherEngine, client_id: str, *, concurrency: int, poll_seconds: float
    ) -> None:
        self._engine = engine
        self._poll = poll_seconds
        self.client_id = client_id
        self.work_signal = Signal()
        self.book_signal = Signal()
        self.loops = [self._executor("execute") for _ in range(concurrency)]
        self.loops.append(self._executor("exits"))
        self.loops.append(self._follower())
        self._abandoned: list[Loop] = []
        self.has_looked = False  # at the broker once, whether it could be read or not

    def start(self) -> None:
        for loop in self.loops:
            loop.start()

    def stop(self) -> None:
        for loop in self.loops:
            loop.stop()

    def wake(self) -> None:
        """There is work, or it is time to look."""
        self.work_signal.wake()
        self.book_signal.wake()

    def nudge(self) -> None:
        """Something has happened at the broker: look into the book as soon as its interval allows."""
        self._engine.nudge(self.client_id)
        self.book_signal.wake()

    @property
    def missing(self) -> Missing:
        """What the client's entries wait for since the watcher began; empty: nothing."""
        return self._engine.missing(self.client_id)

    def replace_hanging(self, deadline_seconds: float) -> list[str]:
        """Put new threads beside those that hang in a broker call; returns the names of the loops replaced.

        What a hanging thread would have told of is told here.
        """
        self._engine.expire_overdue(self.client_id)
        self._engine.escalate(self.client_id)
        self._abandoned = [loop for loop in self._abandoned if loop.is_alive]
        replaced = []
        for index, loop in enumerate(self.loops):
            if loop.stalled_seconds <= deadline_seconds or len(self._abandoned) >= _MAX_ABANDONED:
                continue
            fresh = self._follower() if loop.name == "reconcile" else self._executor(loop.name)
            loop.stop()
            self._abandoned.append(loop)
            self.loops[index] = fresh
            fresh.start()
            replaced.append(loop.name)
        return replaced

    def _follower(self) -> Loop:
        return Loop(
            "reconcile", self.client_id, self._follow, self.book_signal, self._poll, self._book_due_seconds
        )

    def _book_due_seconds(self) -> float | None:
        """A look that was wanted too soon after the last one is not forgotten: seconds until it may be made."""
        due = self._engine.book_due_in(self.client_id)
        return None if due is None else due.total_seconds()

    def _executor(self, name: str) -> Loop:
        return Loop(
            name, self.client_id, self._executing(exits_only=name == "exits"), self.work_signal, self._poll
        )

    def _executing(self, *, exits_only: bool) -> Callable[[], bool]:
        def work() -> bool:
            did = self._engine.execute_next(self.client_id, exits_only=exits_only)
            if did:
                self.book_signal.wake()
            return did

        return work

    def _follow(self) -> bool:
        time.sleep(_BOOK_GATHER)
        waited = bool(self.missing)
        try:
            moved = self._engine.reconcile(self.client_id)
            self._engine.refresh(self.client_id, force=False)
        finally:
            self.has_looked = True
        if waited and not self.missing:
            self.work_signal.wake()  # the entries that waited for this look
        return moved > 0
