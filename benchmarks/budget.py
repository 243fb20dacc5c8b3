"""Measure a rate budget of 10 calls a second at a broker that takes 50 ms for each call.

The cases: exits beside a backlog of entries, one alert that closes many legs, and a restart of the watcher.
"""

import json
import random
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.container import Services
from benchmarks import noren_broker
from benchmarks.making import leg, register, register_many
from benchmarks.measures import Measure, absolute, compared, quantile
from benchmarks.noren_broker import Arrival, NorenProcess
from benchmarks.service import environment, has_beaten, one_in, services_for
from benchmarks.workspace import Failed, Started, Workspace, wait_until
from domain.enums import ExecutionType

_RATE, _WINDOW = 10, 1.1  # the budget as built: calls, and the seconds in which no more than those may leave
_LATENCY = 0.05
_THREADS = 4
_GAP = (0.5, 1.1)  # seconds between two exits, so that one seldom waits for another
_HORIZON = 2.5  # seconds; a younger fill may be missing from the positions, and an exit waits for it
_BACKLOG = 2 * _THREADS  # orders; with fewer, the budget is not the bottleneck
_BASKET = 20  # legs that one alert closes
_IDEAL = 2 * _WINDOW / _RATE + _LATENCY


@dataclass(frozen=True, slots=True)
class House:
    """A service, its broker, and the folder of the file that records when each order's call began."""

    workspace: Workspace
    folder: Path
    broker: NorenProcess
    env: Mapping[str, str]
    services: Services

    def start_watcher(self) -> Started:
        command = ["-m", "benchmarks.noted_watcher", str(self.folder / "begun")]
        return self.workspace.start("watcher", command, self.env)

    @property
    def path(self) -> Path:
        return self.folder / "orders.db"

    def waiting(self) -> int:
        """The number of orders that were not sent yet."""
        return one_in(self.path, "SELECT count(*) FROM orders WHERE status = 'CREATED'")

    def begun(self) -> dict[str, float]:
        """When the last call of each order began, by its tag. The call had just taken its place in the budget."""
        lines = (self.folder / "begun").read_text(encoding="utf-8").splitlines()
        return {tag: at for at, _, tag in map(json.loads, lines)}


