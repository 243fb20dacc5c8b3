"""Threads of the watcher: a broker that hangs costs its own client alone, and a loop that stalls is found out."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from app.system import RandomIds, SystemClock
from app.watcher import MessageWays, Watcher, WatcherOptions
from command_service import CommandService
from domain.alert import Delivery
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import ExecutionType, Side
from domain.errors import StoreFull
from domain.limits import ClientPolicy, LimitBook
from domain.order import Order
from domain.states import Phase, Status
from engine.client_context import ClientContext, EngineTimings
from engine.order_watcher import OrderWatcherEngine
from persistence.sqlite.database import ChangeSignal
from persistence.sqlite.migrations import migrate
from persistence.sqlite.repository import OrderRepository
from tests.contract.broker_contract import a_command
from tests.e2e.service import wait_for
from tests.support import FakeBroker, entry, leg


class Hanging(FakeBroker):
    """Takes every order and never answers, until it is let go; exits too, unless it is told to answer them."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)  # type: ignore[arg-type]
        self.let_go = threading.Event()
        self.answers_exits = False
        self.asked = 0

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        self.asked += 1
        result = super().place(command)
        if not (self.answers_exits and command.execution_type is ExecutionType.EXIT):
            self.let_go.wait(20)
        return result

    def fill(self, command: UniversalOrderCommand) -> None:
        """An order of somebody else, filled: there is a position."""
        self._take(command)


class House:
    """Two clients on one database, served by a real watcher with real threads."""

    def __init__(self, path: Path, *, deadline: float = 0.5) -> None:
        migrate(path)
        self.clock = SystemClock()
        self.hanging, self.quick = Hanging(self.clock), FakeBroker(self.clock)  # type: ignore[arg-type]
        brokers: dict[str, FakeBroker] = {"hanging": self.hanging, "quick": self.quick}
        self.policies = {name: ClientPolicy(name, LimitBook(), live_allowed=True) for name in brokers}
        self.store = OrderRepository(
            path, clock=self.clock, render=lambda notice: f"{notice.kind} {notice.detail}"
        )
        self.commands = CommandService(
            self.store,
            self.policies,
            clock=self.clock,
            ids=RandomIds(),
            dedup_window=timedelta(seconds=60),
            alert_life=timedelta(seconds=300),
        )
        self.store.claimants.enter("w")
        engine = OrderWatcherEngine(
            self.store,
            {name: ClientContext(name, broker, self.policies[name]) for name, broker in brokers.items()},
            clock=self.clock,
            claimant="w",
            rules=EngineTimings(broker_deadline=timedelta(seconds=deadline)),
        )
        self.watcher = Watcher(
            engine,
            self.store,
            clock=self.clock,
            changes=ChangeSignal(path),
            messages=MessageWays(),
            housekeeping=(),
            options=WatcherOptions(
                "w", concurrency=2, poll_seconds=0.2, deadline_seconds=deadline, stall_seconds=30
            ),
        )
        self.thread = threading.Thread(target=self.watcher.run, daemon=True)

    def post(self, client: str, symbol: str, execution: ExecutionType = ExecutionType.ENTRY) -> str:
        delivery = Delivery(self.clock.now(), "127.0.0.1", "{}", "native")
        side = None if execution is ExecutionType.EXIT else Side.BUY
        alert = entry(
            leg(symbol, side=side), client_id=client, strategy_name=symbol, execution_type=execution
        )
        return self.commands.register(alert, delivery).legs[0].command_id

    def order(self, command_id: str) -> Order:
        found = self.store.get_by_id(command_id)
        assert found is not None
        return found


