"""A read of the positions that our fills contradicted is remembered, by any watcher, until a later one can be right."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, Position, PositionsSnapshot
from domain.exit_sizing import HoldReason
from domain.states import Status
from tests.engine.test_late_evidence import spin
from tests.support import EXIT, MARKET_EXIT, Desk, leg

SYMBOL = "NIFTY26NOV24500CE"
PART = replace(MARKET_EXIT, quantity=Decimal(35))


def shows(desk: Desk, units: int) -> None:
    """From now on this is what a read of the positions has, whatever is true."""
    rows = (Position("NFO", SYMBOL, "MIS", Decimal(units)),)
    desk.broker.read_positions = lambda *, urgent=False: PositionsSnapshot(  # type: ignore[method-assign]
        desk.clock.now(), rows
    )


def another_watcher(desk: Desk) -> None:
    desk.kill()
    desk.engine = desk.new_engine("watcher-2")
    desk.look()


def exit_beside_one_that_is_filling(desk: Desk, late: float) -> str:
    """100 are held, an exit of 35 is filled by 25, and the reads so long after that still have 100."""
    desk.post(leg(qty=100))
    spin(desk, 40)
    shows(desk, 100)
    desk.broker.fill_at_once = False
    desk.post(PART, **EXIT)
    spin(desk, 1)
    desk.broker.report("B00002", BrokerStatus.OPEN, 25)
    spin(desk, 0.5 + late)
    (whole,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 0.5)
    assert desk.order(whole.command_id).reason_message == HoldReason.DISPUTED.sentence
    return whole.command_id


@pytest.mark.parametrize("is_killed", [False, True])
def test_where_reads_are_late_one_that_agrees_is_believed_once_it_must_show_our_last_fill(desk, is_killed):
    """A hand has sold 10, untold yet, when the other exit's last 10 are filled: a read has one of the two tens."""
    whole = exit_beside_one_that_is_filling(desk, late=2)
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 35)
    shows(desk, 65)  # 100 - 25 - 10 of the hand; our own fills say 100 - 35
    if is_killed:
        another_watcher(desk)
    desk.broker.fill_at_once = True
    spin(desk, 15)
    assert desk.order(whole).status is Status.CREATED, "65 are sent, and 55 are left"
    shows(desk, 55)
    spin(desk, 90)
    order = desk.order(whole)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 55)


def test_a_read_that_contradicted_our_fills_is_remembered_by_the_next_watcher(desk):
    """A hand has sold 20 of 50, untold yet; another exit sells 20 more, and the read is of before that."""
    desk.post()
    spin(desk, 40)
    shows(desk, 30)
    (whole,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 1.5)
    assert desk.order(whole.command_id).reason_message == HoldReason.DISPUTED.sentence
    (part,) = desk.post(replace(MARKET_EXIT, quantity=Decimal(20)), **EXIT)
    for _ in range(
        20
    ):  # the exit of a part goes first, and the watcher ends before it looks at the other again
        if desk.order(part.command_id).status is Status.EXECUTED:
            break
        spin(desk, 0.5)
    another_watcher(desk)
    spin(desk, 5)
    assert desk.order(whole.command_id).status is Status.CREATED, "30 are sent, and 10 are left"


def test_where_reads_are_not_late_one_that_agrees_is_believed_at_once(desk):
    """It is contradicted within the second after our fill alone: then a further fill holds no exit for long."""
    whole = exit_beside_one_that_is_filling(desk, late=0)
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 35)
    shows(desk, 65)
    desk.broker.fill_at_once = True
    spin(desk, 6)
    order = desk.order(whole)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 65)
    assert "contradicted_read" not in (order.context_json or "")
