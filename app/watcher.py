"""Run a watcher process: the clients' workers, the wake-up on commits, the scheduler, the outbox, and their health.

APScheduler is given little to do on purpose. Its jobs only give signals or do short housekeeping. They coalesce and
never lapse (`misfire_grace_time=None`), and this module notices when they stop. The scheduler runs here alone: one in
each web worker would run every job several times.
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
from engine.order_watcher import OrderWatcherEngine

log = logging.getLogger(__name__)

_end_process = os._exit
"""A name of its own, so that a watcher inside another program can be kept from ending that program."""

# All in seconds.
ACTIVE_WAIT = 0.001  # between polls for a commit while alerts come in
IDLE_WAIT = 0.01  # between polls when no alert has come for a while: an idle watcher costs next to nothing
_HELD_WAIT = 0.05  # between polls for held orders, such as an exit that waits for its entry
_BUSY_WAIT = 0.005  # between polls while a thread claims batches
_STAYS_ACTIVE = 2.0
_BEAT_EVERY = 2.0
_FIRST_LOOKS = 5.0  # the first heartbeat waits no longer than this for the first broker reads
_LOOK_AGAIN = 0.05  # between two checks of what is being waited for
_FIRST_LOOK_AGAIN = 0.005  # the same for the first broker reads: the web server starts after them
_SLOWEST_MESSAGE = 300.0
_PULSE_EVERY = 0.5
_SLOWEST_CARE = 8.0  # a write to a locked database fails after about four
_SLOWEST_TELLING = 2.0  # to notify of a stall; then the process ends, notified or not
_SLOWEST_GOODBYE = 5.0  # to send a message that needs no database
EXIT_STALLED = 70  # EX_SOFTWARE: the supervisor starts a new watcher


class Changes(Protocol):
    """Reports whether anybody has committed since the last call."""

    def changed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """A short job and the seconds between two of its runs."""

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


@dataclass(frozen=True, slots=True)
class MessageWays:
    """How messages reach people.

    - `drain`: sends what is due in the outbox and returns the seconds until it is to be called again; None: somebody
      else does it.
    - `directly`: sends a text without the outbox, which is in the database.
    """

    drain: Callable[[], float] | None = None
    directly: Callable[[str], None] = lambda text: None


class Watcher:
    """Runs the engine until it is stopped. When it cannot, it notifies the operators and ends the process."""

    def __init__(
        self,
        engine: OrderWatcherEngine,
        store: Store,
        *,
        clock: Clock,
        changes: Changes,
        messages: MessageWays,
        housekeeping: Sequence[Housekeeping],
        options: WatcherOptions,
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._changes = changes
        self._options = options
        self._tell_directly = messages.directly
        self._told_full = False  # True once operators were notified that the disk is full
        self._stopping = threading.Event()
        self._lanes = {
            client: ClientWorkers(
                engine, client, concurrency=options.concurrency, poll_seconds=options.poll_seconds
            )
            for client in engine.clients
        }
        self._own = [Loop("wake", "", self._watch_commits, Signal(), 0.0)]
        if messages.drain is not None:
            self._own.append(Loop("outbox", "", _draining(messages.drain, self._stopping), Signal(), 0.0))
        self._care = Loop("care", "", self._watch_over, Signal(), 0.0)
        self._polled_at = time.monotonic()
        self._active_until = 0.0
        self._looked_at = 0.0
        self._busy = False  # True while a thread claims batches: it finds what has come by itself
        self._scheduler = self._schedule(housekeeping)

    def run(self, pulse: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`. The calling thread checks the others, and waits for no broker and no database.

        Each client's workers begin with a read of the broker, and send no entry before it. A broker that hangs or
        cannot be read delays no other client.

        `pulse` is called at every check of the threads. The first call comes when every client's first broker read
        was tried, or has taken too long. A pulse means that this process runs and that its own loops turn. It does
        not depend on:

        - a call that hangs inside a broker, which is judged by its deadline
        - a locked database, which is not this process's fault
        """
        for loop in self._own:
            loop.start()
        for lane in self._lanes.values():
            lane.start()
        self._scheduler.start()
        log.info("[BOOT] watcher %s is running for %s", self._options.name, ", ".join(self._lanes))
        self._polled_at = time.monotonic()
        # Whoever watches this process waits no longer for its first heartbeat.
        patience = min(_FIRST_LOOKS, self._options.stall_seconds / 2)
        self._until(
            lambda: all(lane.has_looked for lane in self._lanes.values()), patience, every=_FIRST_LOOK_AGAIN
        )
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
        """Wait until the next check of the threads.

        Return early when a client's entries need no longer wait, so that the heartbeats report it at once.
        """
        waiting = set(self._waiting())
        if waiting:
            self._until(lambda: set(self._waiting()) != waiting, _BEAT_EVERY)
        else:
            self._stopping.wait(_BEAT_EVERY)

    def _waiting(self) -> dict[str, Missing]:
        """The clients whose entries have waited since the start, each with what they wait for."""
        return {client: missing for client, lane in self._lanes.items() if (missing := lane.missing)}

    def _until(self, happened: Callable[[], bool], seconds: float, *, every: float = _LOOK_AGAIN) -> None:
        """Wait until it has happened, until the seconds have passed, or until the watcher has to stop."""
        give_up = time.monotonic() + seconds
        while not happened() and (left := give_up - time.monotonic()) > 0:
            if self._stopping.wait(min(left, every)):
                return

    def nudge(self, client_id: str) -> None:
        """Read this client's order book soon, because its broker reported that something happened."""
        self._lanes[client_id].nudge()

    def stop(self) -> None:
        """Let `run` return. Orders under way are recorded first, as far as the broker answers in time."""
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
        """Wake the clients that have work: as soon as anybody commits, and soon after a held order's time has come."""
        now = time.monotonic()
        is_due = self._busy or self._looked_at + _HELD_WAIT < now < self._active_until
        if self._changes.changed() or is_due:
            self._wake_lanes(now)
        if self._busy:
            time.sleep(_BUSY_WAIT)
        else:
            time.sleep(ACTIVE_WAIT if now < self._active_until else IDLE_WAIT)
        return True

    def _wake_lanes(self, now: float) -> None:
        """Wake the clients that have work.

        Only work switches to the short wait: the watcher's own heartbeats and positions are commits too.
        """
        self._looked_at, self._busy = now, False
        for client_id, lane in self._lanes.items():
            if lane.watches_protections:
                lane.protect_signal.wake()  # a fill, a last price or a person's change may be what was committed
            if lane.watches_risk:
                lane.risk_signal.wake()
            if self._engine.is_claiming(client_id):
                self._active_until, self._busy = now + _STAYS_ACTIVE, True
            elif self._store.has_work(client_id, self._clock.now()):
                self._active_until = now + _STAYS_ACTIVE
                lane.work_signal.wake()

    def _poll(self) -> None:
        """Wake every client's threads, whatever was signalled: the safety net for a missed signal."""
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
        """Replace threads that hang in a broker call, and write the heartbeats, which show what stalls.

        This runs in a thread of its own, because the database may be locked.
        """
        for lane in self._lanes.values():
            self._watch_over_lane(lane)
            self._care.beat_at = time.monotonic()
        self._save_beats()
        self._care.beat_at = time.monotonic()
        self._pause()
        return True

    def _save_beats(self) -> None:
        try:
            self._store.save_heartbeats(self._heartbeats())
            self._told_full = False
        except StoreReplaced as error:
            self._end_replaced(str(error))
        except StoreFull as error:
            log.error("heartbeats: %s", error)
            self._tell_full(str(error))
        except StoreUnavailable as error:
            log.error("heartbeats: %s", error)

    def _watch_over_lane(self, lane: ClientWorkers) -> None:
        """Replace one client's hanging threads. An error ends neither the watcher nor the care for other clients."""
        try:
            replaced = lane.replace_hanging(self._options.deadline_seconds)
            if replaced:
                self._tell(lane.client_id, f"broker calls hang: {', '.join(replaced)} replaced")
        except StoreUnavailable as error:
            log.error("client %s: %s", lane.client_id, error)
        except Exception:  # the outermost handler: a defect with one client must not affect the others
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
        """Add to a heartbeat what its loop has yet to read from the broker, even while the loop hangs in that call."""
        if beat.loop != "reconcile" or not missing:
            return beat
        state = WAITING if beat.state == "OK" else beat.state
        return replace(beat, state=state, detail=in_words(missing), missing=missing)

    def _state(self, stalled_seconds: float, *, in_calls: bool = False) -> str:
        """OK or STALLED.

        A loop that calls a broker is replaced at the call's deadline. It counts as stalled only where that did not
        help.
        """
        limit = self._options.stall_seconds + (self._options.deadline_seconds if in_calls else 0.0)
        return "OK" if stalled_seconds < limit else "STALLED"

    def _stalled_core(self) -> str:
        """Name a stalled loop without which no client is served; empty when there is none."""
        if time.monotonic() - self._polled_at > self._options.poll_seconds + self._options.stall_seconds:
            return "scheduler"
        watched = (self._care, *self._own)
        return next((x.name for x in watched if x.stalled_seconds > self._patience(x)), "")

    def _patience(self, loop: Loop) -> float:
        """Seconds after which a loop counts as stalled.

        Sending a message may take as long as the channel's timeouts: only a call that never returns ends the process.
        """
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
        """End the process before it sends another order: the database was replaced, and nobody would know of it."""
        log.critical("watcher %s ends: %s", self._options.name, why)
        telling = threading.Thread(
            target=self._tell_directly, args=(f"Orderwatch has stopped. {why}",), daemon=True
        )
        telling.start()
        telling.join(_SLOWEST_GOODBYE)
        _end_process(EXIT_REPLACED)  # an orderly end would write to the database

    def _tell_full(self, why: str) -> None:
        """Notify once that the disk is full, without the outbox, which cannot be written.

        A thread of its own sends it, so that the care for the clients does not wait.
        """
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
