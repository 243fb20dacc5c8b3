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

from domain.errors import NotSent, StoreUnavailable
from domain.ports import Clock

_CODE = "RATE_LIMIT"
_STEP = 10_000  # microseconds an entry waits between two looks while exits go first
_SIGHTED = "sighted"
_SIGHT_LASTS = 50_000  # microseconds after the last sight of an exit within which it asks for its own place
_AT_ONCE = 0.7  # of the places may go to a burst of entries; the rest is spread until the next comes free
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _State:
    """Microseconds since 1970: when the last calls were made, and until when each waits, whoever came first first."""

    calls: list[int] = field(default_factory=list)
    exits: dict[str, int] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)

    def line(self, *, urgent: bool) -> dict[str, int]:
        """Those who wait beside a caller."""
        return self.exits if urgent else self.entries

    def forget(self, now: int, window: int, patience: int) -> None:
        """Drop the calls that no longer count, and those who wait no longer: they gave up, or their process ended."""
        # A clock that was set back must not shut the budget for hours: such calls count as made just now.
        self.calls = [min(call, now) for call in self.calls if call > now - window]
        for line in (self.exits, self.entries):
            for who in [who for who, until in line.items() if not now < until <= now + patience]:
                del line[who]


class RateBudget:
    """At most `rate` calls in any `window`; an exit that waits takes the next place before any entry, else whoever
    came first.

    For several threads and processes of one machine.

    An exit needs two places, one to read the position it is sized from and one for its order. So that no entry goes
    in between, nor before the exit has asked at all, entries look for exits that wait to be sent (`exit_waits`). So
    that an exit finds a place soon, entries take the places one by one once most are taken: if they took all at once,
    the next would come free only when the window is over.

    Args:
        path: the file; made when it is missing. One for each account.
        rate: calls in one window. Source: 10 a second for API orders since the retail-algo rules.
        window: seconds. A little over one, because on their way calls move closer together.
        patience: seconds after which a caller gives up.
        exit_waits: tells whether an exit of the account may be sent now and was not claimed yet; asked by entries.
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
        exit_waits: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._clock = clock
        self._rate = rate
        self._window = int(window * 1_000_000)
        self._patience = int(patience * 1_000_000)
        self._exit_waits = exit_waits
        self._sleep = sleep
        self._numbers = count()
        path.parent.mkdir(parents=True, exist_ok=True)

    def take(self, *, urgent: bool) -> None:
        """Take one call's place, waiting for it if need be.

        Args:
            urgent: goes first: exits, cancels, and the reads that both depend on.

        Raises:
            NotSent: none came free in time, or it cannot be told who goes first; the call must not be made.
        """
        me = f"{os.getpid()}-{threading.get_ident()}-{next(self._numbers)}"
        give_up = self._now() + self._patience
        try:
            while (wait := self._try(me, give_up, urgent=urgent)) is not None:
                self._sleep(wait / 1_000_000)
        except OSError as error:
            raise NotSent(f"the rate budget cannot be used: {error.strerror}", _CODE) from error
        except StoreUnavailable as error:
            raise NotSent(f"it cannot be told whether an exit waits: {error}") from error

    def _try(self, me: str, give_up: int, *, urgent: bool) -> int | None:
        """Take a place and return None, or return the microseconds after which to try again."""
        exit_waits = not urgent and self._exit_waits()  # before the lock: no exit ever waits for this look
        with self._state() as state:
            now = self._now()
            state.forget(now, self._window, self._patience)
            if exit_waits:  # entries lose sight of it when it is claimed, a moment before it asks here
                state.exits[_SIGHTED] = now + _SIGHT_LASTS
            line = state.line(urgent=urgent)
            if now < give_up:
                line.setdefault(me, give_up)
            wait = self._wait(state, me, now, urgent=urgent)
            if not wait:
                state.calls.append(now)
            if not wait or now >= give_up:
                line.pop(me, None)
        if wait and now >= give_up:
            raise NotSent("rate limit: too many calls are waiting for the broker", _CODE)
        return max(1, min(wait, give_up - now)) if wait else None

    def _wait(self, state: _State, me: str, now: int, *, urgent: bool) -> int:
        """Microseconds until it is worth to try again; 0: there is a place, and this caller may have it."""
        free = self._rate - len(state.calls)
        next_free = min(state.calls, default=now) + self._window - now
        if free <= 0:
            return next_free + 1
        if not urgent and state.exits:
            return _STEP
        if not urgent and len(state.calls) >= self._rate * _AT_ONCE:
            spread = next_free - free * self._window // self._rate
            if spread > 0:
                return spread
        line = [who for who in state.line(urgent=urgent) if who != _SIGHTED]
        first = me not in line or line.index(me) < free
        return 0 if first else _STEP

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
            calls, *lines = json.loads(line)
            exits, entries = ({str(who): int(until) for who, until in line.items()} for line in lines)
            return _State([int(call) for call in calls], exits, entries)
        except (ValueError, TypeError, AttributeError):
            # Damaged: nobody knows what was sent, so as much as may be counts as sent just now.
            return _State([self._now()] * self._rate)

    def _now(self) -> int:
        return round((self._clock.now() - _EPOCH).total_seconds() * 1_000_000)


def _write(handle: int, state: _State) -> None:
    """In one piece, and its end marked, so that a kill in between leaves the old line or the new one."""
    line = json.dumps([state.calls, state.exits, state.entries], separators=(",", ":")).encode() + b"\n"
    os.pwrite(handle, line, 0)
    os.ftruncate(handle, len(line))
