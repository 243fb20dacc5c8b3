"""Exits: sized by the position at the broker, first in the queue, stopped by nothing, and never a reversal."""

from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus
from domain.enums import ExecutionType, OrderType
from domain.errors import ReadFailed, Refused
from domain.limits import Limits
from domain.states import Status
from tests.support import EXIT, MARKET_EXIT, Desk, leg


def net(desk: Desk) -> Decimal:
    """What the account holds at the broker."""
    return desk.broker.read_positions().net("NFO", "NIFTY26NOV24500CE", "MIS")


def test_an_exit_takes_its_side_and_quantity_from_the_position(desk):
    desk.post()
    desk.settle()
    (order,) = desk.post(leg(qty=500, side=None, order_type=OrderType.MARKET, price=None), **EXIT)
    desk.settle()
    order = desk.order(order.command_id)
    assert (order.side, order.quantity, order.status) == ("SELL", 50, "EXECUTED")


def test_a_cap_takes_part_of_the_position(desk):
    desk.post()
    desk.settle()
    (order,) = desk.post(leg(qty=20, side=None, order_type=OrderType.MARKET, price=None), **EXIT)
    desk.settle()
    assert desk.order(order.command_id).quantity == 20
    assert desk.rows("SELECT net_quantity FROM holdings") == [("30",)]


def test_an_exit_of_nothing_is_no_position(desk):
    (order,) = desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert desk.order(order.command_id).tag == "GUARD_BLOCKED:NO_POSITION"
    assert desk.broker.placed == []


def test_an_exit_that_names_another_exchange_sends_nothing_and_says_where_the_position_is(desk):
    desk.post()
    desk.settle()
    elsewhere = leg(qty=None, side=None, order_type=OrderType.MARKET, price=None, exchange="NSE")
    (order,) = desk.post(elsewhere, **EXIT)
    desk.settle()
    after = desk.order(order.command_id)
    assert after.tag == "GUARD_BLOCKED:NO_POSITION" and len(desk.broker.placed) == 1
    assert "STRADDLE holds 50 MIS of NIFTY26NOV24500CE at NFO, still open" in after.reason_message
    assert "is flat" not in after.reason_message


def test_two_exits_at_once_never_reverse(desk):
    desk.post()
    desk.settle()
    desk.broker.fill_at_once = False
    ids = [desk.post(MARKET_EXIT, **EXIT, signal_id=name)[0].command_id for name in ("one", "two", "three")]
    desk.settle()
    assert len(desk.broker.placed) == 2, "the entry and one exit"
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    desk.settle(40)
    ends = sorted(desk.order(i).tag or "EXECUTED" for i in ids)
    assert ends == ["EXECUTED", "GUARD_BLOCKED:NO_POSITION", "GUARD_BLOCKED:NO_POSITION"]
    assert net(desk) == 0


def test_an_exit_takes_back_its_entry_and_what_that_fills_anyway_leaves_as_a_part(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle(1)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    desk.settle(4)
    assert desk.broker.cancelled == ["B00001"]
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)  # filled before the cancel reached the exchange
    desk.broker.fill_at_once = True
    desk.clock.advance(12)  # nothing else is open: the book is read now and then
    desk.settle(6)
    part = desk.order(f"{exit_.command_id}.2")
    assert (part.parent_command_id, part.status, part.quantity) == (exit_.command_id, Status.EXECUTED, 50)
    assert net(desk) == 0


@pytest.mark.parametrize(
    "error", [ReadFailed("502"), KeyError("netqty")], ids=["failed", "an adapter's defect"]
)
def test_an_exit_whose_position_cannot_be_read_waits_and_is_not_lost(desk, error):
    desk.post()
    desk.settle()
    desk.engine.refresh = lambda *args, **kwargs: False  # only the exit reads them
    desk.broker.positions_error = error
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    for _ in range(20):
        desk.engine.tick()
        desk.clock.advance(1)
    held = desk.order(exit_.command_id)
    assert (held.status, held.not_before is not None) == (Status.CREATED, True), (
        "it would be tried without a pause"
    )
    assert held.reason_message.startswith("positions could not be read")
    desk.broker.positions_error = None
    desk.clock.advance(5)
    desk.settle()
    assert desk.order(exit_.command_id).status is Status.EXECUTED


def test_an_exit_leaves_another_strategys_position_alone(make_desk):
    desk = make_desk()
    desk.post()
    desk.post(leg(qty=30), strategy_name="OTHER")
    desk.settle()
    assert net(desk) == 80
    (exit_,) = desk.post(MARKET_EXIT, **EXIT, strategy_name="OTHER")
    desk.settle()
    assert desk.order(exit_.command_id).quantity == 30
    (nobody,) = desk.post(MARKET_EXIT, **EXIT, strategy_name="NOBODY")
    desk.settle()
    assert desk.order(nobody.command_id).tag == "GUARD_BLOCKED:NO_POSITION"


def test_an_exit_passes_a_halt_and_every_limit(make_desk):
    desk = make_desk(
        limits=Limits(max_order_quantity=Decimal(50), max_open_orders=1, max_orders_per_minute=1)
    )
    desk.post()
    desk.settle()
    desk.commands.halt("default", by="operator", reason="news")
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert desk.order(exit_.command_id).status is Status.EXECUTED


def test_exits_go_first(desk):
    desk.post()
    desk.settle()
    for n in range(5):
        desk.post(leg(f"SYM{n}"))
    desk.post(MARKET_EXIT, **EXIT)
    desk.engine.execute_next("default")
    assert desk.broker.placed[-1].execution_type is ExecutionType.EXIT


def test_an_exit_that_failed_may_be_asked_for_again_at_once(desk):
    desk.post()
    desk.settle()
    desk.broker.script = [Refused("no", "X")]
    first = desk.post(MARKET_EXIT, **EXIT)[0].command_id
    desk.settle()
    assert desk.order(first).status is Status.FAILED
    (again,) = desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert desk.order(again.command_id).status is Status.EXECUTED
    (third,) = desk.post(MARKET_EXIT, **EXIT)
    assert third.tag == "DUPLICATE_BLOCKED:CONTENT_ALREADY_SEEN"
