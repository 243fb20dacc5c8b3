"""Supervise the web server and the watcher when one command serves everything.

The supervisor does as little as possible. It starts both, restarts what ends, and ends with both when it is asked to.
On Linux its children end with it even when it is killed, so that nothing is left holding the port.

It is the process that read the settings and imported everything, and its children are forked from it. It therefore
starts no thread and opens no database: see `app.child_process`.
"""

import errno
import logging
import os
import re
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from app.arguments import WATCH, WEB
from app.child_process import ChildProcess

log = logging.getLogger(__name__)

_WATCHER_START_SECONDS = 5.0  # until the web server starts; earlier entries wait for the first broker read
_START_SECONDS = 15.0  # for a first heartbeat, so that a start on a busy machine does not count as hanging
_HOLDER_EVERY = 0.5
_SETTLED = 30.0  # seconds; a child that ran for longer is restarted without back-off
_STOP_SECONDS = 20.0
_LONGEST_ANSWER = 65_536  # bytes of a health check
# EX_CONFIG, of a child: orders.db is not the one that was in use. A restart would make it worse.
EXIT_REPLACED = 78
EXIT_PORT_TAKEN = 69  # EX_UNAVAILABLE, of the whole service: another program listens on its port


class HeartbeatPipe:
    """A pipe to which a child writes heartbeats. A process that is stopped or hangs cannot write them."""

    def __init__(self, limit_seconds: float) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self.writing, False)
        self._limit = limit_seconds
        self._has_begun = False
        self.heard_at = time.monotonic()

    def begin(self) -> None:
        """Begin anew for a child that is started. Until its first heartbeat the longer limit of a start applies."""
        self._has_begun = False
        self.heard_at = time.monotonic()

    def is_lost(self) -> bool:
        """True when the last heartbeat is older than the limit."""
        try:
            if os.read(self._reading, 4096):
                self.heard_at = time.monotonic()
                self._has_begun = True
        except BlockingIOError:
            pass
        limit = self._limit if self._has_begun else max(self._limit, _START_SECONDS)
        return time.monotonic() - self.heard_at > limit

    def wait(self, seconds: float) -> bool:
        """Wait for a heartbeat: True as soon as there is one, False after `seconds`."""
        heard = select.poll()  # select() takes no descriptor above 1,023
        heard.register(self._reading, select.POLLIN)
        return bool(heard.poll(seconds * 1000))


@dataclass(eq=False)
class Child:
    """A process to keep running."""

    name: str
    run: Callable[[], int]
    title: Sequence[str]  # what `ps` shows for it
    pulse: HeartbeatPipe | None = None
    process: ChildProcess | None = None
    started_at: float = 0.0
    failures: int = 0
    next_start: float = field(default=0.0)
    is_final: bool = False  # it ended with an error that no restart can fix

    def start(self) -> None:
        """Start the process."""
        self.started_at = time.monotonic()
        if self.pulse is not None:
            self.pulse.begin()
        self.process = ChildProcess(self.run, self.title)

    def look(self) -> None:
        """Restart the process when it has ended, with a back-off. Kill it first when its heartbeats are missing."""
        now = time.monotonic()
        if self.process is not None and self.pulse is not None and self.pulse.is_lost():
            log.critical("%s gives no sign of life: it is killed and started anew", self.name)
            self.process.kill()
            self.process.wait()
        if self.process is not None and self.process.returncode is not None:
            if self.process.returncode == EXIT_REPLACED:
                self.is_final = True
                return
            self.failures = 0 if now - self.started_at > _SETTLED else self.failures + 1
            delay = min(0.2 * 2**self.failures, 10.0)
            log.error("%s ended with %s; starts again in %.1f s", self.name, self.process.returncode, delay)
            self.process, self.next_start = None, now + delay
        if self.process is None and now >= self.next_start:
            self.start()


