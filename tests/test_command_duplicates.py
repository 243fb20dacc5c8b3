"""An alert is traded on once, however often it comes and however many arrive at one instant."""

import itertools
import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_service import CommandService
from domain.enums import ExecutionType, Outcome, TestMode
from domain.errors import SignalReused
from domain.limits import LimitBook, Limits
from domain.states import Status
from persistence.sqlite.repository import OrderRepository
from tests.commands_making import CE, MICRO, PE, WINDOW, command, delivery, service
from tests.engine.promises import counts, history_faults
from tests.support import EXIT, MARKET_EXIT, START, Desk, ManualClock, entry, leg

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
    limits = LimitBook(Limits(positions_max_age_seconds=1e6))  # stale positions would let it be repeated
    desk.policies["default"] = replace(desk.policies["default"], limits=limits)
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


def test_a_clock_that_was_set_back_does_not_make_an_old_alert_young(desk):
    desk.commands.register(entry(CE), desk.delivery())
    desk.clock.advance(-3600)  # set back by an hour
    desk.clock.advance(3000)  # and fifty minutes later
    again = desk.commands.register(entry(CE), desk.delivery())
    assert again.outcome is not Outcome.DUPLICATE


def test_an_entry_that_waits_while_the_clock_is_set_back_is_not_sent_hours_late(desk):
    (order,) = desk.post()
    desk.clock.advance(-3600)
    desk.settle()
    assert desk.order(order.command_id).tag == "RISK_BLOCKED:ALERT_TOO_OLD" or desk.broker.placed == []
