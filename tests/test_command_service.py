"""Every alert is durable with all its legs or not at all, is traded on once, and says why where it is not."""

import itertools
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import persistence.sqlite
from command_service import CommandService, ResolvedFill
from domain.alert import Delivery, ExecutionType, OrderType, Outcome, Side, TestMode
from domain.commands import UniversalOrderCommand
from domain.errors import (
    ConcurrentUpdate,
    InvalidAlert,
    NotFound,
    OutcomeUnknown,
    SignalReused,
    StoreUnavailable,
)
from domain.limits import ClientPolicy, LimitBook, Limits
from domain.notices import NoticeKind
from domain.reports import BrokerStatus, Position, PositionsSnapshot
from domain.states import Phase, Status
from domain.times import trading_day
from persistence.repository import OrderRepository
from persistence.transaction import SqliteTransaction
from tests.engine.promises import counts, history_faults
from tests.support import START, Desk, ManualClock, SeededIds, entry, leg

WINDOW = timedelta(seconds=60)
MICRO = timedelta(microseconds=1)
CE, PE = leg("NIFTY26NOV24500CE"), leg("NIFTY26NOV24500PE", side=Side.SELL)
MARKET_EXIT = leg(qty=None, side=None, order_type=OrderType.MARKET, price=None)
EXIT = {"execution_type": ExecutionType.EXIT}
KOLKATA = ZoneInfo("Asia/Kolkata")


def service(store: OrderRepository, clock: ManualClock, seed: int = 0, **clients: Limits) -> CommandService:
    """A service of its own for these clients on a store that others may use too."""
    policies = {
        name: ClientPolicy(name, LimitBook(limits), live_allowed=True) for name, limits in clients.items()
    }
    return CommandService(
        store,
        policies,
        clock=clock,
        ids=SeededIds(seed),
        dedup_window=WINDOW,
        alert_life=timedelta(seconds=300),
    )


def delivery(at: datetime, body: str = "{}") -> Delivery:
    return Delivery(at, "127.0.0.1", body, "native")


def positions_read(desk: Desk, client_id: str = "default", pnl: int = 0, at: datetime | None = None) -> None:
    """The client's account as read at that instant (now): flat, with this profit or loss today."""
    at = at or desk.clock.now()
    position = Position("NFO", "ELSEWHERE", "MIS", Decimal(0), realized_pnl=Decimal(pnl))
    desk.store.save_positions(client_id, PositionsSnapshot(at, (position,)), trading_day(at, KOLKATA))


def kinds(desk: Desk) -> list[str]:
    return [str(notice.kind) for notice in desk.notices]


def tags(desk: Desk) -> list[str | None]:
    return [row[0] for row in desk.rows("SELECT tag FROM orders ORDER BY rowid")]  # type: ignore[misc]


# registering ------------------------------------------------------------------------------------------------


def test_all_legs_become_rows_intents_and_events_at_once(desk):
    receipt = desk.commands.register(entry(CE, PE, signal_id="s-1"), desk.delivery())
    assert (receipt.outcome, receipt.originals) == (Outcome.ACCEPTED, ())
    assert [o.command_id for o in receipt.legs] == [f"{receipt.alert_id}-1", f"{receipt.alert_id}-2"]
    assert [(o.symbol, o.side, o.leg_index) for o in receipt.legs] == [
        (CE.symbol, "BUY", 0),
        (PE.symbol, "SELL", 1),
    ]
    assert [desk.order(o.command_id) for o in receipt.legs] == list(receipt.legs)
    assert desk.rows(
        "SELECT command_id, idempotency_key, signal_id, status FROM order_intents ORDER BY id"
    ) == [
        (f"{receipt.alert_id}-1", "default|signal|s-1|0|0", "s-1", "PENDING"),
        (f"{receipt.alert_id}-2", "default|signal|s-1|0|1", "s-1", "PENDING"),
    ]
    assert desk.rows("SELECT alert_id, outcome, decision_type FROM alerts") == [
        (receipt.alert_id, "accepted", None)
    ]
    assert len({o.client_order_id for o in receipt.legs}) == 2
    assert history_faults(desk) == []


def test_one_alert_is_one_transaction(desk, monkeypatch):
    writes = []
    write = desk.store.write
    monkeypatch.setattr(desk.store, "write", lambda work: writes.append(1) or write(work))
    desk.post(CE, PE)
    assert writes == [1]


def test_some_legs_blocked_is_partially_blocked_and_the_others_go(make_desk):
    desk = make_desk(limits=Limits(max_order_quantity=Decimal(50)))
    receipt = desk.commands.register(entry(CE, replace(PE, quantity=Decimal(51))), desk.delivery())
    assert receipt.outcome is Outcome.PARTIALLY_BLOCKED
    assert [o.tag for o in receipt.legs] == [None, "RISK_BLOCKED:MAX_ORDER_QUANTITY"]
    assert [o.status for o in receipt.legs] == ["CREATED", "FAILED"]
    assert desk.rows("SELECT outcome, decision_type FROM alerts") == [("partially_blocked", None)]
    desk.settle()
    assert [command.symbol for command in desk.broker.placed] == [CE.symbol]
    assert desk.rows("SELECT decision_type FROM alerts") == [("EXECUTED",)]


