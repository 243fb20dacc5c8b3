"""Each lane begins with a look at its broker; one that hangs or fails keeps its own client's entries waiting alone."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.client_workers import ClientWorkers, Loop, Signal
from app.system import RandomIds, SystemClock
from app.watcher import MessageWays, Watcher, WatcherOptions
from command_service import CommandService
from console.health import HealthExpectations, loop_checks
from domain.alert import Delivery
from domain.broker_reports import Book, OrderRef
from domain.errors import ReadFailed
from domain.first_reads import Missing, Part
from domain.limits import ClientPolicy, LimitBook
from domain.ports import WAITING, Heartbeat
from domain.states import Phase
from engine.client_context import ClientContext, EngineTimings
from engine.order_watcher import OrderWatcherEngine
from persistence.sqlite.database import ChangeSignal, Readers
from persistence.sqlite.migrations import migrate
from persistence.sqlite.queries.orders import OrderQueries
from persistence.sqlite.repository import OrderRepository
from tests.e2e.service import wait_for
from tests.support import START, FakeBroker, entry, leg


class Sick(FakeBroker):
    """Its book hangs, or cannot be read, until it is well."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)  # type: ignore[arg-type]
        self.well = threading.Event()
        self.hangs = True

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        if self.hangs:
            self.well.wait(20)
        elif not self.well.is_set():
            raise ReadFailed("502 bad gateway")
        return super().read_book(wanted, urgent=urgent)


class House:
    """Two clients, one of them at a sick broker, and a real watcher with real threads."""

    def __init__(self, path: Path) -> None:
        migrate(path)
        self.clock = SystemClock()
        self.sick, self.fit = Sick(self.clock), FakeBroker(self.clock)  # type: ignore[arg-type]
        brokers: dict[str, FakeBroker] = {"sick": self.sick, "fit": self.fit}
        policies = {name: ClientPolicy(name, LimitBook(), live_allowed=True) for name in brokers}
        self.store = OrderRepository(path, clock=self.clock, render=lambda notice: notice.detail)
        self.views = OrderQueries(Readers(path))
        self.commands = CommandService(
            self.store,
            policies,
            clock=self.clock,
            ids=RandomIds(),
            dedup_window=timedelta(seconds=60),
            alert_life=timedelta(seconds=300),
        )
        for name, broker in brokers.items():
            self.store.save_positions(name, broker.read_positions(), self.clock.now().date())
        self.orders = {name: self._post(name) for name in brokers}
        self.store.claimants.enter("w")
        self.engine = OrderWatcherEngine(
            self.store,
            {name: ClientContext(name, broker, policies[name]) for name, broker in brokers.items()},
            clock=self.clock,
            claimant="w",
            rules=EngineTimings(),
        )
        self.watcher = Watcher(
            self.engine,
            self.store,
            clock=self.clock,
            changes=ChangeSignal(path),
            messages=MessageWays(),
            housekeeping=(),
            options=WatcherOptions(
                "w", concurrency=1, poll_seconds=0.1, deadline_seconds=30, stall_seconds=60
            ),
        )
        self.pulses: list[bool] = []  # at each: had the fit client's broker been read?
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.watcher.run(pulse=lambda: self.pulses.append(self.engine.waits_for("fit") is None))

    def _post(self, client: str) -> str:
        delivery = Delivery(self.clock.now(), "127.0.0.1", "{}", "native")
        return self.commands.register(entry(leg(), client_id=client), delivery).legs[0].command_id

    def phase(self, client: str) -> Phase:
        found = self.store.get_by_id(self.orders[client])
        assert found is not None
        return found.phase

    def checks(self) -> dict[str, tuple[bool, str]]:
        """What `/readyz` says."""
        expected = HealthExpectations(("sick", "fit"), beat_max_age_seconds=60, positions_max_age_seconds=60)
        now = self.clock.now()
        found = loop_checks(self.views.heartbeats(), self.views.accounts(), {}, expected, now)
        return {name: (check.ok, check.sentence) for name, check in found.items()}

    def told(self) -> list[str]:
        rows = self.store._rows("SELECT message FROM telegram_messages WHERE kind = 'SYSTEM' ORDER BY id")
        return [str(row[0]) for row in rows]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr("app.watcher._FIRST_LOOKS", 0.5)
    made = House(tmp_path / "orders.db")
    yield made
    made.sick.well.set()
    made.watcher.stop()
    if made.thread.is_alive():
        made.thread.join(10)


