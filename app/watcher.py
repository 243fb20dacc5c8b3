"""One watcher process: lanes, the wake-up on commits, the scheduler's poll, the outbox, and the watch over them all.

APScheduler is trusted with little on purpose. Its jobs only give signals or do short housekeeping, they coalesce,
never lapse (`misfire_grace_time=None`), and this module notices when they stop. A scheduler in each web worker would
double every job: it runs here alone.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from app.client_workers import ClientWorkers, Loop, Signal
from app.supervisor import EXIT_REPLACED
from domain.errors import StoreFull, StoreReplaced, StoreUnavailable
from domain.first_reads import Missing, in_words
from domain.notices import Notice, NoticeKind
from domain.ports import WAITING, Clock, Heartbeat, Store
from order_watcher import OrderWatcherEngine

log = logging.getLogger(__name__)

_end_process = os._exit
"""Apart, so that a watcher inside another program does not end that."""

ACTIVE_WAIT = 0.001  # seconds between looks for a commit while alerts come in
IDLE_WAIT = 0.01  # and when none has come for a while: an idle watcher costs next to nothing
_HELD_WAIT = 0.05  # and between looks for orders that were put off, an exit behind its entry for one
_STAYS_ACTIVE = 2.0
_BEAT_EVERY = 2.0
_FIRST_LOOKS = 5.0  # for so long the first beat waits for the brokers' first answers
_LOOK_AGAIN = 0.05  # and so often it is looked whether they are there
_SLOWEST_MESSAGE = 300.0
_PULSE_EVERY = 0.5
_SLOWEST_CARE = 8.0  # seconds: a database that is locked fails a write after some four
_SLOWEST_TELLING = 2.0  # seconds: then the process ends, told or not
_SLOWEST_GOODBYE = 5.0  # seconds in which a message that needs no database must be out
EXIT_STALLED = 70  # EX_SOFTWARE: the supervisor starts a new watcher


class Changes(Protocol):
    """Tells whether anybody has committed since it was last asked."""

    def changed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """A short job and the seconds between two runs of it."""

    name: str
    every_seconds: float
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class WatcherOptions:
    """How a watcher runs; durations in seconds."""

    name: str
    concurrency: int
    poll_seconds: float
    deadline_seconds: float
    stall_seconds: float


class Watcher:
    """Runs the engine until it is stopped, or ends the process loudly when it cannot."""

    def __init__(
        self,
        engine: OrderWatcherEngine,
        store: Store,
        *,
        clock: Clock,
        changes: Changes,
        drain_outbox: Callable[[], float] | None,
        housekeeping: Sequence[Housekeeping],
        options: WatcherOptions,
        tell_directly: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._changes = changes
        self._options = options
        self._tell_directly = tell_directly  # without the outbox, which lies in the database
        self._told_full = False  # that the disk is full
        self._stopping = threading.Event()
        self._lanes = {
            client: ClientWorkers(
                engine, client, concurrency=options.concurrency, poll_seconds=options.poll_seconds
            )
            for client in engine.clients
        }
        self._own = [Loop("wake", "", self._watch_commits, Signal(), 0.0)]
        if drain_outbox is not None:
            self._own.append(Loop("outbox", "", _draining(drain_outbox, self._stopping), Signal(), 0.0))
        self._care = Loop("care", "", self._watch_over, Signal(), 0.0)
        self._polled_at = time.monotonic()
        self._active_until = 0.0
        self._looked_at = 0.0
        self._scheduler = self._schedule(housekeeping)

    def run(self, pulse: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`; the calling thread watches over the others, and waits for no broker and no database.

        Each lane begins with a look at its broker, before which it sends no entry; a broker that hangs or cannot be
        read keeps no other lane waiting. `pulse` is called at every look at the threads, first when every lane has
        looked once, or has taken too long to. It tells that this process goes on and that its own loops turn: a call
        that hangs inside a broker is judged by its deadline, and a database that is locked is not this process's fault.
        """
        for loop in self._own:
            loop.start()
        for lane in self._lanes.values():
            lane.start()
        self._scheduler.start()
        log.info("[BOOT] watcher %s is running for %s", self._options.name, ", ".join(self._lanes))
        self._polled_at = time.monotonic()
        patience = min(
            _FIRST_LOOKS, self._options.stall_seconds / 2
        )  # whoever watches this process has no more
        self._until(lambda: all(lane.has_looked for lane in self._lanes.values()), patience)
        self._care.beat_at = time.monotonic()
        self._care.start()
        while not self._stopping.is_set():
            stalled = self._stalled_core()
            if stalled:
                self._end_loudly(stalled)
            pulse()
            self._stopping.wait(_PULSE_EVERY)
        self._end()

    def _pause(self) -> None:
        """Until the next look at the threads; that a client's entries need no longer wait is told at once."""
        waiting = set(self._waiting())
        if waiting:
            self._until(lambda: set(self._waiting()) != waiting, _BEAT_EVERY)
        else:
            self._stopping.wait(_BEAT_EVERY)

    def _waiting(self) -> dict[str, Missing]:
        """What keeps which client's entries waiting since the start."""
        return {client: missing for client, lane in self._lanes.items() if (missing := lane.missing)}

    def _until(self, happened: Callable[[], bool], seconds: float) -> None:
        """Return when it has happened, the time is over, or the watcher is to stop."""
        give_up = time.monotonic() + seconds
        while not happened() and (left := give_up - time.monotonic()) > 0:
            if self._stopping.wait(min(left, _LOOK_AGAIN)):
                return

    def nudge(self, client_id: str) -> None:
        """Look into this client's book soon: its broker has said that something happened."""
        self._lanes[client_id].nudge()

    def stop(self) -> None:
        """Let `run` return; orders under way are recorded first, as far as they answer in time."""
        self._stopping.set()

    def _end(self) -> None:
        self._scheduler.shutdown(wait=False)
        loops = [self._care, *self._own, *(loop for lane in self._lanes.values() for loop in lane.loops)]
        for loop in loops:
            loop.stop()
        give_up = time.monotonic() + self._options.deadline_seconds
        for loop in loops:
            if loop.thread is not None:
                loop.thread.join(max(0.0, give_up - time.monotonic()))

    # waking -------------------------------------------------------------------------------------------------

    def _watch_commits(self) -> bool:
        """Wake the lanes that have work as soon as anybody commits, and held orders soon after their time has come."""
        now = time.monotonic()
        if self._changes.changed() or self._looked_at + _HELD_WAIT < now < self._active_until:
            self._wake_lanes(now)
        time.sleep(ACTIVE_WAIT if now < self._active_until else IDLE_WAIT)
        return True

    def _wake_lanes(self, now: float) -> None:
        """Only work makes the watch active: its own heartbeats and positions are commits too."""
        self._looked_at = now
        for client_id, lane in self._lanes.items():
            if self._store.has_work(client_id, self._clock.now()):
                self._active_until = now + _STAYS_ACTIVE
                lane.work_signal.wake()

    def _poll(self) -> None:
        """The safety net: every lane looks for itself, whatever was or was not signalled."""
        self._polled_at = time.monotonic()
        for lane in self._lanes.values():
            lane.wake()

    def _schedule(self, housekeeping: Sequence[Housekeeping]) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        scheduler.add_job(self._poll, "interval", seconds=self._options.poll_seconds, id="poll")
        for job in housekeeping:
            scheduler.add_job(job.run, "interval", seconds=job.every_seconds, id=job.name)
        scheduler.add_listener(_log_trouble, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        return scheduler

    # watching over ------------------------------------------------------------------------------------------

    def _watch_over(self) -> bool:
        """Replace what hangs in a broker, and tell what stalls; a thread of its own, for the database may be locked."""
        for lane in self._lanes.values():
            self._watch_over_lane(lane)
            self._care.beat_at = time.monotonic()
        self._save_beats()
        self._care.beat_at = time.monotonic()
        self._pause()
        return True

    def _save_beats(self) -> None:
        try:
            self._store.save_beats(self._heartbeats())
            self._told_full = False
        except StoreReplaced as error:
            self._end_replaced(str(error))
        except StoreFull as error:
            log.error("heartbeats: %s", error)
            self._tell_full(str(error))
        except StoreUnavailable as error:
            log.error("heartbeats: %s", error)

    def _watch_over_lane(self, lane: ClientWorkers) -> None:
        """What goes wrong with one client's lane ends neither the watcher nor the care for the others."""
        try:
            replaced = lane.replace_hanging(self._options.deadline_seconds)
            if replaced:
                self._tell(lane.client_id, f"broker calls hang: {', '.join(replaced)} replaced")
        except StoreUnavailable as error:
            log.error("client %s: %s", lane.client_id, error)
        except Exception:  # the edge of the watching thread: a defect in one lane must not end all of them
            log.exception("client %s: its lane could not be watched over", lane.client_id)

    def _heartbeats(self) -> list[Heartbeat]:
        now, name = self._clock.now(), self._options.name
        heartbeats = [Heartbeat(name, "scheduler", "", now, self._state(time.monotonic() - self._polled_at))]
        heartbeats += [
            Heartbeat(name, loop.name, "", now, self._state(loop.stalled_seconds)) for loop in self._own
        ]
        for lane in self._lanes.values():
            worst: dict[str, float] = {}
            for loop in lane.loops:
                worst[loop.name] = max(worst.get(loop.name, 0.0), loop.stalled_seconds)
            heartbeats += [
                Heartbeat(name, loop, lane.client_id, now, self._state(age, in_calls=True))
                for loop, age in worst.items()
            ]
        waiting = self._waiting()
        return [self._with_reason(beat, waiting.get(beat.client_id, {})) for beat in heartbeats]

    def _with_reason(self, beat: Heartbeat, missing: Missing) -> Heartbeat:
        """The beat of a loop that has yet to read its broker says so, even while it hangs in the call."""
        if beat.loop != "reconcile" or not missing:
            return beat
        state = WAITING if beat.state == "OK" else beat.state
        return replace(beat, state=state, detail=in_words(missing), missing=missing)

    def _state(self, stalled_seconds: float, *, in_calls: bool = False) -> str:
        """A loop that calls a broker is replaced at the call's deadline: it stalls where that did not help."""
        limit = self._options.stall_seconds + (self._options.deadline_seconds if in_calls else 0.0)
        return "OK" if stalled_seconds < limit else "STALLED"

    def _stalled_core(self) -> str:
        """The loop without which no client is served, when it stands still."""
        if time.monotonic() - self._polled_at > self._options.poll_seconds + self._options.stall_seconds:
            return "scheduler"
        watched = (self._care, *self._own)
        return next((x.name for x in watched if x.stalled_seconds > self._patience(x)), "")

    def _patience(self, loop: Loop) -> float:
        """A message may take as long as its channel's timeouts; only what never comes back ends the process."""
        stall = self._options.stall_seconds
        if loop is self._care:
            return max(stall, _SLOWEST_CARE)
        return max(10 * stall, _SLOWEST_MESSAGE) if loop.name == "outbox" else stall

    def _end_loudly(self, loop: str) -> None:
        text = f"watcher {self._options.name}: loop {loop} stalled; the process ends and is started anew"
        log.critical(text)

        def tell() -> None:
            self._save_beats()
            for client_id in self._lanes:
                self._tell(client_id, text)

        telling = threading.Thread(target=tell, daemon=True)  # the database itself may be what hangs
        telling.start()
        telling.join(_SLOWEST_TELLING)
        _end_process(EXIT_STALLED)  # a thread that hangs cannot be ended in any other way

    def _end_replaced(self, why: str) -> None:
        """Nothing that is sent from here on would be known to anybody: end before an order goes."""
        log.critical("watcher %s ends: %s", self._options.name, why)
        telling = threading.Thread(
            target=self._tell_directly, args=(f"Orderwatch has stopped. {why}",), daemon=True
        )
        telling.start()
        telling.join(_SLOWEST_GOODBYE)
        _end_process(EXIT_REPLACED)  # an orderly end would write

    def _tell_full(self, why: str) -> None:
        """Once, past the outbox: it cannot be written down. The care for the lanes does not wait for it."""
        if not self._told_full:
            self._told_full = True
            text = (
                f"{why}. Until then no alert is taken (503) and no order is sent, exits included; nothing is lost, "
                "and it goes on by itself. Free some room on the disk."
            )
            threading.Thread(target=self._tell_directly, args=(text,), daemon=True).start()

    def _tell(self, client_id: str, text: str) -> None:
        try:
            self._store.write(lambda tx: tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text)))
        except StoreUnavailable as error:
            log.error("could not tell %r: %s", text, error)


def _draining(drain: Callable[[], float], stopping: threading.Event) -> Callable[[], bool]:
    def work() -> bool:
        stopping.wait(min(max(drain(), 0.05), 1.0))
        return True

    return work


def _log_trouble(event: JobExecutionEvent) -> None:
    log.error(
        "scheduler: job %s: %s", event.job_id, getattr(event, "exception", None) or "did not run in time"
    )
