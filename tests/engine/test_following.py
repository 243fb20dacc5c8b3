"""What the broker says of an order after it took it, and of orders that are not ours."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus
from domain.errors import Refused
from domain.notices import NoticeKind
from domain.states import Phase, Status
from tests.support import Desk, kinds, leg


@pytest.fixture
def working(desk: Desk) -> Desk:
    """An order is at the broker, and nothing of it is filled."""
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    return desk


def test_a_rejection_after_the_acknowledgement(working):
    assert working.only().phase is Phase.WORKING
    working.broker.report("B00001", BrokerStatus.REJECTED, reason="RMS: price out of range", code="RMS1")
    working.settle()
    order = working.only()
    assert (order.tag, order.reason_message) == ("BROKER_REJECTED:RMS1", "RMS: price out of range")


def test_a_cancel_after_a_partial_fill_keeps_the_fill(working):
    working.broker.report("B00001", BrokerStatus.OPEN, 20)
    working.settle()
    assert working.only().phase is Phase.PARTIALLY_FILLED
    working.broker.report("B00001", BrokerStatus.CANCELLED, 20)
    working.settle()
    order = working.only()
    assert (order.tag, order.filled_quantity) == ("BROKER_CANCELLED", 20)
    assert working.rows("SELECT net_quantity FROM holdings") == [("20",)]


def test_a_fill_whose_price_cannot_be_read_counts_and_is_told(working):
    working.broker.report("B00001", BrokerStatus.COMPLETE, 50, unread="avgprc '1,00.00' cannot be read")
    working.broker.orders["B00001"] = replace(working.broker.orders["B00001"], average_price=None)
    working.settle()
    order = working.only()
    assert (order.status, order.filled_quantity, order.average_price) == (Status.EXECUTED, 50, None)
    told = [n.detail for n in working.notices if n.kind is NoticeKind.SYSTEM]
    assert told == [
        "broker order B00001: avgprc '1,00.00' cannot be read; its fill counts, at a price that is not known"
    ]
    working.settle(10)
    assert len([n for n in working.notices if n.kind is NoticeKind.SYSTEM]) == 1


@pytest.mark.parametrize("status", [BrokerStatus.REJECTED, BrokerStatus.CANCELLED])
def test_a_book_that_takes_a_fill_back_is_told_once_and_the_fill_stays(working, status):
    working.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    working.settle()
    working.broker.report("B00001", status)
    for _ in range(3):
        working.clock.advance(11)
        working.settle()
    order = working.only()
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert working.rows("SELECT net_quantity FROM holdings") == [("50",)]
    told = [n.detail for n in working.notices if n.kind is NoticeKind.SYSTEM]
    assert told == [
        f"the broker's book now says {status} with 0 filled of B00001, which it had filled with 50: both cannot be "
        "true. The fill still counts here, and the position decides how much an exit sends. Look at the order and "
        "the position in the broker's own terminal"
    ]
    working.replace_watcher()
    working.look()
    for _ in range(3):
        working.clock.advance(11)
        working.settle()
    assert len([n for n in working.notices if n.kind is NoticeKind.SYSTEM]) == 1, "nor after a restart"


def test_a_replica_that_lags_takes_no_fill_back(working):
    working.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    working.settle()
    working.broker.report("B00001", BrokerStatus.OPEN, 20)
    for _ in range(3):
        working.clock.advance(11)
        working.settle()
    assert [n for n in working.notices if n.kind is NoticeKind.SYSTEM] == []


def test_an_overfill_is_recorded_and_told(working):
    working.broker.report("B00001", BrokerStatus.COMPLETE, 60)
    working.settle()
    assert working.only().filled_quantity == 60
    assert NoticeKind.OVERFILLED in kinds(working)


def test_what_was_called_dead_and_then_filled_is_executed_loudly(working):
    working.broker.report("B00001", BrokerStatus.CANCELLED)
    working.settle()
    assert working.only().status is Status.FAILED
    working.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    working.clock.advance(31)
    working.settle()
    assert working.only().status is Status.EXECUTED
    assert NoticeKind.RESURRECTED in kinds(working)


def test_an_order_found_live_after_a_refusal_is_live_here_too(desk):
    """Seen in the book while its call was under way, and refused after that."""
    desk.broker.fill_at_once = False
    desk.broker.script = [("after", Refused("no", "X"))]
    desk.post()
    place = desk.broker.place

    def place_and_look(command):
        try:
            return place(command)
        finally:
            desk.engine.reconcile("default")

    desk.broker.place = place_and_look
    desk.engine.execute_next("default")
    assert desk.only().phase is Phase.REFUSED
    for _ in range(4):
        desk.clock.advance(31)
        desk.settle()
    assert desk.only().phase is Phase.WORKING


def test_cancel_before_and_after_the_send(desk):
    desk.broker.fill_at_once = False
    (first,) = desk.post()
    assert desk.commands.cancel(first.command_id, by="op").tag == "NOT_SENT:CANCELLED_BEFORE_SENT"
    (second,) = desk.post(leg("BANKNIFTY26NOVFUT"))
    desk.settle()
    desk.commands.cancel(second.command_id, by="op")
    desk.settle()
    assert desk.broker.cancelled == ["B00001"]
    assert desk.order(second.command_id).tag == "BROKER_CANCELLED"


def test_a_broker_order_that_no_row_explains_is_told_once(desk):
    desk.post()
    desk.settle()
    strange = desk.broker.orders["B00001"]
    desk.broker.products["X1"] = "MIS"
    desk.broker.orders["X1"] = type(strange)(
        "X1", None, BrokerStatus.OPEN, "NFO", "RELIANCE", strange.side, Decimal(5)
    )
    for _ in range(3):
        desk.clock.advance(31)
        desk.settle()
    assert kinds(desk).count(NoticeKind.EXTERNAL_ORDER) == 1
    assert desk.rows("SELECT broker_order_id, symbol FROM external_orders") == [("X1", "RELIANCE")]
