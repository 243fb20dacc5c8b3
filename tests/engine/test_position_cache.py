"""One read of the positions may serve several exits, and none that it may be too old for."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus
from domain.enums import ExecutionType
from domain.errors import ReadFailed
from domain.states import Status
from engine.client_context import ClientContext
from engine.position_cache import PositionCache
from tests.support import Desk, leg

NAMES = [f"NIFTY26NOV2{index}000CE" for index in range(8)]


@pytest.fixture
def desk(tmp_path):
    """The strategy holds 50 of each name; `reads` are the times at which positions were read since."""
    desk = Desk(tmp_path)
    desk.post(*[leg(name) for name in NAMES])
    desk.settle()
    desk.reads = []
    read = desk.broker.read_positions

    def noted(*, urgent):
        assert urgent, "an exit is sized from it"
        desk.reads.append(desk.clock.now())
        return read(urgent=urgent)

    desk.broker.read_positions = noted
    return desk


def leave(desk, *names, **changes):
    """Register one alert that exits these names."""
    legs = [leg(name, qty=None, side=None) for name in names or NAMES]
    return desk.post(*legs, execution_type=ExecutionType.EXIT, **changes)


def test_a_basket_is_closed_after_one_read(desk):
    orders = leave(desk)
    while desk.engine.execute_next("default"):
        pass
    assert len(desk.reads) == 1
    assert [desk.order(o.command_id).quantity for o in orders] == [Decimal(50)] * len(NAMES)
    desk.settle()
    assert {desk.order(o.command_id).status for o in orders} == {Status.EXECUTED}
    assert {p.net_quantity for p in desk.broker.read_positions(urgent=True).positions} == {Decimal(0)}


def test_an_exit_that_came_after_the_read_has_one_of_its_own(desk):
    leave(desk, NAMES[0])
    desk.engine.execute_next("default")
    leave(desk, NAMES[1])
    desk.engine.execute_next("default")
    assert len(desk.reads) == 2


def test_an_exit_that_was_put_off_is_not_put_off_by_the_same_read_again(desk):
    desk.broker.fill_at_once = False
    leave(desk, NAMES[0])
    [second] = leave(desk, NAMES[0], signal_id="again")
    desk.engine.execute_next("default")
    desk.engine.execute_next("default")
    assert desk.order(second.command_id).reason_message == "another exit of this position is under way"
    assert len(desk.reads) == 1
    desk.clock.advance(0.2)
    desk.engine.execute_next("default")
    assert len(desk.reads) == 2


def test_another_strategys_fill_that_was_recorded_after_the_read_asks_for_no_other(desk):
    desk.broker.fill_at_once = False
    [late] = desk.post(leg(NAMES[1]), strategy_name="LATE")
    desk.settle()
    number = desk.order(late.command_id).broker_order_id
    desk.reads.clear()
    _, second = leave(desk, NAMES[0], NAMES[1])
    desk.engine.execute_next("default")
    desk.broker.report(number, BrokerStatus.COMPLETE, 50)
    desk.engine.reconcile("default")
    desk.engine.execute_next("default")
    assert (len(desk.reads), desk.order(second.command_id).quantity) == (1, Decimal(50))


@pytest.fixture
def context(desk):
    return ClientContext("default", desk.broker, desk.policies["default"])


@pytest.fixture
def order(desk):
    [order] = leave(desk, NAMES[0])
    return desk.order(order.command_id)


@pytest.fixture
def reads(desk):
    return PositionCache(clock=desk.clock)


def test_a_read_serves_for_a_second(desk, context, order, reads):
    first = reads.read(context, order)
    desk.clock.advance(0.9)
    assert reads.read(context, order) is first
    desk.clock.advance(0.2)
    assert reads.read(context, order) is not first


def test_while_one_reads_anew_the_others_go_on_for_two_seconds_and_no_longer(desk, context, order, reads):
    first = reads.read(context, order)
    desk.clock.advance(1.1)
    read = desk.broker.read_positions
    meanwhile = []

    def slow(*, urgent):
        desk.broker.read_positions = read
        meanwhile.append(reads.read(context, order))
        desk.clock.advance(1.5)
        meanwhile.append(reads.read(context, order))
        return read(urgent=urgent)

    desk.broker.read_positions = slow
    last = reads.read(context, order)
    assert meanwhile[0] is first
    assert first is not meanwhile[1] is not last


def test_a_slow_read_that_began_earlier_replaces_no_later_one(desk, context, order, reads):
    read = desk.broker.read_positions
    inner = []

    def slow(*, urgent):
        began = read(urgent=urgent)
        desk.broker.read_positions = read
        inner.append(reads.read(context, order))
        return began

    desk.broker.read_positions = slow
    reads.read(context, order)
    assert reads.read(context, order) is inner[0]


def test_a_read_from_before_a_clock_was_set_back_serves_nobody(desk, context, order, reads):
    first = reads.read(context, order)
    desk.clock.advance(-0.3)
    assert reads.read(context, replace(order, updated_at=desk.clock.now())) is not first


def test_a_read_that_fails_takes_nothing_from_the_one_before(desk, context, order, reads):
    first = reads.read(context, order)
    desk.broker.positions_error = ReadFailed("timeout")
    assert reads.read(context, order) is first
    desk.clock.advance(1.1)
    with pytest.raises(ReadFailed):
        reads.read(context, order)
    with pytest.raises(ReadFailed):  # nobody is at it any more
        reads.read(context, order)


def test_each_client_has_its_own(desk, context, order, reads):
    first = reads.read(context, order)
    assert reads.read(replace(context, client_id="other"), order) is not first