@contextmanager
def running(made: House) -> Iterator[House]:
    made.thread.start()
    try:
        wait_for(lambda: made.store.saved_positions("quick") is not None, 5, "the first look")
        yield made
    finally:
        made.hanging.let_go.set()
        made.watcher.stop()
        made.thread.join(10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running(House(tmp_path / "orders.db")) as made:
        yield made


def test_a_hanging_broker_delays_no_other_client(house: House) -> None:
    stuck = [house.post("hanging", f"H{n}") for n in range(3)]
    wait_for(lambda: house.hanging.asked >= 2, 5, "the broker to hang")
    began = time.monotonic()
    for n in range(20):
        id_ = house.post("quick", f"Q{n}")
        wait_for(lambda id_=id_: house.order(id_).status is Status.EXECUTED, 2, "the other client's order")  # type: ignore[misc]
    assert time.monotonic() - began < 10
    assert house.order(stuck[0]).status is Status.SENT_TO_BROKER


def test_a_call_past_its_deadline_becomes_unknown_and_its_lane_goes_on(house: House) -> None:
    first = house.post("hanging", "H0")
    wait_for(lambda: house.order(first).phase is not Phase.SUBMITTING, 6, "the deadline")
    # The order is at the broker, so the book settles what the call did not answer.
    wait_for(lambda: house.order(first).status is Status.EXECUTED, 5, "the book to settle it")
    others = [house.post("hanging", f"H{n}") for n in range(1, 5)]
    wait_for(lambda: all(house.order(i).status is Status.EXECUTED for i in others), 20, "the lane to go on")
    assert len(house.hanging.placed) == 5


def test_an_exit_goes_while_entries_hang_in_every_thread(tmp_path: Path) -> None:
    made = House(tmp_path / "orders.db", deadline=60)  # no thread is replaced meanwhile
    made.hanging.answers_exits = True
    made.hanging.fill(a_command("held", symbol="HELD"))
    held = ("hanging", "HELD", "NFO", "HELD", "MIS", "50", 1, "2026-11-20T04:00:00.000000Z")
    made.store._commits.run(lambda c: c.execute("INSERT INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", held))
    with running(made) as house:
        for n in range(6):
            house.post("hanging", f"H{n}")
        wait_for(lambda: house.hanging.asked == 2, 5, "the entries to hang")
        left = house.post("hanging", "HELD", ExecutionType.EXIT)
        wait_for(lambda: house.order(left).status is Status.EXECUTED, 10, "the exit")
        assert house.hanging.asked == 3  # the other entries still wait, the exit did not


def test_heartbeats_name_every_loop(house: House) -> None:
    def loops() -> set[str]:
        return {row[0] for row in house.store._rows("SELECT loop || ':' || client_id FROM heartbeats")}

    lane = {
        f"{loop}:{client}"
        for loop in ("execute", "exits", "reconcile", "protect", "risk")
        for client in house.policies
    }
    wait_for(lambda: loops() == {"scheduler:", "wake:", *lane}, 5, "the beats")


def test_a_core_loop_that_stalls_ends_the_process_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path / "orders.db")
    ended: list[int] = []
    monkeypatch.setattr("app.watcher._end_process", lambda status: ended.append(status))
    monkeypatch.setattr("app.watcher._BEAT_EVERY", 0.1)
    monkeypatch.setattr("app.watcher.Watcher._patience", lambda self, loop: 2.0)
    options = WatcherOptions("w", concurrency=1, poll_seconds=0.2, deadline_seconds=5, stall_seconds=0.5)
    forever = threading.Event()

    def never_returns() -> float:
        forever.wait(20)
        return 1.0

    watcher = Watcher(
        house.watcher._engine,
        house.store,
        clock=house.clock,
        changes=ChangeSignal(tmp_path / "orders.db"),
        messages=MessageWays(never_returns),
        housekeeping=(),
        options=options,
    )
    thread = threading.Thread(target=watcher.run, daemon=True)
    thread.start()
    wait_for(lambda: bool(ended), 10, "the process to end")
    # Here the process goes on: a loop that is let go again would write that all is well.
    stalled = house.store._rows("SELECT DISTINCT loop FROM heartbeats WHERE state = 'STALLED'")
    watcher.stop()
    forever.set()
    thread.join(10)
    assert ended[0] == 70
    assert ("outbox",) in stalled
    told = [row[0] for row in house.store._rows("SELECT message FROM telegram_messages")]
    assert any("loop outbox stalled" in text for text in told)


def test_a_scheduler_that_stands_still_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path / "orders.db")
    ended: list[int] = []
    monkeypatch.setattr("app.watcher._end_process", lambda status: ended.append(status))
    monkeypatch.setattr("app.watcher._BEAT_EVERY", 0.1)
    watcher = house.watcher
    watcher._options = WatcherOptions(
        "w", concurrency=2, poll_seconds=0.2, deadline_seconds=5, stall_seconds=0.6
    )
    house.thread.start()
    wait_for(lambda: watcher._scheduler.running, 5, "the scheduler")
    watcher._scheduler.pause()
    wait_for(lambda: bool(ended), 10, "the process to end")
    watcher.stop()
    house.thread.join(10)


def pulses_of(house: House, seconds: float) -> list[float]:
    """When the watcher told its supervisor that it goes on."""
    heard: list[float] = []
    watcher = house.watcher
    thread = threading.Thread(target=lambda: watcher.run(lambda: heard.append(time.monotonic())), daemon=True)
    thread.start()
    wait_for(lambda: bool(heard), 15, "the first pulse")
    time.sleep(seconds)
    return heard


def longest_silence(heard: list[float]) -> float:
    return max(later - sooner for sooner, later in pairwise([*heard, time.monotonic()]))


def test_a_locked_database_and_a_hanging_broker_take_no_pulse_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is this process's fault: ending it would help nobody, and cost the exits of the other clients."""
    monkeypatch.setattr("app.watcher._end_process", lambda status: pytest.fail("the process ended itself"))
    house = House(tmp_path / "orders.db", deadline=60)
    house.watcher._options = replace(house.watcher._options, stall_seconds=3.0)
    for n in range(3):
        house.post("hanging", f"H{n}")
    try:
        heard = pulses_of(house, 1)
        with closing(sqlite3.connect(tmp_path / "orders.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(5)
            other.execute("ROLLBACK")
        assert longest_silence(heard) < 2.5
        heartbeats = house.store._rows("SELECT DISTINCT state FROM heartbeats WHERE client_id = 'hanging'")
        assert ("STALLED",) not in heartbeats
    finally:
        house.hanging.let_go.set()
        house.watcher.stop()


def test_a_full_disk_is_told_once_past_the_outbox_and_again_after_there_was_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path / "orders.db")
    told: list[str] = []
    house.watcher._tell_directly = told.append
    save = house.store.save_heartbeats

    def full(heartbeats: object) -> None:
        raise StoreFull("orders.db: the disk is full: 0 KiB free")

    for _ in range(2):
        monkeypatch.setattr(house.store, "save_heartbeats", full)
        for _ in range(3):
            house.watcher._save_beats()
        monkeypatch.setattr(house.store, "save_heartbeats", save)
        house.watcher._save_beats()
    wait_for(lambda: len(told) == 2, 5, "both to be told")
    assert all("no order is sent, exits included" in text and "restore" not in text for text in told)
