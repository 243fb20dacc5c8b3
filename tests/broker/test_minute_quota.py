"""The rate budget's minute: never more than the broker takes, exits at once, the book read, entries what is left."""

import heapq
import json
import logging
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count, pairwise

import pytest

from broker.rate_limit.limiter import Rate, RateBudget
from broker.rate_limit.minute_quota import MINUTE, PeriodicRead
from domain.errors import NotSent, StoreUnavailable
from tests.broker.test_rate_limit import looks, microseconds
from tests.contract.broker_contract import START, ContractClock

PLACES, KEPT, PATIENCE = 100, 20, 1.2
BOOK_EACH, POSITIONS_EACH = 2.0, 5.0  # as an engine wants them


class World:
    """Some processes that share one budget, and those in them who call the broker, on a clock of their own."""

    def __init__(self, path, processes=2, *, places=PLACES, kept=KEPT):
        self.clock = ContractClock()
        self.budgets = [
            RateBudget(path, self.clock, Rate(per_minute=places, kept=kept), patience=PATIENCE)
            for _ in range(processes)
        ]
        for number, budget in enumerate(self.budgets):
            budget._process = number
        self.calls: list[tuple[float, str]] = []
        self.exits: list[float] = []  # how long each call of an exit waited for its place
        self._numbers = count()
        self._queue: list[tuple[float, int, Iterator[float]]] = []

    @property
    def now(self) -> float:
        return (self.clock.at - START).total_seconds()

    def start(self, actor, at=0.0):
        heapq.heappush(self._queue, (at, next(self._numbers), actor))

    def run(self, seconds):
        while self._queue and self._queue[0][0] <= seconds:
            at, _, actor = heapq.heappop(self._queue)
            self.clock.at = max(self.clock.at, START + timedelta(seconds=at))
            pause = next(actor, None)
            if pause is not None:
                self.start(actor, self.now + pause)

    def times(self, what):
        return [at for at, name in self.calls if name.startswith(what)]

    def _take(self, budget, what, **asked):
        """One call, its waiting spread over the world's time; False when it gave up."""
        me, give_up = f"{what}-{next(self._numbers)}", microseconds(self.clock.at) + int(PATIENCE * 1e6)
        try:
            while (wait := budget._try(me, give_up, **asked)) is not None:
                yield wait / 1e6
        except NotSent:
            return False
        self.calls.append((self.now, what))
        return True

    def entries(self, budget):
        """One thread of an engine that has more entries to send than it may."""
        while True:
            went = yield from self._take(budget, "entry", urgent=False)
            yield 0.05 if went else 1.0

    def reader(self, budget):
        """The thread that reads the book, and then the positions when it is time."""
        last = {PeriodicRead.BOOK: -100.0, PeriodicRead.POSITIONS: -100.0}
        while True:
            for reads, each in ((PeriodicRead.BOOK, BOOK_EACH), (PeriodicRead.POSITIONS, POSITIONS_EACH)):
                if self.now - last[reads] >= each:
                    last[reads] = self.now
                    yield from self._take(budget, f"{reads}-{budget._process}", urgent=False, reads=reads)
            yield 1.0

    def exit(self, budget):
        """Its read of the positions and its order."""
        for what in ("exit's read", "exit"):
            asked = self.now
            went = yield from self._take(budget, what, urgent=True, reads=PeriodicRead.POSITIONS)
            self.exits.append(self.now - asked if went else float("inf"))
            yield 0.05

    def exits_for_ever(self, budget):
        while True:
            yield from self.exit(budget)


def most_in_a_minute(world):
    times = sorted(at for at, _ in world.calls)
    return max(sum(at <= other < at + 60 for other in times) for at in times)


def widest_gap(world, what, until):
    return max(later - earlier for earlier, later in pairwise([0.0, *world.times(what), until]))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "default.budget"


@pytest.mark.parametrize("processes", [1, 2])
def test_ten_minutes_of_entries_reads_and_exits(path, processes):
    world, chance, seconds = World(path, processes), random.Random(7), 600.0
    for budget in world.budgets:
        world.start(world.reader(budget), chance.uniform(0, 1))
        for _ in range(4):
            world.start(world.entries(budget), chance.uniform(0, 3))
    at = 5.0
    while at < seconds - 5:
        world.start(world.exit(chance.choice(world.budgets)), at)
        at += chance.uniform(6.5, 30)
    world.run(seconds)

    assert most_in_a_minute(world) <= PLACES
    assert len(world.exits) > 50
    assert max(world.exits) < 0.5, "an exit waits for the next places of the second, and never for the minute"
    for number in range(processes):
        assert widest_gap(world, f"book-{number}", seconds) <= 10
        assert widest_gap(world, f"positions-{number}", seconds) <= 12
    reads = len(world.times("book")) + len(world.times("positions"))
    assert reads <= 10 * processes * 17, "reads give way to entries"
    assert len(world.calls) >= 9.5 * (PLACES - KEPT), "and entries take what is left"