def test_all_legs_blocked_is_blocked_and_says_why(make_desk):
    desk = make_desk(limits=Limits(max_order_quantity=Decimal(49)))
    receipt = desk.commands.register(entry(CE, PE), desk.delivery())
    assert receipt.outcome is Outcome.BLOCKED
    assert desk.rows("SELECT outcome, decision_type, reason_code FROM alerts") == [
        ("blocked", "SKIPPED", "MAX_ORDER_QUANTITY")
    ]
    assert kinds(desk) == ["BLOCKED", "BLOCKED"]
    assert desk.rows("SELECT DISTINCT status, blocked FROM telegram_messages") == [("PENDING", 1)]
    desk.settle()
    assert desk.broker.placed == []


def test_two_legs_in_one_symbol_are_two_entries(make_desk):
    assert [o.tag for o in make_desk().post(CE, CE)] == [None, "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"]
    assert [o.tag for o in make_desk(limits=Limits(max_entries=2)).post(CE, CE, CE)] == [
        None,
        None,
        "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED",
    ]


def test_an_alert_of_a_client_that_is_not_configured_is_refused(desk):
    with pytest.raises(InvalidAlert) as refusal:
        desk.post(client_id="nobody")
    assert (refusal.value.code, refusal.value.field) == ("UNKNOWN_CLIENT", "client_id")
    assert set(counts(desk).values()) == {0}


def test_an_entry_lives_as_long_as_an_alert_and_an_exit_for_an_hour(desk):
    (opening,) = desk.post()
    (closing_,) = desk.post(MARKET_EXIT, **EXIT)
    assert opening.expires_at - opening.created_at == timedelta(seconds=300)
    assert closing_.expires_at - closing_.created_at == timedelta(hours=1)
    assert opening.created_at < desk.clock.at < opening.created_at + timedelta(seconds=1)


def test_an_exit_shows_the_position_as_last_read_until_its_claim_reads_it_anew(desk):
    desk.post(replace(PE, symbol=CE.symbol))
    desk.settle()
    (order,) = desk.post(MARKET_EXIT, **EXIT)
    assert (order.side, order.quantity, order.requested_quantity) == ("BUY", 50, None)
    (capped,) = desk.post(replace(MARKET_EXIT, quantity=Decimal(20)), **EXIT)
    assert (capped.side, capped.quantity, capped.requested_quantity) == ("BUY", 20, 20)
    (elsewhere,) = desk.post(replace(MARKET_EXIT, symbol="FLAT"), **EXIT)
    assert (elsewhere.quantity, elsewhere.status) == (0, "CREATED")


