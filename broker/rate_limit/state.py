"""The contents of a rate budget's file: the calls that still count, and the callers that wait for a slot."""

import json
from dataclasses import dataclass, field
from typing import Any

from broker.rate_limit.minute_quota import MINUTE, ReaderState

_CLOCK_MINUTE = 60_000_000  # microseconds
_READS_ON = 15_000_000  # microseconds; a reader without a request for so long has stopped, and needs no slot


@dataclass(frozen=True, slots=True)
class Caller:
    """Who requests a slot, until when, and what for.

    The call is a periodic read if it has a `reader` (the reader's name), an exit if `urgent`, else an entry.
    """

    name: str
    give_up: int
    reader: str | None
    urgent: bool

    @property
    def is_entry(self) -> bool:
        return self.reader is None and not self.urgent


@dataclass
class State:
    """The calls and the queues. All times are in microseconds since 1970.

    - `calls`: when the last calls were made.
    - `exits`, `entries`, `reads`: the queues. Until when each caller waits, in the sequence in which they came. `reads`
      has only the periodic reads that wait for a slot of the window, not of the minute.
    - `readers`: all that read periodically.
    - `closed_until`: until then the broker's own count of the minute is full.
    - `minutes`: the calls of each minute (its number since 1970) of the last hour; empty where no hour is counted.
    - `day`, `of_day`: the day (its ordinal) whose calls are counted, and how many there are; 0 where no day is counted.
    """

    calls: list[int] = field(default_factory=list)
    exits: dict[str, int] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    readers: dict[str, ReaderState] = field(default_factory=dict)
    closed_until: int = 0
    day: int = 0
    of_day: int = 0
    minutes: dict[int, int] = field(default_factory=dict)

    @property
    def of_hour(self) -> int:
        """The calls of the last hour, rounded up to whole minutes."""
        return sum(self.minutes.values())

    @classmethod
    def from_json(cls, text: bytes) -> "State":
        """Parse the file. Files from before the minute was counted end with the entries, and most without a day.

        Raises:
            ValueError, TypeError, AttributeError, IndexError: the text has another form.
        """
        calls, exits, entries, *minute = json.loads(text)
        reads, readers, closed_until, *days = minute or ({}, {}, 0)
        day, of_day, *hour = days or (0, 0)
        return cls(
            [int(call) for call in calls],
            _line(exits),
            _line(entries),
            _line(reads),
            {
                str(who): ReaderState(int(asked), [int(at) for at in made])
                for who, (asked, *made) in readers.items()
            },
            int(closed_until),
            int(day),
            int(of_day),
            {int(minute): int(calls) for minute, calls in (hour[0] if hour else {}).items()},
        )

    def to_json(self) -> bytes:
        """Serialise the state in the form that `from_json` parses."""
        readers = {who: [reader.asked, *reader.made] for who, reader in self.readers.items()}
        whole: list[object] = [self.calls, self.exits, self.entries, self.reads, readers, self.closed_until]
        if self.day or self.minutes:
            whole += [self.day, self.of_day]
        if self.minutes:
            whole.append(self.minutes)
        return json.dumps(whole, separators=(",", ":")).encode()

    def forget(self, now: int, horizon: int, patience: int) -> None:
        """Drop the calls that no longer count, and the callers that gave up or whose process ended."""
        # A clock that was set back must not shut the budget for hours: such calls count as made just now.
        self.calls = [min(call, now) for call in self.calls if call > now - horizon]
        for line in (self.exits, self.entries, self.reads):
            for who in [who for who, until in line.items() if not now < until <= now + patience]:
                del line[who]
        self.readers = {
            who: ReaderState(
                min(reader.asked, now), [min(at, now) for at in reader.made if at > now - MINUTE]
            )
            for who, reader in self.readers.items()
            if reader.asked > now - _READS_ON
        }
        self.closed_until = min(self.closed_until, now + MINUTE)

    def begin_day(self, day: int) -> None:
        """Count anew if the day is another one."""
        if day != self.day:
            self.day, self.of_day = day, 0

    def begin_minute(self, now: int) -> None:
        """Count the hour up to now: forget the minutes before it, and those to come, of a clock that was set back."""
        this = now // _CLOCK_MINUTE
        self.minutes = {each: calls for each, calls in self.minutes.items() if this - 60 <= each <= this}
        self.minutes.setdefault(this, 0)

    def take(self, who: Caller, now: int) -> None:
        """Record a call."""
        self.calls.append(now)
        self.of_day += 1 if self.day else 0
        if self.minutes:
            minute = max(self.minutes)
            self.minutes[minute] += 1
        if who.reader is not None:
            self.readers[who.reader].made.append(now)

    def leave(self, who: str) -> None:
        """Remove the caller from all queues."""
        for line in (self.exits, self.entries, self.reads):
            line.pop(who, None)


def _line(given: Any) -> dict[str, int]:
    return {str(who): int(until) for who, until in given.items()}
