"""What strategies hold, where fills are recorded in another order than they happened, and where the account is flat."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, OrderReport
from domain.enums import Side
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


@pytest.fixture
def quiet(desk: Desk) -> Desk:
    desk.broker.fill_at_once = False
    return desk


def test_a_flat_position_is_not_forgotten_while_an_exit_is_at_the_broker(quiet):
    entry_id = enter(quiet)
    quiet.broker.report(entry_id, BrokerStatus.OPEN, 20)
    look(quiet)
    leave(quiet)
    quiet.clock.advance(10)
    units = Decimal(20)
    row = OrderReport("H1", None, BrokerStatus.COMPLETE, "NFO", leg().symbol, Side.SELL, units, units)
    quiet.store.write(lambda tx: tx.note_external("default", row, quiet.clock.now()))
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
    desk = make_desk()
    desk.broker.fill_at_once = False
    second = enter(desk, 30)
    desk.hold(-50)
    desk.broker.report(second, BrokerStatus(status), filled)
    look(desk)
    assert held(desk) == {"STRADDLE": left}


@pytest.mark.parametrize(("status", "filled"), [("COMPLETE", 50), ("CANCELLED", 30)])
def test_what_an_exit_took_early_is_held_the_other_way_round_only_until_its_entry_ends(quiet, status, filled):
    entry_id = enter(quiet)
    quiet.broker.report(entry_id, BrokerStatus.OPEN, 20)
    look(quiet)
    quiet.broker.fill_at_once = True
    (part,) = quiet.post(leg(qty=20, side=None), **EXIT)
    quiet.engine.execute_next("default")
    number = str(quiet.order(part.command_id).broker_order_id)
    quiet.broker.report(
        number, BrokerStatus.COMPLETE, 50
    )  # overfilled: it took what the entry is still to bring
    look(quiet)
    assert held(quiet) == {"STRADDLE": -30}
    quiet.broker.report(entry_id, BrokerStatus(status), filled)
    look(quiet)
    assert held(quiet) == {}


def test_what_the_broker_shows_flat_for_minutes_is_forgotten_and_not_before(desk):
    desk.post()
    desk.settle()
    desk.broker.orders.clear()
    for _ in range(170):
        desk.clock.advance(1)
        desk.engine.refresh("default")
    assert desk.rows("SELECT count(*) FROM holdings") == [(1,)]
    (again,) = desk.post(leg(price=Decimal(98)))
    assert again.tag is not None
    for _ in range(30):
        desk.clock.advance(1)
        desk.engine.refresh("default")
    assert desk.rows("SELECT count(*) FROM holdings") == [(0,)]
    (again,) = desk.post(leg(price=Decimal(99)))
    assert again.tag is None


def test_what_the_brokers_own_rows_closed_is_forgotten_at_once(desk):
    desk.post()
    desk.settle()
    bought = desk.broker.orders["B00001"]
    by_hand = {"broker_order_id": "H1", "client_order_id": None, "side": Side.SELL}
    desk.broker.orders["H1"] = replace(bought, **by_hand)
    desk.broker.products["H1"] = "MIS"
    desk.clock.advance(15)
    desk.engine.reconcile("default")
    desk.engine.refresh("default", force=True)
    assert desk.rows("SELECT count(*) FROM holdings") == [(0,)]
    assert [n.detail for n in desk.notices if n.kind == "HOLDING_CLEARED"] == [
        "the broker shows NFO NIFTY26NOV24500CE flat (broker orders that no order here explains closed it); "
        "no longer held: STRADDLE 50 MIS"
    ]


def test_watchers_that_come_and_go_see_it_for_minutes_together(desk):
    desk.post()
    desk.settle()
    desk.broker.orders.clear()
    for number in range(2, 24):
        for _ in range(10):
            desk.clock.advance(1)
            desk.engine.reconcile("default")
            desk.engine.refresh("default")
        desk.kill(f"watcher-{number - 1}")
        desk.engine = desk.new_engine(f"watcher-{number}")
    assert desk.rows("SELECT count(*) FROM holdings") == [(0,)]