def test_reads_that_nothing_else_competes_with_go_as_they_are_asked_for(path):
    world = World(path, 1)
    world.start(world.reader(world.budgets[0]))
    world.run(300)
    assert widest_gap(world, "book", 300) < 2.1 and widest_gap(world, "positions", 300) < 5.1


def test_entries_that_come_after_a_minute_of_free_reads_find_most_of_the_places(path):
    """And the reads, whose places of the last minute come back only one by one, still find one when they are due."""
    world = World(path, 1)
    world.start(world.reader(world.budgets[0]))
    for _ in range(4):
        world.start(world.entries(world.budgets[0]), 60.0)
    world.run(200)
    in_reads = sum(at < 60 for at, _ in world.calls)
    assert in_reads >= 40
    assert sum(at < 70 for at in world.times("entry")) >= PLACES - KEPT - in_reads - 3
    assert widest_gap(world, "book", 200) <= 10 and widest_gap(world, "positions", 200) <= 12
    assert most_in_a_minute(world) <= PLACES


def test_readers_alone_leave_room_for_a_burst_of_entries(path):
    """Three processes would read more than the minute has places, were they let."""
    world = World(path, 3)
    for budget in world.budgets:
        world.start(world.reader(budget), 0.3 * budget._process)
        world.start(world.entries(budget), 180.0)
    world.run(190)
    assert len(world.times("entry")) >= 15
    assert most_in_a_minute(world) <= PLACES


def test_exits_without_end_leave_the_book_its_places(path):
    world = World(path, 1)
    world.start(world.reader(world.budgets[0]))
    for _ in range(5):
        world.start(world.exits_for_ever(world.budgets[0]), 30.0)
    world.run(300)
    assert most_in_a_minute(world) <= PLACES
    assert widest_gap(world, "book", 300) <= 10
    assert len(world.times("exit")) >= 4 * (PLACES - 22)  # and take all others


def test_an_exit_finds_the_places_that_entries_may_not_use(path, clock):
    budget = make(path, clock)
    entries = fill(budget, urgent=False)
    assert entries == PLACES - KEPT
    assert fill(budget, urgent=True) == KEPT
    clock.advance(seconds=30)
    with pytest.raises(NotSent, match="this minute's calls are used up"):
        budget.take(urgent=True)
    clock.advance(seconds=30)
    assert fill(budget, urgent=True) == PLACES


def test_a_read_goes_behind_exits_and_before_entries(path, clock):
    """Of one second's places; whoever looks first."""
    budget = make(path, clock, rate=2, patience=5)
    budget.take(urgent=False, reads=PeriodicRead.BOOK)
    budget.take(urgent=True)
    exits, read, entry = ("exit 1", "exit 2"), {"reads": PeriodicRead.BOOK, "patience": 5}, {"patience": 5}
    assert not any(looks(budget, clock, name, urgent=True, patience=5) for name in exits)
    assert not looks(budget, clock, "read", **read) and not looks(budget, clock, "entry", **entry)
    clock.advance(seconds=1.11)
    assert not looks(budget, clock, "entry", **entry) and not looks(budget, clock, "read", **read)
    assert all(looks(budget, clock, name, urgent=True, patience=5) for name in exits)
    clock.advance(seconds=1.11)
    assert not looks(budget, clock, "entry", **entry)
    assert looks(budget, clock, "read", **read)
    assert looks(budget, clock, "entry", **entry)


def test_a_read_that_is_due_takes_the_next_place_of_a_basket_of_exits(path, clock):
    budget = make(path, clock, rate=2)
    budget.take(urgent=False, reads=PeriodicRead.BOOK)
    clock.advance(seconds=8)
    assert all(looks(budget, clock, name, urgent=True) for name in ("exit 1", "exit 2"))
    assert not any(looks(budget, clock, f"exit {n}", urgent=True) for n in range(3, 9))
    assert not looks(budget, clock, "read", urgent=False, reads=PeriodicRead.BOOK)
    clock.advance(seconds=1.11)
    assert [looks(budget, clock, f"exit {n}", urgent=True) for n in range(3, 9)].count(True) == 1
    assert looks(budget, clock, "read", urgent=False, reads=PeriodicRead.BOOK)


def test_no_read_asks_whether_an_exit_waits(path, clock):
    """The broker can be read while orders.db cannot."""

    def unreadable():
        raise StoreUnavailable("orders.db: disk I/O error")

    budget = make(path, clock, exit_waits=unreadable)
    for reads in PeriodicRead:
        budget.take(urgent=False, reads=reads)
    with pytest.raises(NotSent):
        budget.take(urgent=False)


def test_who_waits_for_the_minute_gives_up_in_time(path, clock):
    budget = make(path, clock)
    fill(budget, urgent=True)
    for asked in ({"urgent": False}, {"urgent": True}, {"urgent": False, "reads": PeriodicRead.BOOK}):
        began = clock.at
        with pytest.raises(NotSent) as error:
            budget.take(**asked)
        assert error.value.code == "RATE_LIMIT"
        assert clock.at - began < timedelta(seconds=PATIENCE + 0.1)
    # A read that would wait in vain does not: its thread has other things to do.
    assert clock.at - began < timedelta(seconds=0.1)
    assert json.loads(path.read_text())[1:4] == [{}, {}, {}], "and nobody is left in a line"


