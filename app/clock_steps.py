"""Notices that the machine's clock was set, by what the kernel counts since its start.

A wait that proves something, as that an order never came, must not end because somebody set the clock forward. The
kernel's count goes on while the machine sleeps, is set by nobody, and is one for all processes. Where the clock has
moved against it, all waits are counted anew. What one process has noticed the next one reads from a file beside the
database, so that a start alone makes no wait longer.
"""

import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from domain.ports import Clock
from domain.times import parse_time, time_text

log = logging.getLogger(__name__)

_STEP = 0.5  # seconds; what keeps a clock right moves it by less between two looks
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def beside(orders_db: Path) -> Path:
    """Return the file in which the processes of one database tell each other of the clock."""
    return orders_db.with_name(f"{orders_db.name}-clock.json")


class ClockSteps:
    """Since when the machine's clock was not set. Safe to call from several threads.

    Args:
        clock: the machine's clock.
        file: where the last step is kept for processes that begin later.
        counted: seconds that the kernel has counted since its start.
        boot: what tells one start of the machine from another; empty: not known.
    """

    def __init__(
        self,
        clock: Clock,
        file: Path,
        *,
        counted: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        self._clock = clock
        self._file = file
        self._counted = counted or _seconds_since_boot
        self._boot = _boot_id() if boot is None else boot
        self._lock = threading.Lock()
        self._ahead: float | None = None  # of the kernel's count: the clock
        self._since: datetime | None = None

    def since(self) -> datetime:
        """Return since when the clock is known not to have been set."""
        with self._lock:
            now = self._clock.now()
            ahead = now.timestamp() - self._counted()
            if self._since is None or self._ahead is None:
                self._begin(now, ahead)
            elif abs(ahead - self._ahead) > _STEP:
                log.warning(
                    "the clock was set by %+.1f s: what waits for time to pass is counted anew",
                    ahead - self._ahead,
                )
                self._keep(now, ahead)
            self._ahead = ahead
            assert self._since is not None
            return self._since

    def _begin(self, now: datetime, ahead: float) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            since = parse_time(kept["since"])
            is_same = bool(self._boot) and kept["boot"] == self._boot
            if is_same and abs(float(kept["ahead"]) - ahead) <= _STEP and since <= now:
                self._since = since
                return
        self._keep(now, ahead)

    def _keep(self, now: datetime, ahead: float) -> None:
        self._since = now
        text = json.dumps({"boot": self._boot, "ahead": ahead, "since": time_text(now)})
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=self._file.parent, prefix=f"{self._file.name}.", delete=False, encoding="utf-8"
            ) as new:
                try:
                    new.write(text)
                    new.flush()
                    os.replace(new.name, self._file)
                except OSError:
                    os.unlink(new.name)
                    raise
        except OSError as error:  # the next process waits once more, and that is all
            log.warning("when the clock was set could not be kept in %s: %s", self._file, error)


def _seconds_since_boot() -> float:
    """Return what the kernel has counted since its start, sleep included where it counts that."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
