"""Many power losses of one journal: which moments, what is left then, and whether that keeps what was promised."""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.power_loss.disk import Disk, Fate, Names, write_folder
from tests.e2e.power_loss.journal import Kind, Record, before
from tests.e2e.power_loss.promises import Ack, Arrival, broken

Start = Mapping[str, tuple[int, bytes]]

_FATES = (Fate.NOTHING, Fate.NOTHING, Fate.ALL, Fate.FIRST, Fate.SECTORS, Fate.SECTORS)


@dataclass
class Figures:
    """What was looked at, and what was found; nothing may be."""

    counts: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            ", ".join(f"{what} {count}" for what, count in self.counts.items())
            + f" | broken promises {len(self.found)}"
        )

    def evidence(self, most: int = 20) -> str:
        """Each finding in a line of its own, up to so many."""
        more = len(self.found) - most
        return "\n".join([*self.found[:most], *([f"and {more} more"] if more > 0 else [])])


@dataclass(frozen=True)
class Life:
    """One life of the service, from one loss to the next: the files at its start and all that happened to them."""

    name: str
    start: Start
    records: Sequence[Record]
    ended: int  # nanoseconds of the real-time clock: nothing of it ran any more
    acks: Sequence[Ack] = ()
    arrivals: Sequence[Arrival] = ()

    def acks_by(self, count: int) -> list[Ack]:
        """What was acknowledged when so many records had been made and the next was to come."""
        return [ack for ack in self.acks if ack.at < self._end_of(count)]

    def arrivals_by(self, count: int) -> list[Arrival]:
        """The same of what the broker had."""
        return [arrival for arrival in self.arrivals if arrival.at < self._end_of(count)]

    def _end_of(self, count: int) -> int:
        """The last moment before the next record."""
        return self.records[count].at if count < len(self.records) else self.ended


def choose(life: Life, many: int, chance: random.Random) -> list[int]:
    """Moments at which something may be wrong, as numbers of records that were made.

    A fifth each: just when an answer or an order was there; while the log moves into the database; around the end of a
    sync; where names change; and anywhere.
    """
    records = life.records
    times = [*(ack.at for ack in life.acks), *(arrival.at for arrival in life.arrivals)]
    answers = [before(records, at) for at in times if records[0].at < at < life.ended]
    moving = _numbers(records, lambda record: record.kind is Kind.WRITE and record.path == "orders.db")
    syncs = _numbers(records, lambda record: record.kind is Kind.SYNC_END)
    names = _numbers(records, lambda record: record.kind in (Kind.CREATE, Kind.RENAME, Kind.UNLINK))
    anywhere = range(len(records) + 1)
    share = max(1, many // 5)
    chosen = [chance.choice(kind) for kind in (answers, moving, syncs, names) if kind for _ in range(share)]
    chosen += [chance.choice(anywhere) for _ in range(max(0, many - len(chosen)))]
    return sorted(min(len(records), each + chance.choice((0, 0, 1))) for each in chosen)


def _numbers(records: Sequence[Record], wanted: Callable[[Record], bool]) -> list[int]:
    return [number for number, record in enumerate(records) if wanted(record)]


def try_cuts(life: Life, folder: Path, many: int, chance: random.Random, figures: Figures) -> None:
    """Lose the power at so many moments of that life, and look at what is left."""
    chosen = choose(life, many, chance)
    for names in Names:
        disk, played = Disk(life.start, names), 0
        for count in chosen[:: 1 if names is Names.IN_ORDER else 2]:
            disk.play(life.records[played:count])
            played = count
            _try_one(life, disk, folder, (count, names, chance.choice(_FATES)), chance, figures)


def _try_one(
    life: Life,
    disk: Disk,
    folder: Path,
    case: tuple[int, Names, Fate],
    chance: random.Random,
    figures: Figures,
) -> None:
    count, names, fate = case
    acks, arrivals = life.acks_by(count), life.arrivals_by(count)
    target = folder / f"{life.name}-{count}-{names.name}-{fate.name}".lower()
    shutil.rmtree(target, ignore_errors=True)
    left = disk.lose(fate, chance)
    write_folder(target, left, chance)
    faults = list(broken(target, acks, arrivals))
    shutil.rmtree(target)
    if faults:  # as it was, before the look: for whoever wants to know why
        write_folder(target, left, chance)
    where = (
        f"{life.name}, after record {count} of {len(life.records)}, names {names.value}, {fate.value} left"
    )
    figures.found += [f"{where}: {fault}" for fault in faults]
    figures.counts.update(
        {"cuts": 1, "acks": len(acks), "orders": len(arrivals), "broken cuts": bool(faults)}
    )


def missed(life: Life, actual: Start) -> list[str]:
    """The files that are not as the journal says: the shim has missed something, and nothing is proven.

    Mapped memory may have changed after the last record.
    """
    disk = Disk(life.start, Names.IN_ORDER)
    disk.play(life.records)
    said = {path: data for path, data in disk.lose(Fate.ALL, random.Random(0)).items() if data is not None}
    there = {path: content for path, (_, content) in actual.items()}
    return [
        path
        for path in sorted(said.keys() | there.keys())
        if said.get(path) != there.get(path) and not path.endswith(".generation")
    ]
