"""The outgoing rate of one account: no more than so many calls in any second, whoever makes them.

The last calls' times stand in a small file beside the database, under a lock: several processes share one budget, and
a restart does not forget what the broker still counts.
"""

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from domain.errors import NotSent
from domain.ports import Clock

_CODE = "RATE_LIMIT"
_STEP = 10_000  # microseconds an entry waits between two looks while exits go first
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _State:
    """Microseconds since 1970: when the last calls were made, and until when each waiting exit waits."""

    calls: list[int] = field(default_factory=list)
    exits: dict[str, int] = field(default_factory=dict)


class RateBudget:
    """At most `rate` calls in any `window`; an exit that waits takes the next place before any entry.

    For several threads and processes of one machine.

    Args:
        path: the file; made when it is missing. One for each account.
        rate: calls in one window. Source: 10 a second for API orders since the retail-algo rules.
        window: seconds. A little over one, because on their way calls move closer together.
        patience: seconds after which a caller gives up.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        rate: int = 10,
        window: float = 1.1,
        patience: float = 1.2,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._clock = clock
        self._rate = rate
        self._window = int(window * 1_000_000)
        self._patience = int(patience * 1_000_000)
        self._sleep = sleep
        self._numbers = count()
        path.parent.mkdir(parents=True, exist_ok=True)

    def take(self, *, urgent: bool) -> None:
        """Take one call's place, waiting for it if need be.

        Args:
            urgent: goes first: exits, cancels, and the reads that both depend on.

        Raises:
            NotSent: none came free in time, or the file cannot be used; the call must not be made.
        """
        me = f"{os.getpid()}-{threading.get_ident()}-{next(self._numbers)}"
        give_up = self._now() + self._patience
        try:
            while (wait := self._try(me, give_up, urgent=urgent)) is not None:
                self._sleep(wait / 1_000_000)
        except OSError as error:
            raise NotSent(f"the rate budget cannot be used: {error.strerror}", _CODE) from error

    def _try(self, me: str, give_up: int, *, urgent: bool) -> int | None:
        """Take a place and return None, or return the microseconds after which to try again."""
        with self._state() as state:
            now = self._now()
            # A clock that was set back must not shut the budget for hours: such calls count as made just now.
            state.calls = [min(call, now) for call in state.calls if call > now - self._window]
            state.exits = {
                who: until for who, until in state.exits.items() if now < until <= now + self._patience
            }
            first = urgent or not state.exits
            if first and len(state.calls) < self._rate:
                state.calls.append(now)
                state.exits.pop(me, None)
                return None
            if now >= give_up:
                state.exits.pop(me, None)
                raise NotSent("rate limit: too many calls are waiting for the broker", _CODE)
            if urgent:
                state.exits[me] = give_up
            return self._wait(state, now, give_up, first=first)

    def _wait(self, state: _State, now: int, give_up: int, *, first: bool) -> int:
        free = len(state.calls) < self._rate
        wait = _STEP if free and not first else min(state.calls) + self._window - now + 1
        return max(1, min(wait, give_up - now))

    @contextmanager
    def _state(self) -> Iterator[_State]:
        """The file's state, locked; what is left of it on the way out, also through an error, is written back."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            state = self._read(handle)
            try:
                yield state
            finally:
                _write(handle, state)
        finally:
            os.close(handle)

    def _read(self, handle: int) -> _State:
        line = os.pread(handle, 1_000_000, 0).partition(b"\n")[0]
        if not line:
            return _State()
        try:
            calls, exits = json.loads(line)
            return _State([int(call) for call in calls], {str(k): int(v) for k, v in exits.items()})
        except (ValueError, TypeError, AttributeError):
            # Damaged: nobody knows what was sent, so as much as may be counts as sent just now.
            return _State([self._now()] * self._rate)

    def _now(self) -> int:
        return round((self._clock.now() - _EPOCH).total_seconds() * 1_000_000)


def _write(handle: int, state: _State) -> None:
    """In one piece, and its end marked, so that a kill in between leaves the old line or the new one."""
    line = json.dumps([state.calls, state.exits], separators=(",", ":")).encode() + b"\n"
    os.pwrite(handle, line, 0)
    os.ftruncate(handle, len(line))
