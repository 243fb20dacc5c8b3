"""An exit that sends nothing takes nothing back; its parts are registered once; what opens again is closed."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, PositionsSnapshot
from domain.enums import OrderType, Side
from domain.errors import NotSent, ReadFailed
from domain.limits import Limits
from domain.states import Phase, Status
from tests.engine.by_hand import resting_elsewhere
from tests.engine.test_conversions_by_hand import convert
from tests.engine.test_late_evidence import accepts_late, lag_positions, lose, net, spin
from tests.support import EXIT, MARKET_EXIT, leg

SYMBOL = "NIFTY26NOV24500CE"

STOP = leg(qty=None, side=None, order_type=OrderType.STOP, price=None, trigger_price=Decimal(90))


def with_stop(desk, side=Side.BUY, qty=50):
    desk.post(leg(side=side, qty=qty))
    spin(desk, 60)
    desk.broker.fill_at_once = False
    (stop,) = desk.post(STOP, **EXIT)
    spin(desk, 3)
    assert desk.order(stop.command_id).phase is Phase.WORKING
    desk.broker.fill_at_once = True
    return stop


def test_an_exit_of_the_wrong_side_leaves_the_stop(desk):
    stop = with_stop(desk, Side.SELL)
    (wrong,) = desk.post(replace(MARKET_EXIT, side=Side.SELL), **EXIT)
    spin(desk, 20)
    assert desk.order(wrong.command_id).phase is Phase.BLOCKED
    assert desk.order(stop.command_id).phase is Phase.WORKING, "the short has no stop any more"


def test_an_exit_of_another_product_leaves_the_stop(desk):
    stop = with_stop(desk)
    (wrong,) = desk.post(replace(MARKET_EXIT, product="NRML"), **EXIT)
    spin(desk, 20)
    assert desk.order(wrong.command_id).phase is Phase.BLOCKED
    assert desk.order(stop.command_id).phase is Phase.WORKING


def test_what_an_exit_of_a_part_leaves_without_its_stop_is_told(desk):
    stop = with_stop(desk)
    (part,) = desk.post(leg(qty=20, side=None, order_type=OrderType.MARKET, price=None), **EXIT)
    spin(desk, 120)
    assert desk.order(part.command_id).quantity == 20
    assert desk.order(stop.command_id).phase is Phase.WORKING or any(
        "stop" in (n.detail or "").lower() or "30" in (n.detail or "") for n in desk.notices
    ), "30 are held without a stop, nobody was told"


def test_a_disputed_exit_leaves_the_stop(desk):
    stop = with_stop(desk)

    desk.broker.read_positions = lambda *, urgent=False: PositionsSnapshot(desk.clock.now(), ())
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 100)
    assert desk.order(stop.command_id).phase is Phase.WORKING


def test_a_part_is_registered_once_however_often_the_first_one_is_tried(make_desk):
    """MIS 50 and NRML 25 are held, 60 are to be sold: 50, and a part of 10. The broker turns the first try away."""
    desk = make_desk(limits=Limits(max_entries=2))
    desk.post(leg(qty=50))
    desk.post(leg(qty=25, product="NRML"))
    spin(desk, 60)
    desk.broker.script = [NotSent("busy"), NotSent("busy")]
    desk.post(leg(qty=60, side=None, order_type=OrderType.MARKET, price=None, product=""), **EXIT)
    spin(desk, 90)
    assert sum(c.quantity for c in desk.broker.placed if c.side is Side.SELL) == 60


def test_a_part_closes_only_the_product_that_its_exit_named(make_desk):
    """The exit names MIS, of which 20 fill after it was sized. A late read has them not yet, and shows 50 NRML."""
    desk = make_desk(limits=Limits(max_entries=2))
    resting_elsewhere(desk)  # the book is read each second
    desk.post(leg(product="NRML"))
    spin(desk, 60)
    desk.broker.fill_at_once = False
    (entry,) = desk.post(leg(price=Decimal(101)))
    spin(desk, 3)
    number = desk.order(entry.command_id).broker_order_id
    desk.broker.report(number, BrokerStatus.OPEN, 30)
    spin(desk, 40)
    desk.broker.fill_at_once = True
    desk.broker.cancel = lambda ref: None  # it is filled before the cancel arrives
    lag_positions(desk, 4)
    spin(desk, 12)
    desk.post(replace(MARKET_EXIT, product="MIS"), **EXIT)
    spin(desk, 40)
    desk.broker.report(number, BrokerStatus.COMPLETE, 50)
    spin(desk, 90)
    sold = [(c.quantity, c.product) for c in desk.broker.placed if c.side is Side.SELL]
    assert sold == [(30, "MIS"), (20, "MIS")]


def test_the_part_of_an_exit_that_named_a_product_takes_what_was_converted(desk):
    desk.post()
    spin(desk, 60)
    convert(desk, 20)
    spin(desk, 60)
    desk.post(replace(MARKET_EXIT, product="MIS"), **EXIT)
    spin(desk, 60)
    sold = [(c.quantity, c.product) for c in desk.broker.placed if c.side is Side.SELL]
    assert sold == [(30, "MIS"), (20, "NRML")]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_exit_that_a_person_cancelled_closes_nothing_any_more(desk, side):
    """The unknown entry before it is found later, and stays: a person wanted that."""
    accepts_late(desk, 600)
    taken = lose(desk)
    desk.post(leg(side=side))
    spin(desk, 2)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 10)
    desk.commands.cancel(exit_.command_id, by="cli:ann")
    spin(desk, 5)
    desk.broker._take(taken[0])
    spin(desk, 60)
    assert net(desk) == 50 * side.sign


@pytest.mark.parametrize("hides", [True, False])
def test_a_later_exit_of_the_other_side_hides_no_earlier_one(desk, hides):
    desk.broker.fill_at_once = False
    desk.post(leg(side=Side.SELL))
    spin(desk, 3)
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    spin(desk, 3)

    desk.broker.cancel = lambda ref: None  # the cancel takes its time
    desk.broker.fill_at_once = True
    (x1,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 5)
    assert desk.order(x1.command_id).status is Status.EXECUTED
    if hides:  # a second close with the wrong side, or of another product
        desk.post(replace(MARKET_EXIT, side=Side.SELL), **EXIT)
    spin(desk, 2)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    spin(desk, 60)
    assert net(desk) == 0


def test_a_resting_entry_is_taken_back_while_positions_cannot_be_read(desk):
    desk.broker.fill_at_once = False
    desk.post()
    spin(desk, 3)
    desk.broker.positions_error = ReadFailed("502")
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 120)
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED
    assert desk.broker.cancelled == ["B00001"]
