"""One row that cannot be read stands in the way of its own symbol or order, and of nothing else."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, UnreadableRow
from domain.errors import OutcomeUnknown, ReadFailed
from domain.limits import Limits
from domain.states import Phase, Status
from tests.support import EXIT, MARKET_EXIT, Desk, leg

OTHER = "BANKNIFTY26NOV52000CE"
BAD = UnreadableRow("NFO", OTHER, None, None, None, 'netqty: not a number: {"netqty": "1,000"}')
NAMELESS = UnreadableRow(None, None, None, None, None, 'tsym is missing: {"netqty": "5"}')


@pytest.fixture
def desk(tmp_path):
    """50 of NIFTY and 50 of BANKNIFTY are held."""
    desk = Desk(tmp_path)
    desk.post(leg())
    desk.post(leg(OTHER), strategy_name="S2", signal_id="2")
    desk.settle()
    return desk


def spoil(desk, *rows):
    desk.broker.unreadable_positions = rows
    desk.clock.advance(6)
    desk.engine.refresh("default", force=True)


def spin(desk, seconds):
    for _ in range(int(seconds * 2)):
        desk.engine.tick()
        desk.clock.advance(0.5)


def leave(desk, symbol, strategy):
    exit_ = replace(MARKET_EXIT, symbol=symbol)
    (order,) = desk.post(exit_, strategy_name=strategy, signal_id=f"exit {symbol}", **EXIT)
    spin(desk, 3)
    return desk.order(order.command_id)


def told(desk, words):
    return [n for n in desk.notices if words in n.detail]


def test_an_exit_of_another_symbol_goes_on(desk):
    spoil(desk, BAD)
    assert leave(desk, leg().symbol, "STRADDLE").status is Status.EXECUTED


def test_an_exit_of_that_symbol_waits_and_goes_when_the_row_can_be_read(desk):
    spoil(desk, BAD)
    held = leave(desk, OTHER, "S2")
    assert held.status is Status.CREATED and "1,000" in held.reason_message
    spoil(desk)
    spin(desk, 3)
    assert desk.order(held.command_id).status is Status.EXECUTED


def test_the_row_is_told_once_with_its_text(desk):
    spoil(desk, BAD)
    spoil(desk, replace(BAD, text=BAD.text + " later"))
    assert len(told(desk, "a position cannot be read")) == 1
    desk.replace_watcher()
    desk.look()
    assert len(told(desk, "a position cannot be read")) == 1, "nor after a restart"
    spoil(desk)
    spoil(desk, BAD)
    assert len(told(desk, '"1,000"')) == 2


def test_nothing_that_is_held_there_is_forgotten_or_compared(desk):
    held = desk.store.holdings("default")
    for _ in range(60):
        spoil(desk, BAD)
    assert desk.store.holdings("default") == held
    assert not [n for n in desk.notices if n.kind in ("HOLDING_CLEARED", "POSITION_DIFFERS")]


def test_the_last_known_row_stays_with_its_age(desk):
    before = desk.store.saved_positions("default")
    spoil(desk, BAD)
    after = desk.store.saved_positions("default")
    assert after.net("NFO", OTHER, "MIS") == 50 and not after.is_readable("NFO", OTHER)
    ages = dict(desk.rows("SELECT symbol, read_at FROM positions"))
    assert ages[OTHER] < ages[leg().symbol] and after.read_started_at > before.read_started_at
    spoil(desk)
    assert desk.store.saved_positions("default").unreadable == ()


def enter(desk, symbol):
    (order,) = desk.post(leg(symbol), strategy_name="S3", signal_id=symbol)
    spin(desk, 2)
    return desk.order(order.command_id)


def test_entries_stop_in_that_symbol_alone(desk):
    spoil(desk, BAD)
    assert enter(desk, OTHER).tag == "GUARD_BLOCKED:POSITIONS_STALE"
    assert enter(desk, "FINNIFTY26NOV23000CE").status is Status.EXECUTED


def test_a_row_that_names_no_symbol_stops_all_that_are_not_listed(desk):
    spoil(desk, NAMELESS)
    assert enter(desk, "FINNIFTY26NOV23000CE").tag == "GUARD_BLOCKED:POSITIONS_STALE"
    assert enter(desk, leg().symbol).status is Status.EXECUTED
    assert leave(desk, OTHER, "S2").status is Status.EXECUTED


def test_delivery_that_is_not_known_stops_delivery_alone(desk):
    spoil(desk, UnreadableRow(None, None, "CNC", None, None, "the Holdings could not be read", has_pnl=False))
    assert enter(desk, "FINNIFTY26NOV23000CE").status is Status.EXECUTED
    (order,) = desk.post(leg("INFY-EQ", exchange="NSE", product="CNC"), strategy_name="S4", signal_id="4")
    assert desk.order(order.command_id).tag == "GUARD_BLOCKED:POSITIONS_STALE"


def test_with_a_loss_limit_an_unknown_loss_stops_all_entries(tmp_path):
    desk = Desk(tmp_path, limits=Limits(max_daily_loss=Decimal(1000)))
    spoil(desk, BAD)
    assert enter(desk, "FINNIFTY26NOV23000CE").status is Status.FAILED


# orders -----------------------------------------------------------------------------------------------------


def two_at_rest(tmp_path):
    desk = Desk(tmp_path)
    desk.broker.fill_at_once = False
    first, second = desk.post(leg()), desk.post(leg(OTHER), strategy_name="S2", signal_id="2")
    spin(desk, 1)
    return desk, desk.order(first[0].command_id), desk.order(second[0].command_id)


def test_an_order_whose_row_cannot_be_read_stays_as_it_is_and_its_neighbour_goes_on(tmp_path):
    desk, first, second = two_at_rest(tmp_path)
    desk.broker.unreadable_orders = (
        UnreadableRow(
            "NFO", first.symbol, None, first.broker_order_id, None, 'qty: not a number: {"qty": ""}'
        ),
    )
    desk.broker.report(second.broker_order_id, BrokerStatus.COMPLETE, 50)
    spin(desk, 90)
    assert desk.order(first.command_id).phase is Phase.WORKING
    assert desk.order(second.command_id).status is Status.EXECUTED
    assert len(told(desk, 'cannot be read: qty: not a number: {"qty": ""}')) == 1
    desk.broker.unreadable_orders = ()
    desk.broker.report(first.broker_order_id, BrokerStatus.COMPLETE, 50)
    spin(desk, 2)
    assert desk.order(first.command_id).status is Status.EXECUTED


def test_absence_is_not_proven_where_an_unreadable_row_may_be_the_order(tmp_path):
    desk = Desk(tmp_path)
    desk.broker.script = [OutcomeUnknown("timed out")]
    desk.broker.unreadable_orders = (UnreadableRow("NFO", leg().symbol, None, "B9", None, "qty"),)
    desk.post(leg())
    spin(desk, 60)
    assert desk.only().phase is Phase.UNKNOWN
    desk.broker.unreadable_orders = (UnreadableRow("NFO", OTHER, None, "B9", None, "qty"),)
    spin(desk, 5)
    assert desk.only().phase is Phase.ABSENT


# rows that contradict themselves ----------------------------------------------------------------------------


@pytest.mark.parametrize("says", ["COMPLETE and nothing filled", "in doubt"])
def test_a_contradiction_decides_nothing_and_is_told_after_15_seconds(tmp_path, says):
    desk, first, _ = two_at_rest(tmp_path)
    number = first.broker_order_id
    if says == "in doubt":
        doubt = "COMPLETE 0 of 50; its trades are 20"
        desk.broker.report(number, BrokerStatus.COMPLETE, 50, contradiction=doubt)
    else:
        desk.broker.report(number, BrokerStatus.COMPLETE, 0)
    spin(desk, 13)
    assert desk.order(first.command_id).phase is Phase.WORKING and not told(desk, "contradict")
    spin(desk, 4)
    order = desk.order(first.command_id)
    assert (order.phase, order.filled_quantity) == (Phase.UNKNOWN, 0)
    assert len(told(desk, "contradict themselves (COMPLETE")) == 1
    spin(desk, 60)
    assert desk.order(first.command_id).phase is Phase.UNKNOWN
    assert len(told(desk, "contradict themselves (COMPLETE")) == 1
    desk.broker.report(number, BrokerStatus.COMPLETE, 50, contradiction="")
    spin(desk, 2)
    assert desk.order(first.command_id).status is Status.EXECUTED


def test_the_stale_one_of_two_rows_does_not_win_because_it_comes_last(tmp_path):
    desk, first, second = two_at_rest(tmp_path)
    stale = desk.broker.orders[first.broker_order_id]
    desk.broker.report(first.broker_order_id, BrokerStatus.COMPLETE, 50)
    desk.broker.orders["again"] = stale
    spin(desk, 2)
    assert desk.order(first.command_id).status is Status.EXECUTED
    assert desk.order(second.command_id).phase is Phase.WORKING


def test_positions_that_cannot_be_read_at_all_are_still_a_failed_read(desk):
    desk.broker.positions_error = ReadFailed("HTTP 502")
    assert leave(desk, leg().symbol, "STRADDLE").status is Status.CREATED
