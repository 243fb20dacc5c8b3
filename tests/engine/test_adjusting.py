"""An alert that adjusts exits first: its entries go when a read after the exits' fills says flat, or never."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.alert import ParsedAlert, kind_of
from domain.broker_reports import BrokerStatus
from domain.entry_waits import WaitsFor
from domain.enums import ExecutionType, Side
from domain.errors import Refused
from domain.order import Order
from domain.states import Phase, Status
from tests.engine.test_late_evidence import spin
from tests.support import MARKET_EXIT, Desk, leg

OLD, NEW, HEDGE = leg("NIFTY26NOV24500CE"), leg("NIFTY26DEC24500CE"), leg("NIFTY26DEC25000CE")


def adjust(desk: Desk, *entries, quantity: Decimal | None = None):
    """Leave the old contract, or so many units of it, and enter the new ones."""
    kind = kind_of(ExecutionType.EXIT, quantity)
    leaving = replace(MARKET_EXIT, symbol=OLD.symbol, kind=kind, quantity=quantity)
    alert = ParsedAlert("native", "default", "STRADDLE", ExecutionType.ADJUST, (leaving, *entries))
    return desk.commands.register(alert, desk.delivery()).legs


@pytest.fixture
def holding(desk):
    """A desk that holds the old contract, and whose orders rest from now on."""
    desk.post(OLD)
    spin(desk, 3)
    desk.broker.placed.clear()
    desk.broker.fill_at_once = False
    return desk


def sent(desk: Desk) -> list[tuple[str, str]]:
    return [(c.side.value, c.symbol) for c in desk.broker.placed]


def test_the_entry_waits_until_the_exit_is_filled_and_a_read_says_flat(holding):
    exit_, entry = adjust(holding, NEW)
    assert (exit_.waits_for, entry.waits_for) == (None, WaitsFor.EXIT)
    spin(holding, 6)
    assert sent(holding) == [("SELL", OLD.symbol)]
    holding.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    holding.broker.fill_at_once = True
    holding.engine.reconcile("default")
    holding.engine.execute_next("default")
    assert sent(holding) == [("SELL", OLD.symbol)], "no read of the positions since then"
    spin(holding, 8)
    assert sent(holding) == [("SELL", OLD.symbol), ("BUY", NEW.symbol)]


def test_where_the_exit_does_not_end_the_entries_are_dropped_with_a_reason(holding):
    _, first, second = adjust(holding, NEW, HEDGE)
    spin(holding, 3)
    for _ in range(80):
        holding.engine.tick()
        holding.clock.advance(5)
    tags = {holding.order(each.command_id).tag for each in (first, second)}
    assert "GUARD_BLOCKED:NOT_FLAT_IN_TIME" in tags
    assert tags <= {"GUARD_BLOCKED:NOT_FLAT_IN_TIME", "GUARD_BLOCKED:GROUP_INCOMPLETE"}
    assert sent(holding) == [("SELL", OLD.symbol)]


def test_an_exit_that_fails_lets_no_entry_go(holding):
    def before(command):
        if command.execution_type is ExecutionType.EXIT:
            raise Refused("RMS", "not now")

    holding.broker.before_place = before
    _, entry = adjust(holding, NEW)
    spin(holding, 20)
    assert sent(holding) == [] and holding.order(entry.command_id).status is Status.CREATED


def test_an_exit_that_finds_nothing_is_over_and_its_entries_are_a_group(desk):
    sold = replace(NEW, side=Side.SELL)
    _, *entries = adjust(desk, sold, HEDGE)
    spin(desk, 8)
    assert sent(desk) == [("BUY", HEDGE.symbol), ("SELL", NEW.symbol)]
    assert {desk.order(each.command_id).status for each in entries} == {Status.EXECUTED}
    [group] = desk.store.groups_of_alert(entries[0].alert_id)
    assert (group.state, len(group.legs)) == ("COMPLETE", 2)
    assert all(each.quantity == Decimal(50) for each in entries)


def test_the_entry_waits_while_an_older_entry_may_still_open_what_the_exit_closed(desk):
    desk.broker.fill_at_once = False
    desk.post(OLD)
    spin(desk, 2)
    desk.broker.report("B00001", BrokerStatus.OPEN, 10)
    spin(desk, 2)
    desk.broker.placed.clear()
    desk.broker.cancel = lambda ref: None  # it says yes, and the order stays
    desk.broker.fill_at_once = True
    _, entry = adjust(desk, NEW)
    spin(desk, 8)
    assert sent(desk) == [("SELL", OLD.symbol)], "its cancel was asked for, and is not shown"
    assert desk.order(entry.command_id).waits_for is WaitsFor.EXIT
    desk.broker.report("B00001", BrokerStatus.CANCELLED, 10)
    spin(desk, 8)
    assert sent(desk) == [("SELL", OLD.symbol), ("BUY", NEW.symbol)]


def shrink(desk: Desk, largest: int) -> None:
    """From now on no order in the old contract may be larger."""
    [(client, context)] = desk.engine._contexts.items()
    most = {OLD.symbol: Decimal(largest)}
    desk.engine._contexts = {client: replace(context, largest=lambda exchange, symbol: most.get(symbol))}


def exits(desk: Desk) -> list[Order]:
    rows = desk.rows("SELECT command_id FROM orders WHERE execution_type = 'EXIT' ORDER BY command_id")
    return [desk.order(str(row[0])) for row in rows]


@pytest.mark.parametrize("quantity", [None, Decimal(50)])
def test_the_entry_waits_until_each_slice_of_the_exit_is_filled(holding, quantity):
    shrink(holding, 20)
    adjust(holding, NEW, quantity=quantity)
    spin(holding, 4)
    assert [each.quantity for each in exits(holding)] == [20, 20, 10]
    holding.broker.report(exits(holding)[0].broker_order_id, BrokerStatus.COMPLETE, 20)
    spin(holding, 4)
    assert sent(holding) == [("SELL", OLD.symbol)] * 3
    holding.broker.report(exits(holding)[1].broker_order_id, BrokerStatus.COMPLETE, 20)
    holding.broker.report(exits(holding)[2].broker_order_id, BrokerStatus.COMPLETE, 10)
    spin(holding, 8)
    assert sent(holding)[3:] == [("BUY", NEW.symbol)]


@pytest.mark.parametrize("quantity", [None, Decimal(30)])
def test_an_exit_that_was_priced_anew_and_filled_is_over_after_a_read(holding, quantity):
    holding.broker.prices[OLD.symbol] = Decimal(100)
    adjust(holding, NEW, quantity=quantity)
    spin(holding, 8)
    first, second = exits(holding)
    assert (first.phase, first.filled_quantity, second.may_be_live) == (Phase.CANCELLED, 0, True)
    holding.broker.report(second.broker_order_id, BrokerStatus.COMPLETE, int(second.quantity))
    holding.engine.reconcile("default")
    holding.engine.execute_next("default")
    assert sent(holding) == [("SELL", OLD.symbol)] * 2, "no read of the positions since then"
    spin(holding, 6)
    assert sent(holding)[2:] == [("BUY", NEW.symbol)]


def test_an_exit_of_which_one_slice_came_to_nothing_lets_no_entry_go(holding):
    shrink(holding, 20)
    adjust(holding, NEW, quantity=Decimal(50))
    spin(holding, 4)
    for each, status in zip(exits(holding), ("COMPLETE", "REJECTED", "COMPLETE"), strict=True):
        filled = int(each.quantity) if status == "COMPLETE" else 0
        holding.broker.report(each.broker_order_id, BrokerStatus(status), filled)
    spin(holding, 10)
    assert sent(holding) == [("SELL", OLD.symbol)] * 3
