"""Test mode answers for the broker, and says the same whenever it is asked."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from broker.test_mode import BrokerWithTestMode, simulated_report, simulated_result
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, BrokerStatus, OrderRef
from domain.commands import UniversalOrderCommand
from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.errors import ReadFailed, Refused
from domain.money import ZERO
from domain.order import Order
from domain.reconciliation import decide
from domain.states import Phase, Status
from tests.support import FakeBroker, ManualClock

AT = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
ORDER = Order(
    command_id="a-1", alert_id="a", leg_index=0, client_id="default", strategy_name="S",
    execution_type=ExecutionType.ENTRY, exchange="NFO", symbol="NIFTY", side=Side.SELL, quantity=Decimal(50),
    requested_quantity=Decimal(50), product="MIS", order_type=OrderType.LIMIT, price=Decimal("112.5"),
    trigger_price=None, reference_price=Decimal(110), test_mode=TestMode.SUCCESS, client_order_id="ow1",
    created_at=AT, expires_at=AT + timedelta(minutes=5),
)  # fmt: skip
FAILING = replace(ORDER, test_mode=TestMode.FAILURE)


def test_a_simulated_success_has_an_id_and_is_filled_in_full():
    result = simulated_result(UniversalOrderCommand.of(ORDER))
    assert result.broker_order_id == "TEST-ow1"
    report = simulated_report(UniversalOrderCommand.of(ORDER))
    assert (report.broker_order_id, report.client_order_id) == (result.broker_order_id, "ow1")
    assert (report.status, report.filled_quantity) == (BrokerStatus.COMPLETE, ORDER.quantity)


def test_a_simulated_failure_is_refused_and_so_reported():
    with pytest.raises(Refused, match="simulated failure") as refusal:
        simulated_result(UniversalOrderCommand.of(FAILING))
    assert refusal.value.code == "TEST_MODE"
    report = simulated_report(UniversalOrderCommand.of(FAILING))
    assert (report.status, report.code, report.filled_quantity) == (BrokerStatus.REJECTED, "TEST_MODE", ZERO)


@pytest.mark.parametrize(
    ("price", "reference", "trigger", "filled_at"),
    [(112.5, 110, None, 112.5), (None, 110, 105, 110), (None, None, 105, 105), (None, None, None, 1)],
)
def test_a_simulated_fill_is_at_the_first_price_that_is_named(price, reference, trigger, filled_at):
    named = [None if p is None else Decimal(str(p)) for p in (price, reference, trigger)]
    order = replace(ORDER, price=named[0], reference_price=named[1], trigger_price=named[2])
    assert simulated_report(UniversalOrderCommand.of(order)).average_price == Decimal(str(filled_at))


@pytest.mark.parametrize(
    ("order", "status", "tag"),
    [(ORDER, Status.EXECUTED, None), (FAILING, Status.FAILED, "BROKER_REJECTED:TEST_MODE")],
)
@pytest.mark.parametrize("broker_order_id", [None, "TEST-ow1"])
def test_an_order_whose_answer_was_lost_is_settled_by_its_report(order, status, tag, broker_order_id):
    lost = replace(
        order, status=Status.SENT_TO_BROKER, phase=Phase.UNKNOWN, sent_at=AT, broker_order_id=broker_order_id
    )
    book = Book(AT, (simulated_report(UniversalOrderCommand.of(lost)),), complete=True)
    traits = BrokerTraits(name="paper", is_real=False, id_class=IdClass.C4)
    verdict = decide(lost, book, traits, sending_ends=timedelta(seconds=1))
    assert verdict.phase is (Phase.FILLED if status is Status.EXECUTED else Phase.REJECTED)
    assert verdict.changes.get("tag") == tag


def test_what_is_not_in_test_mode_is_never_simulated():
    real = replace(ORDER, test_mode=None)
    with pytest.raises(ValueError, match="not in test mode"):
        simulated_result(UniversalOrderCommand.of(real))
    with pytest.raises(ValueError, match="not in test mode"):
        simulated_report(UniversalOrderCommand.of(real))


@pytest.fixture
def broker() -> BrokerWithTestMode:
    clock = ManualClock(AT)
    return BrokerWithTestMode(FakeBroker(clock), clock)


REAL = replace(ORDER, test_mode=None, client_order_id="ow2")


@pytest.mark.parametrize("order", [ORDER, FAILING])
def test_an_order_in_test_mode_never_reaches_the_broker(broker, order):
    with contextlib.suppress(Refused):  # the answer of a simulated failure
        broker.place(UniversalOrderCommand.of(order))
    with pytest.raises(Refused) as refused:
        broker.cancel(OrderRef.of(order))
    assert refused.value.code == "ORDER_NOT_FOUND"
    assert not broker.decorated.placed and not broker.decorated.cancelled


def test_every_other_order_is_the_brokers(broker):
    result = broker.place(UniversalOrderCommand.of(REAL))
    placed = replace(REAL, broker_order_id=result.broker_order_id)
    assert [command.client_order_id for command in broker.decorated.placed] == ["ow2"]
    assert broker.read_book([OrderRef.of(placed)]).by_id.keys() == {result.broker_order_id}
    assert broker.read_positions().positions == broker.decorated.read_positions().positions
    broker.cancel(OrderRef.of(placed))
    assert broker.decorated.cancelled == [result.broker_order_id]


def test_the_book_of_orders_in_test_mode_needs_no_broker(broker):
    broker.decorated.book_error = ReadFailed("down")
    book = broker.read_book([OrderRef.of(ORDER)])
    assert book.complete and [report.client_order_id for report in book.reports] == ["ow1"]
    with pytest.raises(ReadFailed):
        broker.read_book([OrderRef.of(ORDER), OrderRef.of(REAL)])
    with pytest.raises(ReadFailed):
        broker.read_book([])


def test_a_book_may_be_asked_for_both(broker):
    broker.place(UniversalOrderCommand.of(REAL))
    book = broker.read_book([OrderRef.of(ORDER), OrderRef.of(REAL)])
    assert sorted(book.by_tag) == ["ow1", "ow2"]


def test_what_the_broker_declares_is_what_it_declares_now(broker):
    broker.decorated.traits = replace(broker.decorated.traits, book_interval=7)
    assert broker.traits.book_interval == 7
