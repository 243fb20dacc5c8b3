"""Measure what a million closed orders cost a new one."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from statistics import median

from app.container import Services
from benchmarks.making import leg, register
from benchmarks.measures import Measure, absolute, compared
from benchmarks.multiply import multiply
from benchmarks.service import CLIENT, environment, one_in, services_for
from benchmarks.workspace import Workspace
from domain.enums import ExecutionType
from engine.order_watcher import OrderWatcherEngine

_FEW = 1000
_MANY = 1_000_000
_BATCH = 5
_WARM_UP = 10
_LONGEST_SECONDS = 60.0  # of all rounds
_SYMBOLS = [f"PAST{index}" for index in range(10)]


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Do the same work on two databases in turn, in many short rounds."""
    factor, rounds = (_MANY // _FEW // 10, 30) if quick else (_MANY // _FEW, 100)
    began = time.monotonic()
    past, few, many = (workspace.new_folder(name) for name in ("past", "few", "many"))
    _make_past(past)
    multiply(past, few, 1, earlier_days=True)
    multiply(past, many, factor, earlier_days=True)
    os.sync()  # so that the history is on disk before the rounds begin; writing it would slow them
    closed = one_in(many / "orders.db", "SELECT count(*) FROM orders")
    size = sum(file.stat().st_size for file in many.iterdir()) / 1e9
    yield absolute(
        "making the history", time.monotonic() - began, "s", note=f"{closed:,} closed orders, {size:.1f} GB"
    )
    desks = {"few": Desk(few), "many": Desk(many)}
    times: dict[str, dict[str, list[float]]] = {name: {"webhook": [], "tick": []} for name in desks}
    give_up = time.monotonic() + _LONGEST_SECONDS
    for index in range(-_WARM_UP, rounds):
        if time.monotonic() > give_up and times["many"]["tick"]:
            break
        for name in sorted(desks, reverse=bool(index % 2)):
            for part, seconds in desks[name].round(index):
                if index >= 0:
                    times[name][part].append(seconds * 1000)
            desks[name].tidy()
    for desk in desks.values():
        desk.close()
    note = (
        f"{closed:,} closed orders beside {_FEW:,}; median of {len(times['many']['tick'])} interleaved rounds "
        f"of {_BATCH} orders"
    )
    for part in ("webhook", "tick"):
        ours, baseline = median(times["many"][part]), median(times["few"][part])
        yield compared(f"{part} after a long history", ours, baseline, "ms", at_most=1.2, note=note)
    workspace.drop(many)


def _make_past(folder: Path) -> None:
    """Create orders that are really executed, blocked and refused."""
    services = services_for(environment(folder))
    engine = services.engine("past")
    engine.refresh(CLIENT, force=True)
    strategies = [f"OLD{index}" for index in range(5)]
    for cycle, strategy in product(range(9), strategies):
        for execution in (ExecutionType.ENTRY, ExecutionType.EXIT):
            legs = [leg(symbol) for symbol in _SYMBOLS]
            register(
                services, legs, strategy=strategy, signal=f"{cycle}{strategy}{execution}", execution=execution
            )
            engine.tick()
            engine.refresh(CLIENT, force=True)
    for number in range(5):
        legs = [leg(f"REJECT{number}{index}") for index in range(10)]
        register(services, legs, strategy="REFUSED", signal=f"refused{number}")
        register(services, legs, strategy="REFUSED", signal=f"refused{number}")
    engine.tick()
    _deliver(services)
    services.store.close()


def _deliver(services: Services) -> None:
    """Mark all notifications as sent: those of a long history no longer wait in the outbox."""
    with closing(sqlite3.connect(services.settings.orders_db, isolation_level=None)) as connection:
        connection.execute("UPDATE telegram_messages SET status = 'SENT', attempts = 1, sent_at = timestamp")


class Desk:
    """One database with its services. It does the same work in each round."""

    def __init__(self, folder: Path) -> None:
        self._services = services_for(environment(folder))
        self._engine: OrderWatcherEngine = self._services.engine("benchmark")
        self._engine.refresh(CLIENT, force=True)

    def round(self, index: int) -> Iterator[tuple[str, float]]:
        """Take a few alerts, then execute, reconcile and read the positions. Yield the seconds of each part."""
        yield "webhook", _timed(lambda: self._take(index, ExecutionType.ENTRY))
        yield "tick", _timed(self._tick)
        self._take(index, ExecutionType.EXIT)
        self._tick()

    def _take(self, index: int, execution: ExecutionType) -> None:
        for number in range(_BATCH):
            legs = [leg(f"NEW{number}")]
            signal = f"{execution}{index}-{number}"
            register(self._services, legs, strategy="NOW", signal=signal, execution=execution)

    def _tick(self) -> None:
        while self._engine.execute_next(CLIENT):
            pass
        self._engine.reconcile(CLIENT)
        self._engine.refresh(CLIENT, force=True)

    def tidy(self) -> None:
        """Checkpoint the WAL, as the watcher does every two seconds. The WAL then starts anew in the space it has."""
        self._services.database.move_log()

    def close(self) -> None:
        self._services.store.close()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