def test_a_restart_and_another_process_go_on_with_the_same_minute(path, clock):
    fill(make(path, clock), urgent=False)
    again = make(path, clock)
    assert fill(again, urgent=False) == 0
    assert fill(again, urgent=True) == KEPT


def test_processes_that_start_again_and_again_leave_room_for_entries(path, clock):
    """Each is a new reader, whose reads are due at once; the dead ones count for another minute."""
    for number in range(12):
        budget = make(path, clock)
        budget._process = number
        budget.take(urgent=False, reads=PeriodicRead.BOOK)
        budget.take(urgent=False, reads=PeriodicRead.POSITIONS)
    assert fill(budget, urgent=False) >= 20


def test_a_reader_that_asks_no_more_makes_nobody_wait(path, clock):
    """Else, beside a watcher that is started again and again, a book is read so seldom that entries are held back."""
    ours, end = make(path, clock), clock.at + timedelta(seconds=300)
    gaps, last, number = [], clock.at, 1000
    born = clock.at
    while clock.at < end:
        if clock.at >= born:
            other, number, born = make(path, clock), number + 1, clock.at + timedelta(seconds=10)
            other._process = number
        for budget in (other, ours):
            for reads in PeriodicRead:
                with suppress(NotSent):
                    budget.take(urgent=False, reads=reads)
                    if (budget, reads) == (ours, PeriodicRead.BOOK):
                        gaps.append((clock.at - last).total_seconds())
                        last = clock.at
        fill(ours, urgent=False)
        clock.advance(seconds=0.2)
    assert max(gaps) < 15


@pytest.mark.parametrize("damage", ["nonsense\n", "[[1],{},{},{}]\n", '[[1],{},{},{},{"book-1":[]},0]\n'])
def test_a_damaged_file_counts_as_all_that_entries_may_use(path, clock, damage):
    path.write_text(damage)
    budget = make(path, clock)
    with pytest.raises(NotSent):
        budget.take(urgent=False)
    assert fill(budget, urgent=True) == KEPT
    clock.advance(seconds=62)
    assert fill(budget, urgent=True) == PLACES


def test_a_file_of_before_the_minute_was_counted_is_read(path, clock):
    at = microseconds(clock.at)
    path.write_text(json.dumps([[at - 200_000, at - 100_000], {}, {}]) + "\n")
    assert fill(make(path, clock), urgent=True) == PLACES - 2


def test_without_a_minute_only_the_second_counts(path, clock):
    budget = make(path, clock, places=0, kept=0)
    for _ in range(300):
        budget.take(urgent=False)
    assert len(json.loads(path.read_text())[0]) <= 10  # nothing is kept that no longer counts


# the broker's own count ---------------------------------------------------------------------------------------


def test_when_the_brokers_count_is_full_only_exits_and_due_reads_go_on(path, clock, caplog):
    budget = make(path, clock)
    for reads in PeriodicRead:
        budget.take(urgent=False, reads=reads)
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            budget.exceeded()
    assert len(caplog.records) == 1 and "the broker has counted more calls" in caplog.text
    budget.take(urgent=True)
    for asked in ({"urgent": False}, *({"urgent": False, "reads": reads} for reads in PeriodicRead)):
        with pytest.raises(NotSent, match="the broker has counted more calls"):
            budget.take(**asked)
    clock.advance(seconds=8)
    for (
        reads
    ) in PeriodicRead:  # they are due: nothing else proves an unknown outcome, and old positions stop entries
        budget.take(urgent=False, reads=reads)
        with pytest.raises(NotSent):
            budget.take(urgent=False, reads=reads)
    clock.advance(seconds=22)
    budget.exceeded()  # an exit was turned away as well: the minute does not begin anew with each
    clock.advance(seconds=MINUTE / 1e6 - 30)
    for asked in ({"urgent": False}, *({"urgent": False, "reads": reads} for reads in PeriodicRead)):
        budget.take(**asked)
    budget.exceeded()
    assert len(caplog.records) == 2, "each minute anew"


def test_another_process_hears_that_the_count_is_full(path, clock):
    make(path, clock).exceeded()
    with pytest.raises(NotSent, match="the broker has counted more calls"):
        make(path, clock).take(urgent=False)


def test_a_clock_that_was_set_back_does_not_close_the_minute_for_hours(path, clock):
    make(path, clock).exceeded()
    clock.advance(hours=-3)
    with pytest.raises(NotSent):
        make(path, clock).take(urgent=False)
    clock.advance(seconds=MINUTE / 1e6)
    make(path, clock).take(urgent=False)


def make(path, clock, *, places=PLACES, kept=KEPT, rate=10, **more):
    def pass_time(seconds):
        clock.advance(seconds=seconds)

    return RateBudget(path, clock, Rate(rate, per_minute=places, kept=kept), sleep=pass_time, **more)


def fill(budget, **asked):
    """Take places until there is none; how many there were."""
    number = 0
    with suppress(NotSent):
        while True:
            budget.take(**asked)
            number += 1
    return number
