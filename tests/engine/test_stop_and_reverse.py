"""First the exit, then the entry, whichever arrives first: stop and reverse, and entering again."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus
from domain.entry_waits import WaitsFor
from domain.enums import Outcome, Side
from domain.errors import OutcomeUnknown
from domain.limits import LimitBook, Limits, StrategyBook, StrategyPolicy
from domain.states import Phase, Status
from tests.engine.promises import history_faults
from tests.engine.test_adopting import by_hand as sold_by_hand
from tests.engine.test_late_evidence import net, spin
from tests.support import EXIT, MARKET_EXIT, Desk, entry, leg

TURN = leg(side=Side.SELL, price=Decimal(110))
TARGET = leg(qty=50, side=None, price=Decimal(130))


@pytest.fixture
def held(desk: Desk) -> Desk:
    """The strategy holds 50."""
    desk.post()
    desk.settle()
    return desk


def test_the_entry_that_follows_its_exit_turns_the_position(held):
    (exit_,), (turn,) = held.post(MARKET_EXIT, **EXIT), held.post(TURN)
    assert (turn.status, turn.waits_for) == (Status.CREATED, WaitsFor.EXIT)
    spin(held, 3)
    assert held.order(exit_.command_id).status is Status.EXECUTED
    assert held.order(turn.command_id).status is Status.EXECUTED
    assert net(held) == -50
    assert history_faults(held) == []


def test_it_waits_as_long_as_the_exit_takes_within_its_life(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    (turn,) = held.post(TURN)
    spin(held, 60)
    assert held.order(turn.command_id).waits_for is WaitsFor.EXIT
    assert len(held.broker.placed) == 2
    held.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    held.broker.fill_at_once = True
    spin(held, 3)
    assert net(held) == -50


def test_an_exit_that_does_not_end_leaves_the_entry_unsent_and_its_alert_may_be_repeated(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    (turn,) = held.post(TURN)
    for _ in range(11):
        held.clock.advance(28)
        held.engine.refresh("default", force=True)
        spin(held, 1)
    assert held.order(turn.command_id).tag == "GUARD_BLOCKED:NOT_FLAT_IN_TIME"
    assert len(held.broker.placed) == 2
    again = held.commands.register(entry(TURN), held.delivery())
    assert again.outcome is Outcome.ACCEPTED
    held.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    held.broker.fill_at_once = True
    spin(held, 3)
    assert net(held) == -50


def test_content_of_an_entry_that_was_stopped_for_the_moment_may_come_again(held):
    held.clock.advance(61)
    held.broker.script = [OutcomeUnknown("timed out")]
    held.engine.refresh("default", force=True)
    held.post(leg("OTHER"), strategy_name="T")
    held.engine.execute_next("default")
    first = held.commands.register(entry(leg("OTHER")), held.delivery())
    assert first.legs[0].tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"
    again = held.commands.register(entry(leg("OTHER")), held.delivery())
    assert again.outcome is Outcome.BLOCKED, "judged anew, not a duplicate"
    named = [held.commands.register(entry(leg("OTHER"), signal_id="s"), held.delivery()) for _ in range(2)]
    assert [r.outcome for r in named] == [Outcome.BLOCKED, Outcome.DUPLICATE], (
        "a signal_id stays once for ever"
    )


def test_content_of_an_entry_that_a_limit_stopped_is_a_duplicate(held):
    limits = LimitBook(Limits(max_order_quantity=Decimal(10)))
    held.policies["default"] = replace(held.policies["default"], limits=limits)
    outcomes = [held.commands.register(entry(leg("OTHER")), held.delivery()).outcome for _ in range(2)]
    assert outcomes == [Outcome.BLOCKED, Outcome.DUPLICATE]


def test_the_entry_that_comes_before_its_exit_waits_for_it(held):
    (turn,) = held.post(TURN)
    assert turn.waits_for is WaitsFor.SETTLING
    spin(held, 2)
    held.post(MARKET_EXIT, **EXIT)
    spin(held, 3)
    assert held.order(turn.command_id).status is Status.EXECUTED
    assert net(held) == -50


def test_without_an_exit_it_is_a_duplicate_after_the_settling_time(held):
    (turn,) = held.post(TURN)
    spin(held, 2.5)
    assert held.order(turn.command_id).status is Status.CREATED
    spin(held, 2)
    turned = held.order(turn.command_id)
    assert turned.tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"
    assert "no exit came within 3 s" in (turned.reason_message or "")
    assert net(held) == 50


def test_the_settling_time_is_the_strategys(make_desk):
    desk = make_desk(strategy=StrategyPolicy(settling=timedelta(seconds=20)))
    desk.post()
    desk.settle()
    (turn,) = desk.post(TURN)
    spin(desk, 18)
    assert desk.order(turn.command_id).status is Status.CREATED
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 2)
    assert net(desk) == -50


def test_more_entries_than_one_allow_no_entry_against_the_holding(make_desk):
    desk = make_desk(limits=Limits(max_entries=3))
    desk.post()
    desk.settle()
    (turn,) = desk.post(TURN)
    spin(desk, 5)
    assert desk.order(turn.command_id).tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"


def test_what_turns_the_position_waits_for_a_target_that_rests(held):
    held.broker.fill_at_once = False
    held.post(TARGET, **EXIT)
    spin(held, 3)
    (turn,) = held.post(TURN)
    assert turn.waits_for is WaitsFor.EXIT
    spin(held, 5)
    held.broker.fill_at_once = True
    held.post(MARKET_EXIT, **EXIT)  # takes the target back
    spin(held, 10)
    assert held.order(turn.command_id).status is Status.EXECUTED
    assert net(held) == -50


def test_an_entry_of_the_same_side_does_not_wait_for_a_target_that_rests(make_desk):
    desk = make_desk(limits=Limits(max_entries=2))
    desk.post()
    desk.settle()
    desk.broker.fill_at_once = False
    desk.post(TARGET, **EXIT)
    spin(desk, 3)
    (more,) = desk.post(leg(price=Decimal(99)))
    assert more.waits_for is None
    spin(desk, 2)
    assert desk.order(more.command_id).phase is Phase.WORKING


def test_entering_again_waits_for_the_exit_too(held):
    held.post(MARKET_EXIT, **EXIT)
    (again,) = held.post(leg(price=Decimal(99)))
    assert again.waits_for is WaitsFor.EXIT
    spin(held, 3)
    assert held.order(again.command_id).status is Status.EXECUTED
    assert net(held) == 50


def test_while_one_entry_waits_another_is_a_duplicate(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    (turn,) = held.post(TURN)
    spin(held, 2)
    (second,) = held.post(leg(side=Side.SELL, price=Decimal(109)))
    held.broker.fill_at_once = True
    held.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    spin(held, 3)
    assert held.order(turn.command_id).status is Status.EXECUTED
    assert held.order(second.command_id).tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"
    assert net(held) == -50


def test_an_exit_that_fails_leaves_the_entry_unsent(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    (turn,) = held.post(TURN)
    spin(held, 4)
    held.broker.report("B00002", BrokerStatus.REJECTED)
    spin(held, 3)
    assert held.order(turn.command_id).tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"
    assert net(held) == 50


def test_other_rules_stop_it_while_it_waits(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    (turn,) = held.post(TURN)
    spin(held, 1)
    held.commands.halt("default", by="cli:ann", reason="lunch")
    spin(held, 6)
    assert held.order(turn.command_id).tag == "GUARD_BLOCKED:TRADING_HALTED"


def test_another_strategys_exit_is_not_waited_for(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    (other,) = held.post(leg(price=Decimal(99)), strategy_name="OTHER")
    assert other.waits_for is None


def test_an_exit_of_unknown_outcome_is_waited_for_within_its_life(held):
    held.broker.script = [("after", OutcomeUnknown("timed out"))]
    held.broker.traits = replace(held.broker.traits, visibility_horizon=3.0)
    held.post(MARKET_EXIT, **EXIT)
    held.engine.execute_next("default")
    (turn,) = held.post(TURN)
    assert turn.waits_for is WaitsFor.EXIT
    spin(held, 10)
    assert net(held) == -50


def test_a_watcher_that_begins_anew_goes_on_with_what_waits(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    (turn,) = held.post(TURN)
    spin(held, 1)
    held.replace_watcher()
    held.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    held.broker.fill_at_once = True
    held.look()
    spin(held, 8)
    assert held.order(turn.command_id).status is Status.EXECUTED
    assert net(held) == -50
    assert StrategyBook().default.settling == timedelta(seconds=3)


def test_an_exit_takes_back_all_entries_that_wait(held):
    held.broker.fill_at_once = False
    held.post(MARKET_EXIT, **EXIT)
    spin(held, 1)
    waiting = [held.post(leg(price=Decimal(price)))[0] for price in (98, 99)]
    assert {order.waits_for for order in waiting} == {WaitsFor.EXIT}
    held.post(MARKET_EXIT, signal_id="again", **EXIT)
    spin(held, 3)
    assert [held.order(o.command_id).tag for o in waiting] == ["NOT_SENT:CANCELLED_BEFORE_SENT"] * 2


@pytest.mark.parametrize("by_hand", [20, 50])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_entry_goes_after_an_exit_of_which_somebody_has_sent_a_part_by_hand(held, by_hand, side):
    held.clock.advance(40)
    sold_by_hand(held, -by_hand)
    held.look()
    (exit_,) = held.post(MARKET_EXIT, **EXIT)
    spin(held, 0.5)
    (after,) = held.post(leg(side=side, price=Decimal(110)))
    spin(held, 10)
    assert not held.order(exit_.command_id).may_be_live
    assert held.order(after.command_id).status is Status.EXECUTED
    assert net(held) == 50 * side.sign
    assert history_faults(held) == []