class Supervisor:
    """Keeps its children running until a signal ends them all."""

    def __init__(
        self,
        children: Sequence[Child],
        announce: Callable[[], bool] = lambda: True,
        *,
        free_locks: Callable[[], object] = lambda: None,
    ) -> None:
        self._children = children
        self._free_locks = free_locks  # ends a stopped process that blocks all others; queries no database
        self._freed_at = 0.0
        self._announce = announce  # says that the service is ready, once; False: it is not yet
        self._stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):  # handled before the first child is started
            signal.signal(number, self._stop)

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit status, 0 when all children ended in order.

        When a child reports that orders.db was replaced, all children are ended, so that nothing is left that writes
        or sends. An error ends them too: whoever started this process starts it again.
        """
        try:
            return self._run()
        finally:
            self._end_all()

    def _run(self) -> int:
        is_announced = False
        while not self._stopping:
            for child in self._children:
                child.look()
            if any(child.is_final for child in self._children):
                log.critical(
                    "orders.db is not the database that was in use: everything ends; see the line above"
                )
                return EXIT_REPLACED
            self._look_after_locks()
            is_announced = is_announced or self._announce()
            time.sleep(0.1 if is_announced else 0.05)
        return self._end_all()

    def _look_after_locks(self) -> None:
        now = time.monotonic()
        if now - self._freed_at >= _HOLDER_EVERY:
            self._freed_at = now
            self._free_locks()

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _end_all(self) -> int:
        running = [
            c.process for c in self._children if c.process is not None and c.process.returncode is None
        ]
        for process in running:
            process.terminate()
        give_up = time.monotonic() + _STOP_SECONDS
        clean = True
        for process in running:
            try:
                process.wait(max(0.1, give_up - time.monotonic()))
            except TimeoutError:
                process.kill()
                clean = False
        return 0 if clean else 1


def supervise(
    program: str,
    watch: Callable[[int], int],
    web: Callable[[], int],
    *,
    address: tuple[str, int],
    pulse_limit: float,
    free_locks: Callable[[], object] = lambda: None,
) -> int:
    """Run a watcher and the web server until a signal ends them; returns the exit status.

    - `watch` and `web` each run in a process of their own, which `ps` shows as a part of `program`. `watch` is given
      the pipe (a file descriptor) to which it writes its heartbeats.
    - The web server starts when the watcher has read its brokers, or after a few seconds if that takes longer: alerts
      must be accepted even then.
    - A watcher without a heartbeat for `pulse_limit` seconds is killed and restarted.
    - `free_locks` is called again and again.
    """
    pulse = HeartbeatPipe(pulse_limit)
    watcher = Child("watcher", partial(watch, pulse.writing), (program, WATCH), pulse)
    server = Child("web", web, (program, WEB))
    supervisor = Supervisor([watcher, server], lambda: _say_when_ready(*address), free_locks=free_locks)
    watcher.start()
    if not pulse.wait(_WATCHER_START_SECONDS):
        log.warning("the watcher has not read every broker yet; entries wait until it has")
    server.start()
    return supervisor.run()


_PORT_TRIES = 15


def _is_free(host: str, port: int) -> bool:
    """True unless another program listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def is_taken(host: str, port: int) -> bool:
    """True, with a line in the log, when another program listens there.

    The web server reports an address that cannot be bound for another reason.
    """
    for _ in range(_PORT_TRIES):  # the web server of a supervisor that was just killed may be about to end
        if _is_free(host, port):
            return False
        time.sleep(0.1)
    log.critical(
        "another program listens on %s:%d: nothing was started; end it (another Orderwatch?), or set another PORT",
        host,
        port,
    )
    return True


def _say_when_ready(host: str, port: int) -> bool:
    """Log that the service is ready, and return True, once this instance's own web server answers.

    An answer alone is not enough: it may be another program's.
    """
    if answering_instance(host, port) != str(os.getpid()):
        return False
    log.info("ready on http://%s:%d/", host, port)
    return True


def answering_instance(host: str, port: int) -> str | None:
    """The instance whose `/healthz` answers at this address; None when none does."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.settimeout(1)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while len(answer) < _LONGEST_ANSWER and (part := connection.recv(4096)):
                answer += part
    except OSError:
        return None
    found = re.search(rb'"instance": ?"([^"]+)"', answer)
    return found[1].decode("ascii", "replace") if found else None
