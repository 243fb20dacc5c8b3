"""Limit the outgoing rate of one account: the calls in any second and in any minute, whoever makes them.

The times of the last calls are in a small file beside the database, under a lock. So several processes share one
budget, and a restart does not forget the calls that the broker still counts.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from broker.rate_limit.exit_reserve import ExitReserve
from broker.rate_limit.lock import LockHeld, lock_soon
from broker.rate_limit.minute_quota import MINUTE, MinuteQuota, PeriodicRead, ReaderState
from broker.rate_limit.state import Caller, State
from domain.errors import NotSent, StoreUnavailable
from domain.ports import Clock
from domain.times import trading_day

log = logging.getLogger(__name__)

_CODE = "RATE_LIMIT"
_STEP = 10_000  # microseconds that an entry waits between two attempts while exits go first
_SIGHTED = "sighted"
_SIGHT_LASTS = 50_000  # microseconds; an exit requests its own slot within this time after it was last seen
_AT_ONCE = 0.7  # share of the slots for a burst of entries; the rest is spread until the next is free
_FULL = "too many calls are waiting for the broker"
_FULL_MINUTE = "this minute's calls are used up"
_FULL_HOUR = "this hour's calls are used up, but for those of exits"
_FULL_DAY = "this day's calls are used up, but for those of exits"
_CLOSED = "the broker has counted more calls in this minute than were made here"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many calls of an account may go.

    - `calls`: in one window. Source: 10 a second for API orders since the retail-algo rules.
    - `window`: seconds. A little over one, because calls move closer together on their way to the broker.
    - `per_minute`: calls in any 60 s. With 0, only the window limits them.
    - `kept`: of these, slots that only exits, cancels and the reads they need may use.
    - `per_hour`: calls in an hour, of which `kept_of_hour` are for exits and cancels alone. With 0, it is not counted.
    - `per_day`: calls in a day of `zone`, of which `kept_of_day` are for exits and cancels alone. With 0 or no zone,
      the day is not counted. A damaged file forgets the count: then the broker's own stops what is too much.
    """

    calls: int = 10
    window: float = 1.1
    per_minute: int = 0
    kept: int = 0
    per_hour: int = 0
    kept_of_hour: int = 0
    per_day: int = 0
    kept_of_day: int = 0
    zone: ZoneInfo | None = None

    def __post_init__(self) -> None:
        if self.per_day and self.zone is None:
            raise ValueError("per_day needs a zone: a day begins somewhere")