# what fails half way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("x"), sqlite3.OperationalError("x"), ConcurrentUpdate("x")])
@pytest.mark.parametrize(
    ("method", "call"),
    [
        *itertools.product(["add_intent", "notify", "facts"], [1, 2]),
        *itertools.product(["apply"], [1, 2, 3, 4]),
        ("add_alert", 1),
    ],
)
def test_a_registration_that_fails_half_way_leaves_nothing(make_desk, monkeypatch, method, error, call):
    desk = make_desk(limits=Limits(max_order_quantity=Decimal(49)))
    original, calls = getattr(SqliteTransaction, method), []

    def failing(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            raise error
        return original(self, *args, **kwargs)

    before = counts(desk)
    monkeypatch.setattr(SqliteTransaction, method, failing)
    with pytest.raises(type(error)):
        desk.post(CE, PE)
    assert len(calls) == call
    assert counts(desk) == before
    monkeypatch.undo()
    assert len(desk.post(CE, PE)) == 2, "the sender may try again"
    assert history_faults(desk) == []


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_database_that_stays_locked_is_unavailable_and_keeps_nothing(desk, monkeypatch):
    monkeypatch.setattr(persistence.sqlite, "BUSY_SECONDS", 0.05)
    with locked(desk.path):
        with pytest.raises(StoreUnavailable, match="locked"):
            desk.post()
        with pytest.raises(StoreUnavailable):
            desk.commands.halt("default", by="op", reason="x")
    assert set(counts(desk).values()) == {0}
    assert [o.status for o in desk.post()] == ["CREATED"]


def test_a_writer_that_lets_go_in_time_is_waited_for(desk):
    began = threading.Event()

    def hold():
        with locked(desk.path):
            began.set()
            threading.Event().wait(0.1)

    holder = threading.Thread(target=hold)
    holder.start()
    assert began.wait(5)
    assert [o.status for o in desk.post()] == ["CREATED"]
    holder.join()


def test_a_full_disk_is_unavailable_and_keeps_nothing(desk, monkeypatch):
    desk.post()
    before, connect = counts(desk), persistence.sqlite.connect

    def cramped(path, **options):
        connection = connect(path, **options)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection

    monkeypatch.setattr(persistence.sqlite, "connect", cramped)
    desk.store.close()
    alert = entry(leg("B"), leg("C"), strategy_name="OTHER")
    with pytest.raises(StoreUnavailable, match="full"):
        desk.commands.register(alert, delivery(desk.clock.now(), "x" * 100_000))
    assert counts(desk) == before
    monkeypatch.undo()
    assert desk.commands.register(alert, desk.delivery()).outcome is Outcome.ACCEPTED


def test_a_commit_that_fails_is_no_ack(desk, monkeypatch):
    """What a disk that breaks at the last moment does: all statements went well, the commit did not."""
    connect = persistence.sqlite.connect

    class Breaking:
        def __init__(self, connection):
            self.connection = connection

        def execute(self, sql, *parameters):
            if sql == "COMMIT":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
                raise error
            return self.connection.execute(sql, *parameters)

        def close(self):
            self.connection.close()

    monkeypatch.setattr(persistence.sqlite, "connect", lambda path, **o: Breaking(connect(path, **o)))
    desk.store.close()
    with pytest.raises(StoreUnavailable, match="I/O"):
        desk.post()
    monkeypatch.undo()
    assert set(counts(desk).values()) == {0}
    assert [o.status for o in desk.post()] == ["CREATED"]


# duplicates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal_id", [None, "s-1"])
def test_a_repeated_delivery_stands_in_the_book_and_is_never_sent(desk, signal_id):
    first = desk.commands.register(entry(CE, PE, signal_id=signal_id), desk.delivery())
    again = desk.commands.register(entry(CE, PE, signal_id=signal_id), desk.delivery())
    reason = "SIGNAL_ALREADY_SEEN" if signal_id else "CONTENT_ALREADY_SEEN"
    assert (again.outcome, again.alert_id, again.originals) == (Outcome.DUPLICATE, first.alert_id, first.legs)
    assert [o.tag for o in again.legs] == [f"DUPLICATE_BLOCKED:{reason}"] * 2
    assert {(o.status, o.phase, o.reason_code) for o in again.legs} == {
        ("FAILED", "BLOCKED", "IDEMPOTENCY_BLOCKED")
    }
    assert not {o.command_id for o in again.legs} & {o.command_id for o in first.legs}
    assert not {o.client_order_id for o in again.legs} & {o.client_order_id for o in first.legs}
    assert desk.rows("SELECT status, count(*) FROM order_intents GROUP BY 1 ORDER BY 1") == [
        ("DEDUP_SKIPPED", 2),
        ("PENDING", 2),
    ]
    assert desk.rows(
        "SELECT outcome, duplicate_of, decision_type, reason_code FROM alerts ORDER BY rowid"
    ) == [
        ("accepted", None, None, None),
        ("duplicate", first.alert_id, "SKIPPED", "IDEMPOTENCY_BLOCKED"),
    ]
    claimable = desk.store.claimable("default", desk.clock.now(), limit=10, exits_only=False)
    assert {o.command_id for o in claimable} == {o.command_id for o in first.legs}
    desk.settle()
    assert len(desk.broker.placed) == 2
    assert history_faults(desk) == []


def test_a_repeated_exit_is_a_duplicate_too(desk):
    desk.post(MARKET_EXIT, **EXIT)
    (again,) = desk.post(MARKET_EXIT, **EXIT)
    assert again.tag == "DUPLICATE_BLOCKED:CONTENT_ALREADY_SEEN"


def test_a_signal_id_is_used_for_ever(desk):
    desk.post(signal_id="s-1")
    desk.settle()
    desk.clock.advance(400 * 86_400)
    assert desk.post(signal_id="s-1")[0].tag == "DUPLICATE_BLOCKED:SIGNAL_ALREADY_SEEN"


@pytest.mark.parametrize(
    "change",
    [
        {"legs": (replace(CE, price=Decimal(99)),)},
        {"strategy_name": "OTHER"},
        {"test_mode": TestMode.SUCCESS},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_signal_id_with_other_content_is_refused_and_changes_nothing(desk, change):
    (first,) = desk.post(signal_id="s-1")
    before = counts(desk)
    with pytest.raises(SignalReused) as refusal:
        desk.commands.register(replace(entry(signal_id="s-1"), **change), desk.delivery())
    assert (refusal.value.code, refusal.value.field) == ("SIGNAL_REUSED", "signal_id")
    assert first.alert_id in refusal.value.message
    assert counts(desk) == before


def test_the_same_content_under_another_signal_id_is_another_alert(make_desk):
    desk = make_desk(limits=Limits(max_entries=2))
    assert [desk.post(signal_id=name)[0].tag for name in ("s-1", "s-2")] == [None, None]


def test_a_number_noted_otherwise_is_the_same_content(desk):
    desk.post(leg(quantity=Decimal("50"), price=Decimal("112.5")))
    (again,) = desk.post(leg(quantity=Decimal("50.0"), price=Decimal("112.50")))
    assert again.tag == "DUPLICATE_BLOCKED:CONTENT_ALREADY_SEEN"


def test_each_accepted_repetition_is_a_generation_of_its_own(desk):
    ids = []
    for _ in range(3):
        ids.append(desk.post(MARKET_EXIT, **EXIT)[0].client_order_id)
        desk.clock.advance(61)
    assert len(set(ids)) == 3
    assert desk.rows("SELECT generation FROM alerts ORDER BY rowid") == [(0,), (1,), (2,)]
    keys = [row[0] for row in desk.rows("SELECT idempotency_key FROM order_intents ORDER BY id")]
    assert [key.split("|")[-2] for key in keys] == ["0", "1", "2"]


GAPS = st.sampled_from(
    [timedelta(0), MICRO, timedelta(seconds=29), WINDOW / 2, WINDOW - MICRO, WINDOW, WINDOW + MICRO]
) | st.timedeltas(timedelta(0), timedelta(seconds=130))
STARTS = st.timedeltas(timedelta(0), timedelta(days=1)) | st.sampled_from(
    [timedelta(0), timedelta(seconds=59, microseconds=999_999), timedelta(hours=14, minutes=29, seconds=59)]
)
_numbers = itertools.count()


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    start=STARTS,
    gaps=st.lists(GAPS, max_size=8),
    kind=st.sampled_from([ExecutionType.ENTRY, ExecutionType.EXIT]),
)
def test_a_delivery_is_a_duplicate_exactly_when_the_last_accepted_one_is_younger_than_the_window(
    desk, start, gaps, kind
):
    name = f"S{next(_numbers)}"
    alert = entry(leg(name), strategy_name=name, execution_type=kind)
    at, accepted = START + start, None
    for gap in [timedelta(0), *gaps]:
        at += gap
        receipt = desk.commands.register(alert, delivery(at))
        expected = accepted is not None and at - accepted < WINDOW
        assert (receipt.outcome is Outcome.DUPLICATE) is expected, (at, accepted)
        if not expected:
            accepted = at


def test_a_delivery_that_is_registered_late_does_not_pass_as_a_new_one(desk):
    """Two threads may register in the other order than their deliveries came in."""
    at = desk.clock.now()
    assert desk.commands.register(entry(), delivery(at + timedelta(seconds=1))).outcome is Outcome.ACCEPTED
    assert desk.commands.register(entry(), delivery(at)).outcome is Outcome.DUPLICATE


# at the same instant ----------------------------------------------------------------------------------------


def at_once(calls: list[Callable[[], object]]) -> list[object]:
    """Call all of these from threads of their own at the same instant; what each returned or raised."""
    barrier = threading.Barrier(len(calls))
    results: list[object] = [None] * len(calls)

    def run(index: int, call: Callable[[], object]) -> None:
        barrier.wait()
        try:
            results[index] = call()
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[index] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_writer_that_is_interrupted_leaves_no_other_waiting_for_ever(desk):
    leading, go_on = threading.Event(), threading.Event()

    def interrupted(tx):
        leading.set()
        go_on.wait(5)
        raise SystemExit("the worker is told to stop")

    def lead():
        with pytest.raises(SystemExit):
            desk.store.write(interrupted)

    leader = threading.Thread(target=lead)
    leader.start()
    assert leading.wait(5)
    waiting = threading.Thread(target=desk.post, daemon=True)
    waiting.start()
    while not desk.store._commits._queue:
        time.sleep(0.001)
    go_on.set()
    leader.join(5)
    waiting.join(1)
    assert not waiting.is_alive()
    assert desk.only().status is Status.CREATED


@pytest.fixture
def two_services(desk: Desk) -> list[CommandService]:
    """Two services as two processes would have them: each with a repository of its own on one file."""
    stores = [OrderRepository(desk.path, clock=ManualClock(), render=str) for _ in range(2)]
    return [service(store, ManualClock(), seed, default=Limits()) for seed, store in enumerate(stores, 1)]


@pytest.mark.parametrize("shared", [True, False], ids=["one repository", "two repositories"])
@pytest.mark.parametrize("signal_id", [None, "s"])
def test_of_two_identical_alerts_at_one_instant_one_is_accepted(desk, two_services, shared, signal_id):
    services = two_services[:1] * 2 if shared else two_services
    for number in range(15):
        signal = signal_id and f"{signal_id}{number}"
        alert = entry(leg(f"S{number}"), leg(f"T{number}"), signal_id=signal)
        at = desk.clock.now()
        receipts = at_once([lambda s=s: s.register(alert, delivery(at)) for s in services])
        assert sorted(r.outcome for r in receipts) == ["accepted", "duplicate"], receipts
        assert len({r.alert_id for r in receipts}) == 1
    assert desk.rows("SELECT count(*) FROM orders WHERE status = 'CREATED'") == [(30,)]
    assert history_faults(desk) == []


@pytest.mark.parametrize("shared", [True, False], ids=["one repository", "two repositories"])
def test_of_two_entries_of_a_strategy_in_a_symbol_at_one_instant_one_passes(desk, two_services, shared):
    services = two_services[:1] * 2 if shared else two_services
    for number in range(15):
        alerts = [entry(leg(f"S{number}", price=Decimal(price))) for price in (100, 101)]
        at = desk.clock.now()
        receipts = at_once(
            [lambda s=s, a=a: s.register(a, delivery(at)) for s, a in zip(services, alerts, strict=True)]
        )
        assert sorted(str(r.legs[0].tag) for r in receipts) == [
            "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED",
            "None",
        ]


def test_of_two_submissions_of_one_command_at_one_instant_one_row_is_left(desk, two_services):
    for number in range(10):
        wanted = command(f"op{number}-1", symbol=f"S{number}")
        orders = at_once([lambda s=s: s.submit(wanted, strategy_name="X", by="op") for s in two_services])
        assert {o.command_id for o in orders} == {wanted.command_id}
    assert desk.rows("SELECT count(*), count(DISTINCT command_id) FROM orders") == [(10, 10)]


def _register_many(path, barrier, results, seed, alerts):
    """A process of its own."""
    clock = ManualClock()
    commands = service(OrderRepository(path, clock=clock, render=str), clock, seed, default=Limits())
    outcomes = []
    for alert in alerts:
        barrier.wait(30)
        outcomes.append(str(commands.register(alert, delivery(START + timedelta(seconds=1))).outcome))
    results.put((seed, outcomes))


def test_of_two_processes_with_the_same_alerts_each_alert_is_accepted_by_one(desk):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    alerts = [entry(leg(f"S{n}"), signal_id=f"s{n}" if n % 2 else None) for n in range(20)]
    workers = [
        context.Process(target=_register_many, args=(desk.path, barrier, results, seed, alerts))
        for seed in (1, 2)
    ]
    for worker in workers:
        worker.start()
    outcomes = dict(results.get(timeout=40) for _ in workers)
    for worker in workers:
        worker.join(10)
    for one, other in zip(outcomes[1], outcomes[2], strict=True):
        assert {one, other} == {"accepted", "duplicate"}
    assert history_faults(desk) == []


# what is blocked --------------------------------------------------------------------------------------------


def test_a_daily_loss_stays_hit_after_a_recovery_and_is_gone_the_next_trading_day(make_desk):
    desk = make_desk(limits=Limits(max_daily_loss=Decimal(1000)))
    positions_read(desk, pnl=-999)
    assert desk.post(leg("A"))[0].tag is None
    positions_read(desk, pnl=-1000)
    assert desk.post(leg("B"))[0].tag == "RISK_BLOCKED:DAILY_LOSS_HIT"
    positions_read(desk, pnl=500)
    (blocked,) = desk.post(leg("C"))
    assert (blocked.tag, blocked.reason_message) == (
        "RISK_BLOCKED:DAILY_LOSS_HIT",
        "Daily loss limit hit: no new entries today (-1000 today, limit -1000)",
    )
    assert desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    desk.clock.at = datetime(2026, 11, 20, 18, 29, 59, tzinfo=UTC)
    positions_read(desk, pnl=500)
    assert desk.post(leg("D"))[0].tag == "RISK_BLOCKED:DAILY_LOSS_HIT", "a second before midnight in Kolkata"
    desk.clock.advance(2)
    positions_read(desk, pnl=0)
    assert desk.post(leg("E"))[0].tag is None


def test_a_daily_loss_is_hit_between_registration_and_claim_too(make_desk):
    desk = make_desk(limits=Limits(max_daily_loss=Decimal(1000)))
    desk.post()
    positions_read(desk, pnl=-1000)
    assert desk.engine.execute_next("default")
    assert desk.only().tag == "RISK_BLOCKED:DAILY_LOSS_HIT"
    assert desk.broker.placed == []


def test_positions_that_are_old_or_were_never_read_block_entries_only(desk):
    desk.clock.advance(61)
    (old,) = desk.post()
    assert (old.tag, old.reason_code) == ("GUARD_BLOCKED:POSITIONS_STALE", "POSITIONS_STALE")
    assert desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    never = service(desk.store, desk.clock, 1, second=Limits())
    receipt = never.register(entry(client_id="second"), desk.delivery())
    assert receipt.legs[0].reason_message.endswith("(never read)")
    positions_read(desk)
    assert desk.post(leg(price=Decimal(99)))[0].tag is None


def test_a_failed_read_is_no_read(desk):
    commands = service(desk.store, desk.clock, 1, second=Limits())
    desk.store.save_read_error("second", desk.clock.now(), "502")
    receipt = commands.register(entry(client_id="second"), desk.delivery())
    assert receipt.legs[0].tag == "GUARD_BLOCKED:POSITIONS_STALE"


def test_entries_within_a_sliding_minute_are_counted_and_blocked_ones_are_not(make_desk):
    desk = make_desk(limits=Limits(max_orders_per_minute=2, positions_max_age_seconds=600))
    at = desk.clock.now()

    def tag_at(seconds: float) -> str | None:
        receipt = desk.commands.register(entry(leg(f"S{seconds}")), delivery(at + timedelta(seconds=seconds)))
        return receipt.legs[0].tag

    assert [tag_at(second) for second in (0, 30)] == [None, None]
    assert tag_at(59.999999) == "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE"
    assert tag_at(60) is None, "the first is a minute old, the blocked one is not counted"
    assert tag_at(60.000001) == "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE"


def test_the_legs_of_one_alert_count_against_its_limits(make_desk):
    desk = make_desk(limits=Limits(max_orders_per_minute=2))
    assert [o.tag for o in desk.post(leg("A"), leg("B"), leg("C"))] == [
        None,
        None,
        "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE",
    ]
    desk = make_desk(limits=Limits(max_open_orders=2))
    assert [o.tag for o in desk.post(leg("A"), leg("B"), leg("C"))] == [
        None,
        None,
        "RISK_BLOCKED:MAX_OPEN_ORDERS",
    ]
    desk.settle()
    assert desk.post(leg("D"))[0].tag is None, "what is filled is not open"


def test_exits_count_for_no_limit_of_entries_per_minute(make_desk):
    desk = make_desk(limits=Limits(max_orders_per_minute=1))
    for number in range(3):
        desk.post(replace(MARKET_EXIT, symbol=f"S{number}"), **EXIT)
    assert desk.post()[0].tag is None


def test_a_strategy_enters_a_symbol_once_until_it_is_out_again(desk):
    desk.post()
    (open_,) = desk.post(leg(price=Decimal(99)))
    desk.settle()
    (held,) = desk.post(leg(price=Decimal(98)))
    assert open_.reason_message.endswith("(1 open, limit 1)")
    assert held.reason_message.endswith("(1 held, limit 1)")
    (back,) = desk.post(leg(side=Side.SELL))
    assert back.tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED", "an entry is no way out"
    desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert desk.post(leg(price=Decimal(97)))[0].tag is None


def test_max_entries_allows_that_many(make_desk):
    desk = make_desk(limits=Limits(max_entries=2))
    assert desk.post(leg(price=Decimal(1)))[0].tag is None
    desk.settle()
    assert desk.post(leg(price=Decimal(2)))[0].tag is None
    assert desk.post(leg(price=Decimal(3)))[0].reason_message.endswith("(1 held, 1 open, limit 2)")
    desk.settle()
    assert desk.post(leg(price=Decimal(4)))[0].reason_message.endswith("(2 held, limit 2)")


def test_an_entry_that_is_partly_filled_is_one_entry(make_desk):
    desk = make_desk(limits=Limits(max_entries=2))
    desk.broker.fill_at_once = False
    desk.post(leg(price=Decimal(1)))
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    desk.settle()
    assert desk.only().phase is Phase.PARTIALLY_FILLED
    assert desk.post(leg(price=Decimal(2)))[0].tag is None


def test_the_other_side_of_an_open_entry_or_a_position_of_another_strategy_is_blocked(desk):
    desk.post()
    sell = leg(side=Side.SELL)
    assert desk.post(sell, strategy_name="OTHER")[0].tag == "GUARD_BLOCKED:OPPOSITE_SIDE_HELD"
    desk.settle()
    assert (
        desk.post(replace(sell, price=Decimal(1)), strategy_name="OTHER")[0].tag
        == "GUARD_BLOCKED:OPPOSITE_SIDE_HELD"
    )
    assert desk.post(replace(sell, exchange="BFO"), strategy_name="OTHER")[0].tag is None
    assert desk.post(strategy_name="THIRD")[0].tag is None


def test_a_strategy_may_have_limits_of_its_own(desk):
    book = LimitBook(Limits(max_order_quantity=Decimal(10)), {"BIG": Limits(max_order_quantity=Decimal(100))})
    commands = CommandService(
        desk.store,
        {"default": ClientPolicy("default", book, live_allowed=True)},
        clock=desk.clock,
        ids=SeededIds(1),
        dedup_window=WINDOW,
        alert_life=timedelta(seconds=300),
    )
    big = commands.register(entry(strategy_name="BIG"), desk.delivery())
    small = commands.register(entry(strategy_name="SMALL"), desk.delivery())
    assert (big.legs[0].tag, small.legs[0].tag) == (None, "RISK_BLOCKED:MAX_ORDER_QUANTITY")


def test_test_mode_is_checked_as_if_it_were_real_but_needs_no_live_trading(make_desk):
    desk = make_desk(is_real=True, live_allowed=False, limits=Limits(max_order_quantity=Decimal(50)))
    assert desk.post(test_mode=TestMode.SUCCESS)[0].tag is None
    (large,) = desk.post(leg(qty=51), test_mode=TestMode.SUCCESS)
    assert large.tag == "RISK_BLOCKED:MAX_ORDER_QUANTITY"


# clients ----------------------------------------------------------------------------------------------------


@pytest.fixture
def two_clients(desk: Desk) -> CommandService:
    positions_read(desk, "second")
    return service(
        desk.store,
        desk.clock,
        1,
        default=Limits(max_order_quantity=Decimal(50), max_orders_per_minute=2, max_open_orders=2),
        second=Limits(max_order_quantity=Decimal(100), max_orders_per_minute=2, max_open_orders=2),
    )


def posted(commands: CommandService, desk: Desk, client_id: str, *legs, **changes) -> tuple:
    return commands.register(entry(*legs, client_id=client_id, **changes), desk.delivery()).legs


def test_clients_have_limits_keys_and_counts_of_their_own(desk, two_clients):
    assert posted(two_clients, desk, "default", leg(qty=51))[0].tag == "RISK_BLOCKED:MAX_ORDER_QUANTITY"
    assert posted(two_clients, desk, "second", leg(qty=51))[0].tag is None
    for name in ("A", "B"):
        assert posted(two_clients, desk, "default", leg(name), signal_id=name)[0].tag is None
    assert posted(two_clients, desk, "default", leg("C"))[0].tag == "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE"
    assert posted(two_clients, desk, "second", leg("A"), signal_id="A")[0].tag is None, "the same signal_id"


def test_clients_are_halted_apart(desk, two_clients):
    two_clients.halt("second", by="op", reason="news")
    assert posted(two_clients, desk, "second")[0].tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert posted(two_clients, desk, "default")[0].tag is None
    assert not two_clients.resume("default", by="op")
    assert two_clients.resume("second", by="op")
    assert posted(two_clients, desk, "second", leg("B"))[0].tag is None


def test_the_positions_of_one_client_are_not_anothers(desk, two_clients):
    posted(two_clients, desk, "default")
    desk.settle()
    assert posted(two_clients, desk, "second", leg(side=Side.SELL), strategy_name="OTHER")[0].tag is None
    desk.store.save_positions("second", PositionsSnapshot(desk.clock.now(), ()), START.date())
    (order,) = posted(two_clients, desk, "second", MARKET_EXIT, **EXIT)
    assert order.quantity == 0, "the first client's 50 are not the second's to close"


def test_the_loss_and_the_age_of_one_client_are_not_anothers(desk, make_desk):
    commands = service(
        desk.store,
        desk.clock,
        1,
        default=Limits(max_daily_loss=Decimal(9)),
        second=Limits(max_daily_loss=Decimal(9)),
    )
    positions_read(desk, "default", pnl=-10)
    positions_read(desk, "second", pnl=10)
    assert posted(commands, desk, "default")[0].tag == "RISK_BLOCKED:DAILY_LOSS_HIT"
    assert posted(commands, desk, "second")[0].tag is None
    desk.clock.advance(61)
    positions_read(desk, "default", pnl=-10)
    assert posted(commands, desk, "second", leg("B"))[0].tag == "GUARD_BLOCKED:POSITIONS_STALE"


def test_an_unknown_outcome_of_one_client_does_not_hold_up_another(desk, two_clients):
    desk.broker.script = [OutcomeUnknown("timeout")]
    posted(two_clients, desk, "default")
    desk.engine.execute_next("default")
    assert (
        posted(two_clients, desk, "default", strategy_name="OTHER")[0].tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"
    )
    assert posted(two_clients, desk, "second", strategy_name="OTHER")[0].tag is None


# rejected alerts --------------------------------------------------------------------------------------------


def test_an_alert_that_cannot_be_traded_on_is_kept_and_told(desk):
    error = InvalidAlert("BAD_QUANTITY", "must be positive", "legs[0].qty")
    id_ = desk.commands.keep_rejected(
        "default", delivery(desk.clock.now(), '{"qty": 0}'), error, strategy_name="S", signal_id="s-1"
    )
    assert desk.rows(
        "SELECT alert_id, outcome, raw_body, signal_id, decision_type, reason_code, reason_message FROM alerts"
    ) == [(id_, "rejected", '{"qty": 0}', "s-1", "FAILED", "BAD_QUANTITY", "legs[0].qty: must be positive")]
    assert desk.rows("SELECT alert_id, kind, command_id FROM telegram_messages") == [
        (id_, "ALERT_REJECTED", None)
    ]
    assert counts(desk)["orders"] == counts(desk)["order_intents"] == 0


def test_a_rejected_alert_does_not_use_up_its_signal_id(desk):
    desk.commands.keep_rejected("default", desk.delivery(), InvalidAlert("X", "y"), signal_id="s-1")
    assert desk.post(signal_id="s-1")[0].tag is None


# commands that come from no alert ---------------------------------------------------------------------------


def command(command_id: str = "op-1", **changes: object) -> UniversalOrderCommand:
    values: dict[str, object] = {
        "command_id": command_id,
        "client_order_id": f"ow{command_id}",
        "client_id": "default",
        "execution_type": ExecutionType.ENTRY,
        "exchange": "NFO",
        "symbol": CE.symbol,
        "side": Side.BUY,
        "quantity": Decimal(50),
        "product": "MIS",
        "order_type": OrderType.LIMIT,
        "price": Decimal("112.5"),
        "trigger_price": None,
    }
    return UniversalOrderCommand(**(values | changes))  # type: ignore[arg-type]


def test_a_command_is_registered_once_however_often_it_is_submitted(desk):
    first = desk.commands.submit(command(), strategy_name="MANUAL", by="op")
    assert (first.status, first.strategy_name, first.client_order_id) == ("CREATED", "MANUAL", "owop-1")
    desk.settle()
    again = desk.commands.submit(command(), strategy_name="MANUAL", by="op")
    assert again == desk.only()
    assert again.status is Status.EXECUTED
    desk.settle()
    assert len(desk.broker.placed) == 1
    assert desk.rows("SELECT idempotency_key, status FROM order_intents") == [
        ("default|command|op-1", "ORDER_PLACED")
    ]
    assert desk.rows("SELECT actor FROM order_events ORDER BY event_id LIMIT 1") == [("op",)]


def test_a_command_meets_the_same_blockers(desk):
    desk.commands.halt("default", by="op", reason="news")
    blocked = desk.commands.submit(command(), strategy_name="MANUAL", by="op")
    assert blocked.tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert kinds(desk) == [NoticeKind.HALTED, NoticeKind.BLOCKED]


def test_a_position_can_be_closed_at_market_on_request(desk):
    desk.post()
    desk.settle()
    exit_ = desk.commands.submit_exit("default", "NFO", CE.symbol, "MIS", by="op", strategy_name="STRADDLE")
    assert (exit_.execution_type, exit_.order_type, exit_.requested_quantity) == ("EXIT", "MARKET", None)
    desk.settle()
    done = desk.order(exit_.command_id)
    assert (done.status, done.side, done.quantity) == ("EXECUTED", "SELL", 50)


def test_a_command_of_a_client_that_is_not_configured_is_not_found(desk):
    with pytest.raises(NotFound):
        desk.commands.submit(command(client_id="nobody"), strategy_name="X", by="op")
    with pytest.raises(NotFound):
        desk.commands.halt("nobody", by="op", reason="x")
    assert counts(desk)["orders"] == 0


# operators --------------------------------------------------------------------------------------------------


def test_a_halt_of_a_client_stops_its_entries_until_it_is_lifted(desk):
    desk.commands.halt("default", by="op", reason="news")
    (blocked,) = desk.post()
    assert blocked.reason_message == "Trading is halted (news)"
    assert desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    assert desk.rows("SELECT client_id, strategy_name, halted_by, reason FROM halts") == [
        ("default", "", "op", "news")
    ]
    assert desk.commands.resume("default", by="op")
    assert not desk.commands.resume("default", by="op")
    assert desk.post(leg(price=Decimal(99)))[0].tag is None
    assert [n for n in kinds(desk) if n in ("HALTED", "RESUMED")] == ["HALTED", "RESUMED"]


def test_a_halt_of_a_strategy_stops_that_strategy_only(desk):
    desk.commands.halt("default", "STRADDLE", by="op", reason="news")
    assert desk.post()[0].tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert desk.post(strategy_name="OTHER")[0].tag is None
    assert not desk.commands.resume("default", by="op"), "the client as a whole was never halted"
    assert desk.commands.resume("default", "STRADDLE", by="op")
    assert "strategy STRADDLE, by op: news" in desk.notices[0].detail


def test_a_halt_that_is_said_again_is_one_halt(desk):
    for reason in ("news", "more news"):
        desk.commands.halt("default", by="op", reason=reason)
    assert desk.rows("SELECT reason FROM halts") == [("more news",)]
    assert desk.commands.resume("default", by="op")
    assert desk.post()[0].tag is None


def test_an_order_that_was_not_sent_is_cancelled_at_once(desk):
    (order,) = desk.post()
    ended = desk.commands.cancel(order.command_id, by="op")
    assert (ended.phase, ended.tag) == (Phase.LAPSED, "NOT_SENT:CANCELLED_BEFORE_SENT")
    assert kinds(desk) == ["FAILED"]
    desk.settle()
    assert desk.broker.placed == []


def test_a_live_order_is_cancelled_when_the_broker_says_so(desk):
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.settle()
    asked = desk.commands.cancel(order.command_id, by="op")
    assert (asked.phase, asked.tag) == (Phase.WORKING, None)
    assert asked.cancel_requested_at is not None
    assert desk.broker.cancelled == []
    desk.settle()
    assert desk.order(order.command_id).tag == "BROKER_CANCELLED"


def test_what_has_ended_or_is_unknown_cannot_be_cancelled(desk):
    desk.broker.script = [OutcomeUnknown("timeout")]
    (order,) = desk.post()
    desk.engine.execute_next("default")
    with pytest.raises(ConcurrentUpdate, match="UNKNOWN"):
        desk.commands.cancel(order.command_id, by="op")
    (done,) = desk.post(leg("B"))
    desk.settle()
    with pytest.raises(ConcurrentUpdate, match="FILLED"):
        desk.commands.cancel(done.command_id, by="op")
    with pytest.raises(NotFound):
        desk.commands.cancel("nothing-1", by="op")


@pytest.fixture
def unknown(desk: Desk) -> str:
    """The id of an order of unknown outcome."""
    desk.broker.script = [OutcomeUnknown("timeout")]
    (order,) = desk.post()
    desk.engine.execute_next("default")
    assert desk.order(order.command_id).phase is Phase.UNKNOWN
    return str(order.command_id)


def test_an_operator_says_that_the_broker_does_not_have_it(desk, unknown):
    order = desk.commands.resolve(unknown, by="op", failed_reason="not in the terminal")
    assert (order.phase, order.tag, order.reason_message) == (
        Phase.ABSENT,
        "BROKER_ABSENT:OPERATOR_RESOLVED",
        "not in the terminal",
    )
    assert kinds(desk) == ["FAILED"]
    assert history_faults(desk) == []


def test_an_operator_says_how_it_was_filled(desk, unknown):
    fill = ResolvedFill("X9", Decimal(50), Decimal("110.5"))
    order = desk.commands.resolve(unknown, by="op", executed=fill)
    assert (order.status, order.broker_order_id, order.filled_quantity, order.average_price) == (
        "EXECUTED",
        "X9",
        50,
        Decimal("110.5"),
    )
    assert desk.rows("SELECT net_quantity FROM holdings") == [("50",)]
    assert desk.rows("SELECT status, order_id FROM order_intents") == [("ORDER_PLACED", "X9")]


FILL = ResolvedFill("X9", Decimal(50), None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({}, ValueError),
        ({"executed": FILL, "failed_reason": "x"}, ValueError),
        ({"executed": replace(FILL, filled_quantity=Decimal(49))}, ValueError),
        ({"executed": replace(FILL, filled_quantity=Decimal(51))}, ValueError),
        ({"executed": replace(FILL, broker_order_id="")}, Exception),
    ],
)
def test_an_answer_that_does_not_fit_changes_nothing(desk, unknown, answer, error):
    before = counts(desk)
    with pytest.raises(error):
        desk.commands.resolve(unknown, by="op", **answer)
    assert desk.order(unknown).phase is Phase.UNKNOWN
    assert counts(desk) == before


def test_only_an_unknown_outcome_can_be_resolved(desk, unknown):
    desk.commands.resolve(unknown, by="op", failed_reason="x")
    with pytest.raises(ConcurrentUpdate, match="ABSENT"):
        desk.commands.resolve(unknown, by="op", executed=FILL)
    (created,) = desk.post(leg("B"))
    with pytest.raises(ConcurrentUpdate, match="REGISTERED"):
        desk.commands.resolve(created.command_id, by="op", failed_reason="x")
    with pytest.raises(NotFound):
        desk.commands.resolve("nothing-1", by="op", failed_reason="x")


def test_what_an_operator_called_absent_rises_when_the_book_shows_it(desk, unknown):
    desk.commands.resolve(unknown, by="op", failed_reason="not in the terminal")
    order = desk.order(unknown)
    desk.broker._take(UniversalOrderCommand.of(order))
    desk.clock.advance(31)
    desk.settle()
    assert desk.order(unknown).status is Status.EXECUTED
    assert "RESURRECTED" in kinds(desk)
