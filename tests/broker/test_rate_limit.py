"""The rate budget: never more than the rate in any window, exits first, and a restart forgets nothing."""

import fcntl
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.system import SystemClock
from broker.rate_limit.limiter import Rate, RateBudget
from domain.error_class import reason_class
from domain.errors import NotSent, StoreUnavailable
from tests.contract.broker_contract import SPAWN, START, ContractClock

RATE, WINDOW = 3, 1.1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def make(path, clock, patience=1.2, sleep=True, rate=RATE, **more):
    def pass_time(seconds):
        assert sleep, "nobody has to wait"
        clock.advance(seconds=seconds)

    return RateBudget(path, clock, Rate(rate, WINDOW), patience=patience, sleep=pass_time, **more)


def microseconds(at):
    return round((at - EPOCH).total_seconds() * 1_000_000)


def looks(budget, clock, who, *, urgent=False, patience=1.2, **more):
    """One look of a caller who asks now; True when it got a place."""
    give_up = microseconds(clock.at + timedelta(seconds=patience))
    return budget._try(who, give_up, urgent=urgent, **more) is None


def most_in_a_window(times, window=WINDOW):
    return max(sum(t <= other < t + timedelta(seconds=window) for other in times) for t in times)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 0.8), st.booleans(), st.sampled_from(["call", "call", "call", "restart"])),
        min_size=1,
        max_size=40,
    )
)
def test_no_window_ever_holds_more_than_the_rate(tmp_path_factory, steps):
    path, clock, taken = tmp_path_factory.mktemp("b") / "budget", ContractClock(), []
    budget = make(path, clock)
    for pause, urgent, what in steps:
        clock.advance(seconds=pause)
        if what == "restart":
            budget = make(path, clock)
            continue
        asked = clock.at
        budget.take(urgent=urgent)
        assert clock.at - asked <= timedelta(seconds=WINDOW + 0.01)
        taken.append(clock.at)
    assert not taken or most_in_a_window(taken) <= RATE


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 1500), st.booleans()), min_size=1, max_size=15),
    order=st.randoms(use_true_random=False),
)
def test_no_entry_is_served_while_an_exit_waits(tmp_path_factory, arrivals, order):
    """Callers look again in any order, each 10 ms; who looked and was not served is waiting until it has to give up.

    An exit may look once more when that is over (its process was slow), but nobody waits for it in between.
    """
    clock = ContractClock()
    budget = make(tmp_path_factory.mktemp("b") / "budget", clock)
    callers = [(at, urgent, f"caller {n}") for n, (at, urgent) in enumerate(arrivals)]
    served: list[tuple[datetime, bool]] = []
    waiting: dict[str, int] = {}
    for now in range(0, 3000, 10):
        clock.at = START + timedelta(milliseconds=now)
        order.shuffle(callers)
        for caller in [each for each in callers if each[0] <= now]:
            at, urgent, name = caller
            give_up = microseconds(START + timedelta(milliseconds=at + 1200))
            try:
                waiting[name] = give_up if urgent else 0
                if budget._try(name, give_up, urgent=urgent) is not None:
                    continue
                del waiting[name]
                assert urgent or max(waiting.values(), default=0) <= microseconds(clock.at)
                served.append((clock.at, urgent))
            except NotSent:
                del waiting[name]
            callers.remove(caller)
    assert not callers and not waiting
    assert most_in_a_window([at for at, _ in served]) <= RATE


def test_within_the_rate_nobody_waits(path, clock):
    budget = make(path, clock, sleep=False)
    for _ in range(RATE):
        budget.take(urgent=False)


def test_who_cannot_be_served_in_time_is_not_sent(path, clock):
    budget = make(path, clock, patience=0.2)
    for _ in range(RATE):
        budget.take(urgent=False)
    for urgent in (False, True):
        asked = clock.at
        with pytest.raises(NotSent) as error:
            budget.take(urgent=urgent)
        assert clock.at - asked < timedelta(seconds=0.3)
        assert error.value.code == "RATE_LIMIT"
        assert reason_class(error.value.code, error.value.message) == "RATE_LIMIT"


