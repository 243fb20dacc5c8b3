"""What a hand did on an earlier day explains nothing today; what it has in another product closes nothing of ours."""

from dataclasses import replace
from decimal import Decimal

import pytest

from broker.delivered_shares import Delivered, merged
from domain.broker_reports import PositionsSnapshot
from domain.enums import Side
from domain.states import Status
from tests.engine.by_hand import SYMBOL, hand, resting_elsewhere
from tests.engine.test_late_evidence import net, spin
from tests.support import EXIT, MARKET_EXIT, Desk, leg

DAY = 24 * 3600


def morning(desk: Desk, days: int = 1) -> None:
    """The service was down over night; the broker's book and its positions of the day begin anew."""
    desk.kill()
    desk.clock.advance(days * DAY)
    taken = desk.broker._take
    desk.broker.orders = {}

    def take(command):
        number = taken(command)
        report = desk.broker.orders.pop(number)
        for table in (desk.broker.products, desk.broker.owners):
            if number in table:
                table[f"N{number}"] = table.pop(number)
        desk.broker.orders[f"N{number}"] = replace(report, broker_order_id=f"N{number}")
        return f"N{number}"

    desk.broker._take = take  # type: ignore[method-assign]
    desk.engine = desk.new_engine("watcher-2")
    desk.look()


@pytest.mark.parametrize("units", [50, 30])
def test_delivered_shares_that_a_hand_sold_days_ago_hold_no_exit(desk, units):
    right = desk.broker.read_positions
    delivered = {("NFO", SYMBOL): Decimal(units)}

    def with_savings(*, urgent=False):
        now = right()
        return replace(now, positions=merged(now.positions, Delivered(delivered, ()))[0])

    desk.broker.read_positions = with_savings
    spin(desk, 240)
    hand(desk, -units, "H1", product="CNC")
    spin(desk, 300)
    delivered.clear()
    morning(desk, days=3)
    desk.post()
    spin(desk, 60)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert desk.order(exit_.command_id).status is Status.EXECUTED
    assert net(desk) == 0


@pytest.mark.parametrize("units", [50, -50])
def test_what_a_hand_did_just_before_the_service_stopped_explains_nothing_the_next_day(desk, units):
    """It was squared off in the evening, before it was believed."""
    desk.post(strategy_name="OLD")
    spin(desk, 60)
    desk.post(MARKET_EXIT, strategy_name="OLD", **EXIT)
    spin(desk, 10)
    hand(desk, units, "H1")
    desk.look()
    spin(desk, 20)
    morning(desk)
    desk.post()
    spin(desk, 60)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert desk.order(exit_.command_id).status is Status.EXECUTED
    assert net(desk) == 0


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("units", "age"), [(50, 300), (200, 20)])
def test_one_empty_read_ends_no_exit_beside_a_hedge_of_a_hand(desk, side, units, age):
    """By the hedge our fills may sum to flat, and so does an empty read; the strategy's 50 are still there."""
    resting_elsewhere(desk)
    desk.post(leg(side=side))
    spin(desk, 240 if age > 200 else 20)
    hand(desk, -units * side.sign, "H1", product="NRML")
    spin(desk, age)
    right, reads = desk.broker.read_positions, []

    def empty_once(*, urgent=False):
        if urgent:
            reads.append(urgent)
        return PositionsSnapshot(desk.clock.now(), ()) if len(reads) == 1 else right(urgent=urgent)

    desk.broker.read_positions = empty_once
    (exit_,) = desk.post(replace(MARKET_EXIT, product=""), **EXIT)
    spin(desk, 60)
    order = desk.order(exit_.command_id)
    assert (order.status, order.filled_quantity, order.product) == (Status.EXECUTED, 50, "MIS")
