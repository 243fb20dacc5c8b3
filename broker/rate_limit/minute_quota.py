"""Decide which calls may go where a broker also counts calls by the minute. Pure: times are microseconds since 1970.

Such a broker counts all calls of an account, reads too, and refuses everything beyond a number of calls in a minute.
An account that reaches the limit is blind: no fill is seen and no exit goes until the minute is over. So the minute's
slots are allotted by the purpose of a call:

- **Exits, cancels and the reads they need** may use every slot except those that the next periodic reads need.
- **Entries** stop `kept` slots short of that. So an exit finds a slot, whatever entries do.
- **Periodic reads** of the order book and of the positions must not starve: nothing but polling proves what became of
  an order of unknown outcome. They never end, so they must not use up what entries need either.
    - They go as they come while less than half of the slots that they share with entries is used.
    - From there on each reader (one process reading one thing) spaces its own reads. The fuller the minute, the wider
      the spacing, until one read goes each 7.6 s (later if many readers share the minute).
    - The read at that spacing is **due**. Its slot was kept free by all other calls, exits too.

The slots that a reader needs next are counted exactly: one for each time it will be due within a minute, less those
that its own older reads give back by then. While it reads at an even pace, that is one slot or none.

The broker may say that its own count is full although ours is not. Then somebody else (a telephone, another program)
uses the account. Until a minute has passed, only exits, cancels, their reads, and reads that are due go. Without the
due reads nothing would be known at the end of that minute, and positions that are so old stop entries.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

MINUTE = 61_000_000
"""A little over a minute, because calls move closer together on their way to the broker."""

_PLENTY = 1_000_000
_SURE = 8  # reads in a minute that each reader is guaranteed, whatever other calls wait


class PeriodicRead(StrEnum):
    """What is read periodically."""

    BOOK = "book"
    POSITIONS = "positions"


@dataclass
class ReaderState:
    """When a reader last requested a slot, and when its reads of the last minute were made, oldest first."""

    asked: int
    made: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """The turn of a periodic read: how long it has to wait, and whether it is due and so goes first."""

    wait: int
    is_due: bool


@dataclass(frozen=True, slots=True)
class MinuteQuota:
    """The quota of `places` calls in a minute (0: unlimited), of which `kept` are slots for exits alone."""

    places: int
    kept: int

    def free(
        self, calls: Sequence[int], readers: Mapping[str, ReaderState], now: int, *, urgent: bool
    ) -> int:
        """Return how many of the waiting orders may go now. `calls` are those of the last minute."""
        if not self.places:
            return _PLENTY
        sure = self._sure(readers)
        owed = sum(_owed(reader, now, sure) for reader in readers.values())
        return self.places - (0 if urgent else self.kept) - len(calls) - owed

    def turn(
        self,
        calls: Sequence[int],
        readers: Mapping[str, ReaderState],
        name: str,
        now: int,
        *,
        closed_for: int,
    ) -> ReadTurn:
        """Return when the reader of that name may go. While the minute is closed, only a read that is due may."""
        me, sure = readers[name], self._sure(readers)
        gap = _gap(sure)
        due = me.made[-1] + gap if me.made else now
        if now >= due:
            others = sum(_owed(each, now, sure) for key, each in readers.items() if key != name)
            is_free = not self.places or len(calls) + others < self.places
            return ReadTurn(0 if is_free else calls[0] + MINUTE - now if calls else gap, is_due=is_free)
        if closed_for:
            return ReadTurn(due - now, is_due=False)
        if not self.places:
            return ReadTurn(0, is_due=False)
        shared = self.places - self.kept
        used = shared - self.free(calls, readers, now, urgent=False)
        spaced = gap * max(0, 2 * used - shared) // shared
        return ReadTurn(max(0, me.made[-1] + min(spaced, gap) - now), is_due=False)

    def _sure(self, readers: Mapping[str, ReaderState]) -> int:
        """Return the reads in a minute that each reader is guaranteed.

        Many readers, as of a process that restarts all the time, share the slots.
        """
        if not self.places:
            return _SURE
        return max(1, min(_SURE, (self.places - self.kept) // 2 // max(len(readers), 1)))


def _gap(sure: int) -> int:
    """Return the time between two reads that are due."""
    return -(-MINUTE // sure)


def _owed(reader: ReaderState, now: int, sure: int) -> int:
    """Return the slots that its due reads of the next minute need beyond those that its older reads give back."""
    gap = _gap(sure)
    first = max(now, reader.made[-1] + gap) if reader.made else now
    back = [made + MINUTE for made in reader.made]
    return max(0, *(nth + 1 - bisect_right(back, first + nth * gap) for nth in range(sure)))
