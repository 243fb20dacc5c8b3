"""What strategies hold, where fills are recorded in another order than they happened, and where the account is flat."""

from decimal import Decimal

import pytest

from domain.alert import Side
from domain.limits import Limits
from domain.reports import BrokerStatus
from tests.support import EXIT, MARKET_EXIT, Desk, leg


def held(desk: Desk) -> dict[str, Decimal]:
    return {h.strategy_name: h.net_quantity for h in desk.store.holdings("default")}


def enter(desk: Desk, qty: int = 50, strategy: str = "STRADDLE") -> str:
    """An entry that is at the broker; its broker id."""
    (order,) = desk.post(leg(qty=qty), strategy_name=strategy)
    while desk.engine.execute_next("default"):
        pass
    return str(desk.order(order.command_id).broker_order_id)


def leave(desk: Desk, strategy: str = "STRADDLE") -> None:
    """An exit that is filled at once, before the book was looked at."""
    desk.broker.fill_at_once = True
    (order,) = desk.post(MARKET_EXIT, strategy_name=strategy, **EXIT)
    desk.clock.advance(5)
    desk.engine.execute_next("default")
    desk.broker.fill_at_once = False
    assert desk.order(order.command_id).broker_order_id, desk.order(order.command_id).reason_message


def look(desk: Desk) -> None:
    desk.clock.advance(1)
    desk.engine.reconcile("default")


def exit_recorded_before_its_entry(desk: Desk, filled: int = 50) -> str:
    """An entry of 50 is filled so far, its exit takes that, and the book lags: it shows the exit's fill only.

    Returns:
        The entry's broker id.
    """
    entry_id = enter(desk)
    desk.broker.report(entry_id, BrokerStatus.OPEN, filled)
    leave(desk)
    desk.broker.report(entry_id, BrokerStatus.OPEN)
    look(desk)
    assert held(desk) == {"STRADDLE": -filled}  # until the entry's own fill is recorded
    return entry_id


@pytest.fixture
def quiet(desk: Desk) -> Desk:
    desk.broker.fill_at_once = False
    return desk


def test_an_exit_that_is_recorded_before_its_entry_leaves_nothing(quiet):
    entry_id = exit_recorded_before_its_entry(quiet)
    quiet.broker.report(entry_id, BrokerStatus.COMPLETE, 50)
    look(quiet)
    assert held(quiet) == {}


def test_what_an_exit_took_of_nobodys_is_held_by_nobody(quiet):
    entry_id = exit_recorded_before_its_entry(quiet)
    quiet.broker.report(entry_id, BrokerStatus.CANCELLED)  # so the position was somebody else's
    look(quiet)
    assert held(quiet) == {}


def test_an_entry_that_brings_more_than_its_exit_took_is_held_as_one(quiet):
    entry_id = exit_recorded_before_its_entry(quiet, filled=20)
    quiet.broker.report(entry_id, BrokerStatus.COMPLETE, 50)
    look(quiet)
    assert held(quiet) == {"STRADDLE": 30}
    assert quiet.rows("SELECT entries FROM holdings") == [(1,)]


def test_a_flat_position_is_not_forgotten_while_an_exit_is_at_the_broker(quiet):
    entry_id = enter(quiet)
    quiet.broker.report(entry_id, BrokerStatus.OPEN, 20)
    look(quiet)
    leave(quiet)
    quiet.clock.advance(10)
    quiet.engine.refresh("default", force=True)  # flat: both fills are there, one is not recorded
    assert held(quiet) == {"STRADDLE": 20}
    look(quiet)
    assert held(quiet) == {}
    quiet.broker.report(entry_id, BrokerStatus.COMPLETE, 50)
    look(quiet)
    assert held(quiet) == {"STRADDLE": 30}


def test_one_strategys_exit_does_not_sell_what_another_has_just_bought(quiet):
    first = enter(quiet, 50, "A")
    quiet.broker.report(first, BrokerStatus.COMPLETE, 50)
    look(quiet)
    second = enter(quiet, 25, "B")
    quiet.broker.report(second, BrokerStatus.COMPLETE, 25)  # at the broker 75; the book was not read since
    leave(quiet, "A")
    assert [o.quantity for o in quiet.broker.orders.values() if o.side is Side.SELL] == [50]
    look(quiet)
    assert held(quiet) == {"B": 25}


@pytest.mark.parametrize(("status", "filled", "left"), [("REJECTED", 0, -50), ("COMPLETE", 30, -20)])
def test_an_entry_on_the_other_side_wipes_out_no_holding(make_desk, status, filled, left):
    desk = make_desk(limits=Limits(max_entries=2))
    desk.broker.fill_at_once = False
    (short,) = desk.post(leg(qty=50, side=Side.SELL))
    desk.engine.tick()
    desk.broker.report(str(desk.order(short.command_id).broker_order_id), BrokerStatus.COMPLETE, 50)
    look(desk)
    second = enter(desk, 30)
    desk.broker.report(second, BrokerStatus(status), filled)
    look(desk)
    assert held(desk) == {"STRADDLE": left}


def test_what_exits_took_early_is_bounded_by_what_is_still_to_come(quiet):
    entry_id = exit_recorded_before_its_entry(quiet)
    quiet.broker.report(entry_id, BrokerStatus.OPEN, 30)
    look(quiet)
    assert held(quiet) == {"STRADDLE": -20}
    quiet.broker.report(entry_id, BrokerStatus.CANCELLED, 30)
    look(quiet)
    assert held(quiet) == {}


def test_positions_closed_by_hand_are_forgotten(desk):
    desk.post()
    desk.settle()
    assert desk.rows("SELECT count(*) FROM holdings") == [(1,)]
    desk.broker.orders.clear()
    desk.clock.advance(5)
    desk.engine.tick()
    assert desk.rows("SELECT count(*) FROM holdings") == [(0,)]
    (again,) = desk.post(leg(price=Decimal(99)))
    assert again.tag is None