def test_a_broker_that_hangs_in_the_first_look_keeps_no_other_client_waiting(house: House) -> None:
    house.thread.start()
    wait_for(lambda: house.phase("fit") is Phase.FILLED, 10, "the other client's entry")
    assert house.phase("sick") is Phase.REGISTERED
    assert house.sick.placed == []
    wait_for(lambda: "sick" in house.checks()["broker:sick"][1], 10, "the beat")
    assert house.checks()["broker:sick"] == (
        False,
        "entries of sick wait for the first look: order book: not read yet; positions: not read yet",
    )
    assert house.checks()["broker:fit"][0]
    house.sick.well.set()
    wait_for(lambda: house.phase("sick") is Phase.FILLED, 10, "its entry")


def test_readiness_names_the_client_and_the_reason_until_its_broker_was_read(house: House) -> None:
    house.sick.hangs = False
    house.thread.start()
    wait_for(lambda: "watcher" in house.checks() and house.checks()["watcher"][0], 10, "the beats")
    wait_for(lambda: "502" in house.checks()["broker:sick"][1], 10, "the reason")
    assert house.checks()["broker:sick"] == (
        False,
        "entries of sick wait for the first look: order book: 502 bad gateway",
    )
    assert house.checks()["broker:fit"][0] and house.checks()["watcher"][0]
    assert house.told() == ["no entry is sent until its broker has been read: order book: 502 bad gateway"]
    house.sick.well.set()
    wait_for(lambda: house.checks()["broker:sick"][0], 10, "readiness")
    wait_for(lambda: house.phase("sick") is Phase.FILLED, 10, "its entry")
    assert house.told()[1:] == ["the broker has been read: entries are sent again"]


def test_the_first_sign_of_life_waits_for_the_first_looks_but_not_for_ever(house: House) -> None:
    house.thread.start()
    wait_for(lambda: bool(house.pulses), 10, "the first pulse")
    assert house.pulses[0], "given before the brokers that answer were read"


# what readiness makes of beats ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        (["OK"], True),
        (["WAITING"], False),
        (["WAITING", "OK"], True),
        (["WAITING", "STALLED"], False),
        (["WAITING", "old OK"], False),
        (["old WAITING", "OK"], True),
    ],
)
def test_a_client_is_ready_when_one_watcher_that_beats_has_read_its_broker(
    states: list[str], ready: bool
) -> None:
    expected = HealthExpectations(("default",), beat_max_age_seconds=10, positions_max_age_seconds=60)
    heartbeats = [
        {
            "watcher_id": f"w{number}",
            "loop": "reconcile",
            "client_id": "default",
            "beat_at": (START - timedelta(seconds=60 * state.startswith("old"))).isoformat(),
            "state": state.removeprefix("old "),
            "detail": "positions: 502",
            "missing_json": '{"positions": "502"}',
        }
        for number, state in enumerate(states)
    ]
    accounts = [{"client_id": "default", "positions_read_at": START.isoformat()}]
    check = loop_checks(heartbeats, accounts, {}, expected, START)["broker:default"]
    assert check.ok is ready
    assert ready or check.sentence == "entries of default wait for the first look: positions: 502"


def test_waiting_is_no_trouble_of_the_watchers(house: House) -> None:
    house.store.save_heartbeats(
        [Heartbeat("w", "reconcile", "sick", house.clock.now(), WAITING, "positions: 502")]
    )
    assert house.checks()["watcher"] == (True, "every loop beats")


# nudges -----------------------------------------------------------------------------------------------------


