"""Test mode answers for the broker, and says the same whenever it is asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from broker.test_mode import simulated_report, simulated_result
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, BrokerStatus
from domain.commands import UniversalOrderCommand
from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.errors import Refused
from domain.money import ZERO
from domain.order import Order
from domain.reconciliation import decide
from domain.states import Phase, Status

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
    report = simulated_report(ORDER)
    assert (report.broker_order_id, report.client_order_id) == (result.broker_order_id, "ow1")
    assert (report.status, report.filled_quantity) == (BrokerStatus.COMPLETE, ORDER.quantity)


def test_a_simulated_failure_is_refused_and_so_reported():
    with pytest.raises(Refused, match="simulated failure") as refusal:
        simulated_result(UniversalOrderCommand.of(FAILING))
    assert refusal.value.code == "TEST_MODE"
    report = simulated_report(FAILING)
    assert (report.status, report.code, report.filled_quantity) == (BrokerStatus.REJECTED, "TEST_MODE", ZERO)


@pytest.mark.parametrize(
    ("price", "reference", "trigger", "filled_at"),
    [(112.5, 110, None, 112.5), (None, 110, 105, 110), (None, None, 105, 105), (None, None, None, 1)],
)
def test_a_simulated_fill_is_at_the_first_price_that_is_named(price, reference, trigger, filled_at):
    named = [None if p is None else Decimal(str(p)) for p in (price, reference, trigger)]
    order = replace(ORDER, price=named[0], reference_price=named[1], trigger_price=named[2])
    assert simulated_report(order).average_price == Decimal(str(filled_at))


@pytest.mark.parametrize(
    ("order", "status", "tag"),
    [(ORDER, Status.EXECUTED, None), (FAILING, Status.FAILED, "BROKER_REJECTED:TEST_MODE")],
)
@pytest.mark.parametrize("broker_order_id", [None, "TEST-ow1"])
def test_an_order_whose_answer_was_lost_is_settled_by_its_report(order, status, tag, broker_order_id):
    lost = replace(
        order, status=Status.SENT_TO_BROKER, phase=Phase.UNKNOWN, sent_at=AT, broker_order_id=broker_order_id
    )
    book = Book(AT, (simulated_report(lost),), complete=True)
    traits = BrokerTraits(name="paper", is_real=False, id_class=IdClass.C4)
    verdict = decide(lost, book, traits, sending_ends=timedelta(seconds=1))
    assert verdict.phase is (Phase.FILLED if status is Status.EXECUTED else Phase.REJECTED)
    assert verdict.changes.get("tag") == tag


def test_what_is_not_in_test_mode_is_never_simulated():
    real = replace(ORDER, test_mode=None)
    with pytest.raises(ValueError, match="not in test mode"):
        simulated_result(UniversalOrderCommand.of(real))
    with pytest.raises(ValueError, match="not in test mode"):
        simulated_report(real)