def waiting(path):
    """How many exits and entries wait, as the file has it when nobody writes it."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        _, exits, entries, *_ = json.loads(file.read())
    return len(exits), len(entries)


def test_an_exit_that_waits_takes_the_next_place(path, clock):
    """Time stands still while they come, and until all who may go have gone. Entries look far more often than exits."""

    def nap(_):
        time.sleep(0.05 if threading.current_thread().name == "exit" else 0.001)

    budget = RateBudget(path, clock, Rate(2, 0.4), patience=60, sleep=nap)
    order = []

    def take(name, urgent):
        budget.take(urgent=urgent)
        order.append(name)

    def until(condition):
        give_up = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < give_up, order
            time.sleep(0.001)

    def come(name, number, **line):
        threads = [
            threading.Thread(target=take, name=name, args=(name,), kwargs=line, daemon=True)
            for _ in range(number)
        ]
        for thread in threads:
            thread.start()
        return threads

    take("first", urgent=False)
    take("second", urgent=False)
    threads = come("entry", 4, urgent=False)
    until(lambda: waiting(path) == (0, 4))
    threads += come("exit", 2, urgent=True)
    until(lambda: waiting(path) == (2, 4))
    for gone in (4, 6, 8):
        with clock._lock:
            clock.advance(seconds=0.41)
        until(lambda gone=gone: len(order) == gone)
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second", "exit", "exit"] + ["entry"] * 4


@pytest.mark.parametrize("urgent", [False, True])
def test_whoever_came_first_is_served_first(path, clock, urgent):
    budget = make(path, clock, patience=5)
    for _ in range(RATE):
        budget.take(urgent=True)
    names = ["first", "second", "third", "fourth"]
    for name in names:
        assert not looks(budget, clock, name, urgent=urgent, patience=5)
    served = []
    for _ in range(600):
        clock.advance(seconds=0.01)
        for name in reversed([name for name in names if name not in served]):  # the youngest looks first
            if looks(budget, clock, name, urgent=urgent, patience=5):
                served.append(name)
    # Places that come free together are taken in any order.
    assert set(served[:RATE]) == set(names[:RATE]) and served[RATE:] == names[RATE:]


def test_no_entry_goes_between_an_exits_read_and_its_order(path, clock):
    """The exit is seen from its commit to its claim; it reads the positions for 50 ms before that."""
    waits = []
    budget = make(path, clock, rate=10, exit_waits=lambda: bool(waits))
    assert looks(budget, clock, "entry 1")
    waits.append("exit")
    assert not looks(budget, clock, "entry 2")
    assert looks(budget, clock, "the exit's read", urgent=True)
    for _ in range(5):
        clock.advance(seconds=0.01)
        assert not looks(budget, clock, "entry 2")
    waits.clear()  # claimed: the next that it does is to ask for its order's place
    assert not looks(budget, clock, "entry 2")
    assert looks(budget, clock, "the exit's order", urgent=True)
    clock.advance(seconds=0.1)
    assert looks(budget, clock, "entry 2")


def test_an_entry_stays_when_it_cannot_be_told_whether_an_exit_waits(path, clock):
    def unreadable():
        raise StoreUnavailable("orders.db: disk I/O error")

    budget = make(path, clock, exit_waits=unreadable)
    with pytest.raises(NotSent, match="disk I/O error"):
        budget.take(urgent=False)
    budget.take(urgent=True)  # an exit does not ask


def test_entries_leave_places_for_an_exit_that_comes_later(path, clock):
    """A burst goes at once, the rest one by one: whenever an exit comes, its next place is near."""
    budget = make(path, clock, rate=10, patience=60)
    taken = []
    for _ in range(60):
        budget.take(urgent=False)
        taken.append(clock.at)
    assert taken[6] - taken[0] < timedelta(milliseconds=1)
    assert most_in_a_window(taken) <= 10
    gaps = [later - earlier for earlier, later in pairwise(taken[40:])]
    assert max(gaps) < timedelta(seconds=0.12)
    assert taken[-1] - taken[0] < timedelta(seconds=WINDOW * 60 / 10)  # and none of the budget is lost by it
    asked = clock.at
    budget.take(urgent=True)
    assert clock.at - asked < timedelta(seconds=0.12)


def test_an_exit_that_gave_up_or_died_holds_nobody_up(path, clock):
    budget = make(path, clock, patience=0.3)
    for _ in range(RATE):
        budget.take(urgent=False)
    with pytest.raises(NotSent):
        budget.take(urgent=True)
    assert '"' not in path.read_text()  # no exit is left waiting
    for left in (200_000, 10**12):  # the second is of a clock that was set back
        clock.advance(seconds=2)
        until = microseconds(clock.now()) + left
        path.write_text(path.read_text().replace("{}", f'{{"gone": {until}}}', 1))
        asked = clock.at
        budget.take(urgent=False)
        assert clock.at - asked < timedelta(seconds=0.25)


def test_a_clock_that_was_set_back_does_not_shut_the_budget(path, clock):
    budget = make(path, clock)
    for _ in range(RATE):
        budget.take(urgent=False)
    clock.advance(hours=-3)
    asked = clock.at
    budget.take(urgent=False)
    assert timedelta(seconds=1) < clock.at - asked < timedelta(seconds=1.2)


@pytest.mark.parametrize(
    "text", ["nonsense\n", "[1]\n", "[[1], 2, 3]\n", "[[1], {}]\n", "[null, {}, {}]\n", "{}\n"]
)
def test_a_damaged_file_counts_as_a_spent_budget(path, clock, text):
    path.write_text(text)
    budget = make(path, clock)
    asked = clock.at
    budget.take(urgent=False)
    assert clock.at - asked > timedelta(seconds=1)


def test_a_file_that_cannot_be_used_lets_nothing_out(path, clock):
    budget = make(path, clock)
    path.mkdir()
    with pytest.raises(NotSent) as error:
        budget.take(urgent=True)
    assert error.value.code == "RATE_LIMIT"


def _take_many(path, results):
    budget = RateBudget(path, SystemClock(), Rate(10, 0.5), patience=5)
    for _ in range(10):
        budget.take(urgent=False)
        results.put(SystemClock().now())


def test_threads_and_processes_share_one_budget(path):
    results = SPAWN.Queue()
    children = [SPAWN.Process(target=_take_many, args=(path, results), daemon=True) for _ in range(2)]
    for child in children:
        child.start()
    budget = RateBudget(path, SystemClock(), Rate(10, 0.5), patience=5)

    def take(_):
        budget.take(urgent=False)
        return SystemClock().now()

    with ThreadPoolExecutor(4) as threads:
        times = list(threads.map(take, range(10)))
    times += [results.get(timeout=20) for _ in range(20)]
    for child in children:
        child.join(10)
    # Times are noted a moment after the place was taken.
    assert most_in_a_window(times, window=0.4) <= 10
