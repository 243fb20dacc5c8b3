"""A resting exit whose position a hand has closed is cancelled; filled, it would open the other side."""

from dataclasses import replace
from decimal import Decimal

from domain.broker_reports import PositionsSnapshot, UnreadableRow
from domain.enums import ExecutionType, OrderType, Side
from domain.states import Phase
from engine.stranded_exits import stranded
from tests.domain.making import AT, an_order
from tests.engine.by_hand import hand
from tests.engine.test_late_evidence import net, spin
from tests.support import EXIT, leg

PLACE = ("NFO", "NIFTY26NOV24500CE", "MIS")


def an_exit(order_type):
    return an_order(
        Phase.WORKING,
        execution_type=ExecutionType.EXIT,
        side=Side.SELL,
        order_type=order_type,
        quantity=Decimal(50),
    )


def target(desk, quantity=None):
    desk.broker.fill_at_once = False
    limit = leg(qty=quantity, side=None, price=Decimal("150"))
    (exit_,) = desk.post(limit, **EXIT)
    spin(desk, 5)
    assert desk.order(exit_.command_id).phase is Phase.WORKING
    return exit_.command_id


def held(desk):
    desk.post()
    spin(desk, 40)


def test_a_target_does_not_outlive_the_position_that_a_hand_has_closed(desk):
    held(desk)
    exit_ = target(desk)
    hand(desk, -50, "H1")
    spin(desk, 100)
    assert desk.order(exit_).phase is Phase.WORKING, "a read that is wrong for minutes only is no reason"
    spin(desk, 140)
    order = desk.order(exit_)
    assert desk.broker.cancelled == [order.broker_order_id]
    assert desk.order(exit_).phase is Phase.CANCELLED
    told = [
        text
        for (text,) in desk.rows("SELECT message FROM telegram_messages")
        if "would open the other" in text
    ]
    assert len(told) == 1
    assert net(desk) == 0


def test_what_is_left_of_a_position_keeps_the_exits_that_fit(desk):
    held(desk)
    first, second = target(desk, 20), target(desk, 30)
    hand(desk, -30, "H1")
    spin(desk, 240)
    assert desk.order(first).phase is Phase.WORKING
    assert desk.order(second).phase is Phase.CANCELLED


def test_an_exit_that_fits_beside_units_of_others_stays(desk):
    hand(desk, 100, "H1")
    spin(desk, 240)
    held(desk)
    exit_ = target(desk)
    hand(desk, -70, "H2")
    spin(desk, 240)
    assert desk.order(exit_).phase is Phase.WORKING


def test_no_read_that_hides_the_position_takes_a_stop_from_it(desk):
    held(desk)
    exit_ = target(desk)
    right = desk.broker.read_positions
    desk.broker.read_positions = lambda **_: PositionsSnapshot(desk.clock.now(), ())
    spin(desk, 100)
    desk.broker.read_positions = right
    spin(desk, 10)
    desk.broker.read_positions = lambda **_: replace(right(), positions=())
    spin(desk, 100)
    desk.broker.read_positions = right
    spin(desk, 200)
    assert desk.order(exit_).phase is Phase.WORKING


def test_an_exit_that_is_being_cancelled_leaves_the_others_alone(desk):
    held(desk)
    first, second = target(desk, 30), target(desk, 20)
    desk.broker.cancel = lambda ref: None  # the broker takes its time
    desk.commands.cancel(first, by="op", reason="by hand")
    hand(desk, -30, "H1")
    spin(desk, 240)
    assert desk.order(second).cancel_requested_at is None


def test_an_exit_at_market_is_not_cancelled_nor_one_where_the_position_cannot_be_read():
    exit_ = an_exit(OrderType.MARKET)
    gone, standing = PositionsSnapshot(AT, ()), {PLACE: Decimal(-50)}
    assert stranded(gone, standing, [an_exit(OrderType.LIMIT)]) != []
    assert stranded(gone, standing, [exit_]) == []
    hidden = UnreadableRow("NFO", PLACE[1], None, None, None, "netqty 1,000")
    unreadable = PositionsSnapshot(AT, (), unreadable=(hidden,))
    assert stranded(unreadable, standing, [an_exit(OrderType.LIMIT)]) == []
