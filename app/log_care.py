"""Move the log of orders.db into it, before it grows so long that an alert would have to wait for that.

Each move opens the database and looks at its main file twice. So a service that has little to do moves it seldom: what
was committed is as safe in the log, and what a few commits leave there makes no read slower.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from domain.errors import StoreUnavailable
from domain.ports import ProcessStore

log = logging.getLogger(__name__)

_FEW = 64  # commits
_AT_LEAST_EACH = 30.0  # seconds


class Log(Protocol):
    """The log of orders.db; see `persistence.database.Database`."""

    def commits(self) -> int: ...

    def move_log(self) -> None: ...


class LogCare:
    """Moves the log at each look by which more than a few commits have come, and otherwise now and then."""

    def __init__(
        self, database: Log, store: ProcessStore, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._store = store
        self._monotonic = monotonic
        self._moved: tuple[int, float] | None = None

    def look(self) -> None:
        """Move the log where that is due. An error is logged, and the next look tries again."""
        commits, now = self._database.commits(), self._monotonic()
        if not self._is_due(commits, now):
            return
        try:
            self._store.look()  # the WAL of one database must not be moved into another
            self._database.move_log()
            self._store.look()  # other processes need to know the new state of the file
        except StoreUnavailable as error:
            log.error("the log of orders.db was not moved into it: %s", error)
        else:
            self._moved = commits, now

    def _is_due(self, commits: int, now: float) -> bool:
        if self._moved is None or commits == 0:  # how many there were is not known
            return True
        before, at = self._moved
        return commits - before >= _FEW or now - at >= _AT_LEAST_EACH