def test_a_loop_looks_again_sooner_when_there_is_something_to_look_at() -> None:
    rounds, due = [], [0.01, 0.01, None]

    def work() -> bool:
        rounds.append(1)
        return False

    loop = Loop("reconcile", "c", work, Signal(), 1000.0, lambda: due[len(rounds) - 1])
    loop.start()
    wait_for(lambda: len(rounds) == 3, 5, "the looks that were put off")
    loop.stop()


class Scripted:
    """Stands for the engine: two looks are put off, the third is made."""

    def __init__(self) -> None:
        self.asked, self.looked, self.escalated = 0, 0, 0

    def limits_risk(self, client_id: str) -> bool:
        return False

    def nudge(self, client_id: str) -> None:
        self.asked += 1

    def missing(self, client_id: str) -> Missing:
        return {} if self.looked else {Part.POSITIONS: "not read yet"}

    def expire_overdue(self, client_id: str) -> int:
        return 0

    def escalate(self, client_id: str) -> None:
        self.escalated += 1

    def reconcile(self, client_id: str) -> int:
        self.looked += 1
        return 0

    def refresh(self, client_id: str, *, force: bool) -> bool:
        return False

    def book_due_in(self, client_id: str) -> timedelta | None:
        return timedelta(milliseconds=5) if self.looked < 3 else None


def test_a_lane_hands_the_nudge_on_and_comes_back_when_the_look_is_due() -> None:
    engine = Scripted()
    lane = ClientWorkers(engine, "c", concurrency=0, poll_seconds=1000.0)  # type: ignore[arg-type]
    follower = lane.loops[-1]
    lane.nudge()
    follower.start()
    wait_for(lambda: engine.looked == 3, 5, "the looks that were put off")
    lane.stop()
    assert engine.asked == 1


def test_the_look_that_lets_entries_go_wakes_those_who_send_them_and_no_later_one_does() -> None:
    lane = ClientWorkers(Scripted(), "c", concurrency=0, poll_seconds=1000.0)  # type: ignore[arg-type]
    before = lane.work_signal.wait(-1, 0)
    lane.loops[-1].work()
    awake = lane.work_signal.wait(-1, 0)
    lane.loops[-1].work()
    assert (awake - before, lane.work_signal.wait(-1, 0) - awake) == (1, 0)


def test_whoever_watches_over_the_threads_tells_what_a_hanging_one_would_have_told() -> None:
    engine = Scripted()
    ClientWorkers(engine, "c", concurrency=0, poll_seconds=1000.0).replace_hanging(15.0)  # type: ignore[arg-type]
    assert engine.escalated == 1


def test_a_nudge_reaches_the_book_though_nothing_of_ours_is_open(house: House) -> None:
    """The whole way, with a broker that allows a look every 0.3 s and nothing else that would look for 30 s."""
    house.fit.traits = replace(house.fit.traits, book_interval=0.3)
    read_book, reads = house.fit.read_book, []

    def counted(wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        reads.append(wanted)
        return read_book(wanted)

    house.fit.read_book = counted  # type: ignore[method-assign]
    house.thread.start()
    wait_for(lambda: house.phase("fit") is Phase.FILLED, 10, "the entry")
    before = len(reads)
    house.watcher.nudge("fit")
    wait_for(lambda: len(reads) > before, 10, "the look")


def test_a_defect_in_one_lane_does_not_end_the_watch_over_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(lane: ClientWorkers, deadline_seconds: float) -> list[str]:
        if lane.client_id == "sick":
            raise OSError("too many open files")
        watched.append(lane.client_id)
        return []

    watched: list[str] = []
    monkeypatch.setattr(ClientWorkers, "replace_hanging", broken)
    monkeypatch.setattr("app.watcher._BEAT_EVERY", 0.05)
    house.thread.start()
    wait_for(lambda: len(watched) > 3, 10, "the other lane to be watched over")
    assert house.thread.is_alive()
    wait_for(lambda: len(house.views.heartbeats()) > 3, 10, "heartbeats")
