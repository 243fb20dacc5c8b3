"""Tells an outside monitor once a minute that every loop is healthy, in a thread on which nothing else waits.

The monitor is what notices a machine that is dead: nobody on it can say so. It gets nothing while anything is wrong
that readiness would report, so it notices that as well.
"""

import logging
import threading
import time
from collections.abc import Callable

from notifications.heartbeat import PingFailed

log = logging.getLogger(__name__)

_EVERY = 60.0  # seconds between two requests
_LOOKS_AGAIN = 5.0  # seconds until an unhealthy service is looked at again
TOLD_AFTER = 3
"""So many requests in a row have to fail before people are told, once."""


class OutsideMonitor:
    """Sends a request a minute while nothing is wrong.

    Args:
        trouble: what is wrong, in words; empty when every loop is healthy. It may take as long as it likes.
        send: sends one request; raises PingFailed.
        tell: is called when requests have begun to fail, with what happened.
        tell_better: is called when one comes through after that, and at the first of this process.
        every: seconds between two requests.
        again: seconds after which an unhealthy service is looked at again.
    """

    def __init__(
        self,
        trouble: Callable[[], str],
        send: Callable[[], None],
        *,
        tell: Callable[[str], None],
        tell_better: Callable[[str], None],
        every: float = _EVERY,
        again: float = _LOOKS_AGAIN,
    ) -> None:
        self._trouble = trouble
        self._send = send
        self._tell = tell
        self._tell_better = tell_better
        self._every = every
        self._again = again
        self._stopping = threading.Event()
        self._was_silent = False
        self.sent = 0
        self.failed = 0
        self._in_a_row = 0
        self._is_told: bool | None = None

    def start(self) -> None:
        """Begin, in a thread that ends with the process whatever it is doing."""
        threading.Thread(target=self._run, name="outside monitor", daemon=True).start()

    def stop(self) -> None:
        """Send nothing more. A request under way is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                wait = self.step()
            except Exception:  # a thread's edge: a defect here must not end the heartbeats for good
                log.exception("the outside monitor")
                wait = self._every
            self._stopping.wait(max(0.0, wait - (time.monotonic() - began)))

    def step(self) -> float:
        """Look, and send a request if nothing is wrong. Returns after how many seconds to do so again."""
        trouble = self._trouble()
        if trouble:
            if not self._was_silent:
                log.error("the outside monitor hears nothing from now on: %s", trouble)
            self._was_silent = True
            return self._again
        if self._was_silent:
            log.warning("the outside monitor hears from us again: every loop is healthy")
        self._was_silent = False
        try:
            self._send()
        except PingFailed as error:
            self._count_failure(str(error))
        else:
            self.sent += 1
            self._in_a_row = 0
            if self._is_told is not False:  # or not known: a process before this one may have told
                self._tell_better("the outside monitor is reached again")
                self._is_told = False
        return self._every

    def _count_failure(self, why: str) -> None:
        self.failed += 1
        self._in_a_row += 1
        log.warning("the outside monitor: %s (%d in a row, %d in all)", why, self._in_a_row, self.failed)
        if self._in_a_row >= TOLD_AFTER and not self._is_told:
            self._tell(
                f"the outside monitor (HEARTBEAT_URL) is not reached: {why}, {TOLD_AFTER} times in a row. Orders are "
                "not affected. It may report this machine as dead although it is not, and would not notice if it were: "
                "look at HEARTBEAT_URL and at the monitor"
            )
            self._is_told = True  # only once it was written down: if that fails it is tried a minute later
