"""Run the watcher's threads. Each client has its own, so that a broker that hangs delays no other client.

A client has several threads that execute orders, one of them for exits alone, one that reconciles and reads positions,
one that watches its protections, and one that counts its profit and loss and watches its limits.

Threads wait for a signal. A commit anywhere gives it within milliseconds; the scheduler's poll gives it every second,
as the safety net.

No thread is relied on to return. Calls have a deadline. After it the order is UNKNOWN, and a new thread replaces the
one that hangs.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.errors import StoreUnavailable
from domain.first_reads import Missing
from engine.order_watcher import OrderWatcherEngine

log = logging.getLogger(__name__)

_BOOK_GATHER = 0.01  # seconds to wait, so that one read of the order book serves all orders of a burst
_PROTECT_RESTS = 4  # times as long as its last round took
_LONGEST_REST = 0.25  # seconds
_RISK_RESTS = 9
_RISK_PACE = 2.0  # seconds between two looks at a client's limits, at most
# Hanging threads of one client. Beyond this no new ones are started: the broker is down, and the heartbeats show it.
_MAX_ABANDONED = 16


class Signal:
    """Wakes waiting threads. A wake while no thread waits is kept for the next wait."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._version = 0

    def wake(self) -> None:
        """Wake every thread that waits now; the others do not block at their next wait."""
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait for a wake after version `seen`, or for the timeout (seconds); returns the newest version."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != seen, timeout)
            return self._version


@dataclass(eq=False)
class Loop:
    """One thread that repeats a bounded piece of work, and its state as seen from outside."""

    name: str
    client_id: str
    work: Callable[[], bool]  # True: there may be more to do at once
    signal: Signal
    idle_seconds: float
    # Seconds until the next round where that is sooner than `idle_seconds`; None: no sooner.
    sooner: Callable[[], float | None] = lambda: None
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
        except Exception:  # the outermost handler: a defect must not end the thread silently
            self.errors += 1
            log.exception("%s/%s failed", self.client_id, self.name)
        self._stop.wait(0.2)
        return False


class ClientWorkers:
    """The threads of one client."""

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
        self.protect_signal = Signal()
        self.watches_protections = True  # False once a round has found none
        self.loops.append(self._protector())
        self.risk_signal = Signal()
        self._risk_pace = min(2 * poll_seconds, _RISK_PACE)
        self.watches_risk = engine.limits_risk(client_id)  # at each commit; otherwise at its own pace
        self.loops.append(self._risk_watcher())
        self.loops.append(self._follower())
        self._abandoned: list[Loop] = []
        self.has_looked = False  # True once a read of the broker was tried, whether it succeeded or not

    def start(self) -> None:
        for loop in self.loops:
            loop.start()

    def stop(self) -> None:
        for loop in self.loops:
            loop.stop()

    def wake(self) -> None:
        """Wake the threads, because there may be work or a poll is due; that of the limits keeps its own pace."""
        self.work_signal.wake()
        self.book_signal.wake()
        self.protect_signal.wake()

    def nudge(self) -> None:
        """Read the order book as soon as its interval allows, because something has happened at the broker."""
        self._engine.nudge(self.client_id)
        self.book_signal.wake()

    @property
    def missing(self) -> Missing:
        """What the client's entries have waited for since the watcher started; empty when they wait for nothing."""
        return self._engine.missing(self.client_id)

    def replace_hanging(self, deadline_seconds: float) -> list[str]:
        """Start new threads for those that hang in a broker call; returns the names of the replaced loops.

        A hanging thread cannot record overdue calls or escalate unknown outcomes, so both are done here.
        """
        self._engine.expire_overdue(self.client_id)
        self._engine.escalate(self.client_id)
        self._abandoned = [loop for loop in self._abandoned if loop.is_alive]
        replaced = []
        for index, loop in enumerate(self.loops):
            if loop.stalled_seconds <= deadline_seconds or len(self._abandoned) >= _MAX_ABANDONED:
                continue
            fresh = self._loop(loop.name)
            loop.stop()
            self._abandoned.append(loop)
            self.loops[index] = fresh
            fresh.start()
            replaced.append(loop.name)
        return replaced

    def _loop(self, name: str) -> Loop:
        """Make a new loop of that name."""
        made = {"reconcile": self._follower, "protect": self._protector, "risk": self._risk_watcher}.get(name)
        return self._executor(name) if made is None else made()

    def _protector(self) -> Loop:
        return Loop("protect", self.client_id, self._protect, self.protect_signal, self._poll)

    def _protect(self) -> bool:
        began = time.monotonic()
        moved = self._engine.protect(self.client_id)
        self.watches_protections = moved is not None
        if moved:
            self.work_signal.wake()  # an exit may have been asked for
        # Every commit wakes this thread: under load it leaves the processor to those that send orders.
        time.sleep(min(_PROTECT_RESTS * (time.monotonic() - began), _LONGEST_REST))
        return False

    def _risk_watcher(self) -> Loop:
        return Loop("risk", self.client_id, self._watch_risk, self.risk_signal, self._risk_pace)

    def _watch_risk(self) -> bool:
        began = time.monotonic()
        if self._engine.watch_risk(self.client_id):
            self.work_signal.wake()  # exits were asked for
        self._engine.read_for_sizes(self.client_id)
        time.sleep(min(_RISK_RESTS * (time.monotonic() - began), _LONGEST_REST))
        return False

    def _follower(self) -> Loop:
        return Loop(
            "reconcile", self.client_id, self._follow, self.book_signal, self._poll, self._book_due_seconds
        )

    def _book_due_seconds(self) -> float | None:
        """Seconds until a book read that was requested too soon after the last one is allowed; None: none is due."""
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
            self.work_signal.wake()  # the entries that waited for this read
        return moved > 0
