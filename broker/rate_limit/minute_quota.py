"""Whose call may go where a broker counts calls by the minute too. Pure: times are microseconds since 1970.

A broker that counts all calls of an account, reads too, and refuses everything beyond so many in a minute, makes it
blind: no fill is seen and no exit goes until the minute is over. So the minute's places are dealt out by what a call is
for:

- **Exits, cancels and the reads they need** may use every place but those that the next reads need.
- **Entries** stop `kept` places short of that: whatever entries do, an exit finds one.
- **Periodic reads**, of the book and of the positions: polling is the truth, for an order of unknown outcome is proven
  by nothing else, so they must not starve; and they come for ever, so they must not eat up what entries need. They go
  as they come while less than half of the places is used that they share with entries. From there on each reader
  (one process reading one thing) spaces its own, the wider the fuller the minute, until one goes each 7.6 s: that one
  is **due**, and its place was kept free by all others, exits too.

The places that a reader needs next are counted exactly: one for each time it will be due within a minute, less those
that its own older reads give back by then. While it reads at an even pace that is one place, or none.

When the broker says that its own count is full although ours is not, somebody else (a telephone, another program)
uses the account: until a minute has passed only exits, cancels, their reads, and reads that are due go. Without these
nothing would be known at its end: positions that old stop entries.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

MINUTE = 61_000_000
"""A little over a minute, because on their way calls move closer together."""

_PLENTY = 1_000_000
_SURE = 8  # reads of each reader in a minute, whatever else is asked for


class PeriodicRead(StrEnum):
    """What is read again and again."""

    BOOK = "book"
    POSITIONS = "positions"


@dataclass
class ReaderState:
    """When it last asked for a place, and when its reads of the last minute were made, oldest first."""

    asked: int
    made: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """A periodic read's: how long it has to wait, and whether it is due, and so goes first."""

    wait: int
    is_due: bool


@dataclass(frozen=True, slots=True)
class MinuteQuota:
    """The rules for `places` calls in a minute (0: as many as one likes), `kept` of them for exits alone."""

    places: int
    kept: int

    def free(
        self, calls: Sequence[int], readers: Mapping[str, ReaderState], now: int, *, urgent: bool
    ) -> int:
        """How many of the orders that wait may go now, `calls` being those of the last minute."""
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
        """When the reader of that name may go; while the minute is closed, none but one that is due."""
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
        """Reads in a minute that each reader is sure of; many, as of a process that starts anew all the time, share."""
        if not self.places:
            return _SURE
        return max(1, min(_SURE, (self.places - self.kept) // 2 // max(len(readers), 1)))


def _gap(sure: int) -> int:
    """Between two reads that are due."""
    return -(-MINUTE // sure)


def _owed(reader: ReaderState, now: int, sure: int) -> int:
    """Places that its due reads of the coming minute need beyond those that its older ones give back by then."""
    gap = _gap(sure)
    first = max(now, reader.made[-1] + gap) if reader.made else now
    back = [made + MINUTE for made in reader.made]
    return max(0, *(nth + 1 - bisect_right(back, first + nth * gap) for nth in range(sure)))