class RateBudget:
    """Allow at most `rate` calls in any `window` and `per_minute` in any minute.

    A waiting exit takes the next slot before any entry. Otherwise the first caller to come takes it. For several
    threads and processes of one machine. `broker.rate_limit.minute_quota` decides which calls the minute allows.

    - An exit needs two slots: one to read the position that it is sized from, and one for its order. No entry may go
      in between, nor before the exit has requested a slot at all. So entries check for exits that wait to be sent
      (`exit_waits`).
    - An exit must find a slot soon. So entries take the slots one by one once most are taken. If they took all at
      once, the next slot would be free only when the window is over.
    - A periodic read goes after exits and before entries. A read that is due goes first.

    Args:
        path: the file, created if it is missing. One for each account.
        rate: how many calls may go.
        patience: seconds after which a caller gives up. A periodic read gives up at once if waiting is in vain.
        exit_waits: returns whether an exit of the account may be sent now and is not claimed yet. Called for entries.
        sleep: waits for the given seconds.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        rate: Rate = Rate(),
        *,
        patience: float = 1.2,
        exit_waits: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._clock = clock
        self._calls = rate.calls
        self._window = int(rate.window * 1_000_000)
        self._minute = MinuteQuota(rate.per_minute, rate.kept)
        self._rate = rate
        self._patience = int(patience * 1_000_000)
        self._exit_waits = exit_waits
        self._sleep = sleep
        self._process = os.getpid()
        self._numbers = count()
        self._reserve = ExitReserve(self._window)
        path.parent.mkdir(parents=True, exist_ok=True)

    def take(self, *, urgent: bool, reads: PeriodicRead | None = None) -> None:
        """Take a slot for one call, and wait for it if necessary.

        Args:
            urgent: the call goes first. True for exits, cancels, and the reads that both depend on.
            reads: what is read, if the call is a periodic read. If it is None and not `urgent`, the call is an entry.

        Raises:
            NotSent: no slot was free in time, or it is unknown who goes first. The call must not be made.
        """
        me = f"{os.getpid()}-{threading.get_ident()}-{next(self._numbers)}"
        give_up = self._now() + self._patience
        try:
            while (wait := self._try(me, give_up, urgent=urgent, reads=reads)) is not None:
                self._sleep(wait / 1_000_000)
        except LockHeld as error:
            if not urgent or not self._reserve.take(self._now()):
                raise NotSent(
                    f"the rate budget is locked by a process that does not go on: {error}", _CODE
                ) from error
            log.warning(
                "%s is locked by a process that does not go on: an exit's call goes without", self._path.name
            )
        except OSError as error:
            raise NotSent(f"the rate budget cannot be used: {error.strerror}", _CODE) from error
        except StoreUnavailable as error:
            raise NotSent(f"it cannot be told whether an exit waits: {error}") from error

    def exceeded(self) -> None:
        """Record that the broker's own count of this minute is full. For a minute only the most needed calls go."""
        try:
            with self._state() as state:
                now = self._now()
                is_told = now < state.closed_until <= now + MINUTE
                if not is_told:
                    state.closed_until = now + MINUTE
        except OSError as error:
            log.warning("the rate budget cannot be used: %s", error.strerror)
            return
        if not is_told:
            log.warning(
                "%s: the broker has counted more calls in this minute than were made here, perhaps of another program "
                "or a telephone; for %d s only exits, cancels and what they need go",
                self._path.name,
                MINUTE // 1_000_000,
            )

    def _try(self, me: str, give_up: int, *, urgent: bool, reads: PeriodicRead | None = None) -> int | None:
        """Take a slot and return None, or return the microseconds after which to try again."""
        who = Caller(me, give_up, None if urgent or reads is None else f"{reads}-{self._process}", urgent)
        # Called before the lock is taken, so that no exit ever waits for this check.
        exit_waits = who.is_entry and self._exit_waits()
        with self._state() as state:
            now = self._now()
            state.forget(now, max(self._window, MINUTE if self._minute.places else 0), self._patience)
            self._begin_day(state)
            if self._rate.per_hour:
                state.begin_minute(now)
            if exit_waits:  # entries no longer see it once it is claimed, just before it requests a slot
                state.exits[_SIGHTED] = now + _SIGHT_LASTS
            wait, why = self._wait(state, who, now)
            if not wait:
                state.take(who, now)
            ends = not wait or now >= give_up or (who.reader is not None and wait > give_up - now)
            if ends:
                state.leave(me)
        if wait and ends:
            raise NotSent(f"rate limit: {why}", _CODE)
        return max(1, min(wait, give_up - now)) if wait else None

    def _wait(self, state: State, who: Caller, now: int) -> tuple[int, str]:
        """Return the microseconds until the next attempt, and the reason. 0 means that this caller has a slot."""
        if who.reader is not None:
            return self._wait_to_read(state, who, who.reader, now)
        line = state.exits if who.urgent else state.entries
        if self._day_is_full(state, who):
            return MINUTE, _FULL_DAY
        if self._hour_is_full(state, who):
            return MINUTE, _FULL_HOUR
        if now < who.give_up:
            line.setdefault(who.name, who.give_up)
        if who.is_entry and state.closed_until > now:
            return state.closed_until - now, _CLOSED
        left = self._minute.free(state.calls, state.readers, now, urgent=who.urgent)
        if left <= 0:
            return (state.calls[0] + MINUTE - now if state.calls else _STEP), _FULL_MINUTE
        free, next_free = self._second(state, now)
        if free <= 0:
            return next_free + 1, _FULL
        if who.is_entry and (state.exits or state.reads):
            return _STEP, _FULL
        if who.is_entry and self._calls - free >= self._calls * _AT_ONCE:
            spread = next_free - free * self._window // self._calls
            if spread > 0:
                return spread, _FULL
        return _turn(line, who.name, min(free, left)), _FULL

    def _wait_to_read(self, state: State, who: Caller, reader: str, now: int) -> tuple[int, str]:
        """Do the same for a periodic read. It joins a queue only once the minute's quota lets it go."""
        state.readers.setdefault(reader, ReaderState(now)).asked = now
        closed_for = max(0, state.closed_until - now)
        turn = self._minute.turn(state.calls, state.readers, reader, now, closed_for=closed_for)
        if turn.wait or turn.is_due:
            state.leave(who.name)
        if turn.wait:
            return turn.wait, _CLOSED if closed_for else _FULL_MINUTE
        if turn.is_due:  # it takes the next slot, even if a basket of exits takes all others for many seconds
            state.exits = {who.name: who.give_up, **state.exits}
        else:
            state.reads.setdefault(who.name, who.give_up)
        free, next_free = self._second(state, now)
        if free <= 0:
            return next_free + 1, _FULL
        if turn.is_due:
            return 0, ""
        if state.exits.keys() - {_SIGHTED}:
            return _STEP, _FULL
        return _turn(state.reads, who.name, free), _FULL

    def _begin_day(self, state: State) -> None:
        if self._rate.per_day and self._rate.zone is not None:
            state.begin_day(trading_day(self._clock.now(), self._rate.zone).toordinal())

    def _day_is_full(self, state: State, who: Caller) -> bool:
        """Exits and cancels are never stopped here: what the broker takes of them is for the broker to say."""
        rate = self._rate
        return bool(rate.per_day) and not who.urgent and state.of_day >= rate.per_day - rate.kept_of_day

    def _hour_is_full(self, state: State, who: Caller) -> bool:
        """As for the day, no exit is ever stopped here."""
        rate = self._rate
        return bool(rate.per_hour) and not who.urgent and state.of_hour >= rate.per_hour - rate.kept_of_hour

    def _second(self, state: State, now: int) -> tuple[int, int]:
        """Return how many slots of the window are free, and the microseconds until the next one is."""
        recent = [call for call in state.calls if call > now - self._window]
        return self._calls - len(recent), min(recent, default=now) + self._window - now

    @contextmanager
    def _state(self) -> Iterator[State]:
        """Lock the file and yield its state. The changed state is written back at the end, also after an error."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            lock_soon(handle, self._sleep_really)
            state = self._read(handle)
            # Calls that were made without the file count in it from now on.
            state.calls = sorted([*state.calls, *self._reserve.give_back()])
            try:
                yield state
            finally:
                _write(handle, state)
        finally:
            os.close(handle)

    @staticmethod
    def _sleep_really(seconds: float) -> None:
        """Sleep in real time: another process is waited for, and no simulated clock of this process advances it."""
        time.sleep(seconds)

    def _read(self, handle: int) -> State:
        line = os.pread(handle, 1_000_000, 0).partition(b"\n")[0]
        if not line:
            return State()
        try:
            return State.from_json(line)
        except (ValueError, TypeError, AttributeError, LookupError):
            # The file is damaged, so it is unknown what was sent. As many calls as allowed count as sent just now.
            spent = max(self._calls, self._minute.places - self._minute.kept)  # exits keep their slots
            return State([self._now()] * spent)

    def _now(self) -> int:
        return round((self._clock.now() - _EPOCH).total_seconds() * 1_000_000)


def _turn(line: Mapping[str, int], name: str, free: int) -> int:
    """Return 0 for the callers at the front of the queue, one for each free slot; else the time to the next attempt."""
    names = [who for who in line if who != _SIGHTED]
    return 0 if name not in line or names.index(name) < free else _STEP


def _write(handle: int, state: State) -> None:
    """Write the state in one piece with its end marked, so that a kill leaves either the old line or the new one."""
    line = state.to_json() + b"\n"
    os.pwrite(handle, line, 0)
    os.ftruncate(handle, len(line))