@dataclass(frozen=True, slots=True)
class Drained:
    """When each exit was committed, by its tag, and when the backlog of entries began and ended."""

    exits: Mapping[str, float]
    began: float
    ended: float


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Send exits while entries queue, close a basket of legs, then kill the watcher in the middle of other entries."""
    entries, exits = (50, 8) if quick else (160, 40)
    folder = workspace.new_folder("budget")
    broker, server = noren_broker.start(workspace, folder / "arrived", milliseconds=int(1000 * _LATENCY))
    env = environment(folder, WATCHER_CONCURRENCY=_THREADS, **broker.settings)
    house = House(workspace, folder, broker, env, services_for(env))
    watcher = house.start_watcher()
    wait_until(lambda: has_beaten(house.path), 20, watcher)
    _hold(house, watcher, exits)
    drained = _exits_among_entries(house, watcher, entries, exits)
    yield from _exits_first(house, drained)
    yield _used(house, drained)
    yield _basket(house, watcher, 5 if quick else _BASKET)
    yield _restarted(house, watcher, 30 if quick else 60)
    house.services.store.close()
    server.stop()
    workspace.drop(folder)


def _hold(house: House, watcher: Started, exits: int) -> None:
    """Open a position for each exit, and wait until it is old enough for the exit to be sized from it."""
    register(house.services, [leg(_held(index)) for index in range(exits)], strategy="HOLDER", signal="hold")
    _wait_for_fills(house, watcher)
    time.sleep(_HORIZON)


def _wait_for_fills(house: House, watcher: Started) -> None:
    is_open = "SELECT count(*) FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER')"
    wait_until(lambda: not one_in(house.path, is_open), 60, watcher, every=0.1)


def _held(index: int) -> str:
    return f"HELD{index:03d}"


def _exits_among_entries(house: House, watcher: Started, entries: int, exits: int) -> Drained:
    register_many(house.services, entries, symbols=entries)
    began, chance, committed = time.time(), random.Random(11), dict[str, float]()
    for index in range(exits):
        time.sleep(chance.uniform(*_GAP))
        if house.waiting() <= _BACKLOG:
            break
        receipt = register(
            house.services, [leg(_held(index), side=None)], strategy="HOLDER", signal=f"leave-{index}",
            execution=ExecutionType.EXIT,
        )  # fmt: skip
        committed[receipt.legs[0].client_order_id] = time.time()
    wait_until(lambda: house.waiting() <= _BACKLOG, 120, watcher, every=0.05)
    ended = time.time()
    wait_until(lambda: not house.waiting(), 60, watcher, every=0.1)
    wait_until(lambda: committed.keys() <= _placed(house).keys(), 10, watcher, every=0.1)
    return Drained(committed, began, ended)


def _placed(house: House) -> dict[str, float]:
    """When each order first reached the broker, by its tag."""
    placed: dict[str, float] = {}
    for each in house.broker.arrivals():
        if each.endpoint == "PlaceOrder":
            placed.setdefault(each.tag, each.at)
    return placed


def _exits_first(house: House, drained: Drained) -> Iterator[Measure]:
    placed, begun = _placed(house), house.begun()
    entries = [
        (begun[tag], at) for tag, at in placed.items() if at > drained.began and tag not in drained.exits
    ]
    before = [
        sum(start > committed and at < placed[tag] for start, at in entries)
        for tag, committed in drained.exits.items()
    ]
    waits = [1000 * (placed[tag] - committed) for tag, committed in drained.exits.items()]
    yield absolute(
        "entries before an exit, most", max(before), "", at_most=0,
        note=f"{len(before)} exits beside a backlog of entries, {sum(before)} overtaken in all: calls of entries that "
        f"began after the exit's commit and reached the broker before it",
    )  # fmt: skip
    ideal = 1000 * _IDEAL
    note = f"from the exit's commit; ideal: two places of the budget and the {1000 * _LATENCY:.0f} ms of the read"
    yield compared("exit at a full budget, p50", quantile(waits, 0.5), ideal, "ms", note=note)
    yield compared(
        "exit at a full budget, p99", quantile(waits, 0.99), ideal, "ms",
        note="an exit shares the budget with the reads of the book and with the exit before it",
    )  # fmt: skip


def _used(house: House, drained: Drained) -> Measure:
    """The rate of all calls, reads too, from the end of the first burst to the end of the backlog."""
    began = drained.began + _WINDOW
    calls = sum(began <= each.at < drained.ended for each in house.broker.arrivals())
    rate = calls / (drained.ended - began)
    return compared(
        "calls at a full budget", rate, _RATE / _WINDOW, "/s", at_least=0.95,
        note=f"the budget is {_RATE} calls in {_WINDOW} s, so that no second at the broker has more; "
        f"{100 * rate / _RATE:.0f} % of {_RATE} a second",
    )  # fmt: skip


def _basket(house: House, watcher: Started, legs: int) -> Measure:
    """Close many legs with one alert while nothing else waits to be sent."""
    names = [f"BASKET{index:03d}" for index in range(legs)]
    register(house.services, [leg(name) for name in names], strategy="BASKET", signal="basket")
    _wait_for_fills(house, watcher)
    time.sleep(_HORIZON)
    receipt = register(
        house.services, [leg(name, side=None) for name in names], strategy="BASKET", signal="leave-basket",
        execution=ExecutionType.EXIT,
    )  # fmt: skip
    committed, tags = time.time(), {order.client_order_id for order in receipt.legs}
    _wait_for_fills(house, watcher)
    placed = _placed(house)
    calls = [each for each in house.broker.arrivals() if committed <= each.at <= max(placed[t] for t in tags)]
    return compared(
        f"basket of {legs} exits, last at the broker", max(placed[tag] for tag in tags) - committed,
        max(legs - _RATE, 0) // _RATE * _WINDOW + _LATENCY, "s",
        note=f"{len(calls)} calls from the commit on; baseline: one call for each leg and none besides",
    )  # fmt: skip


def _restarted(house: House, watcher: Started, entries: int) -> Measure:
    """Kill the watcher while it drains the backlog. The next one starts at once, with the same budget."""
    began = time.time()
    register_many(house.services, entries, symbols=entries, strategies="AGAIN")
    half = entries // 2
    wait_until(lambda: house.waiting() <= half, 60, watcher)
    watcher.kill()
    watcher = house.start_watcher()
    wait_until(lambda: not house.waiting(), 60, watcher, every=0.1)
    arrivals = house.broker.arrivals()
    watcher.stop()
    doubled = _doubled(arrivals)
    if doubled:
        raise Failed(f"{doubled} orders reached the broker twice")
    after = sum(each.at >= began for each in arrivals)
    return absolute(
        "most calls in any second", _most_in(arrivals, 1.0), "", at_most=_RATE,
        note=f"of {len(arrivals)} calls as they reached the broker, {after} of them around a kill of the watcher; "
        f"in any 1.05 s {_most_in(arrivals, 1.05)}",
    )  # fmt: skip


def _most_in(arrivals: Sequence[Arrival], seconds: float) -> int:
    times = [each.at for each in arrivals]
    return max(bisect_left(times, at + seconds) - index for index, at in enumerate(times))


def _doubled(arrivals: Sequence[Arrival]) -> int:
    tags = [each.tag for each in arrivals if each.endpoint == "PlaceOrder"]
    return len(tags) - len(set(tags))
