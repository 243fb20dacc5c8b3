"""An alert that adjusts exits first: its entries go when a read after the exits' fills says flat, or never."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.alert import ParsedAlert
from domain.broker_reports import BrokerStatus
from domain.entry_waits import WaitsFor
from domain.enums import ExecutionType, LegKind, Side
from domain.errors import Refused
from domain.states import Status
from tests.engine.test_late_evidence import spin
from tests.support import MARKET_EXIT, Desk, leg

OLD, NEW, HEDGE = leg("NIFTY26NOV24500CE"), leg("NIFTY26DEC24500CE"), leg("NIFTY26DEC25000CE")


def adjust(desk: Desk, *entries):
    """Leave the old contract and enter the new ones."""
    leaving = replace(MARKET_EXIT, symbol=OLD.symbol, kind=LegKind.FLAT)
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
