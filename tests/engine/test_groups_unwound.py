"""A group that is all or none is unwound: what is open is cancelled, and what was filled leaves, sold legs first."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest

from domain.account_state import AccountState
from domain.broker_reports import BrokerStatus
from domain.enums import Side
from domain.errors import OutcomeUnknown, Refused
from domain.leg_groups import GroupState, LegGroup
from domain.limits import ClientPolicy, GroupPolicy, Limits, StrategyPolicy, WhenIncomplete
from domain.states import Phase, Status
from domain.times import day_start, trading_day
from tests.engine.promises import history_faults
from tests.engine.test_late_evidence import accepts_late, spin
from tests.support import START, Desk, leg

SOLD = leg("NIFTY26NOV24500CE", side=Side.SELL)
SECOND = leg("NIFTY26NOV24500PE", side=Side.SELL)
HEDGE = leg("NIFTY26NOV25000CE")
OTHER = leg("NIFTY26NOV24000PE")
ALL_OR_NONE = StrategyPolicy(group=GroupPolicy.ALL_OR_NONE, group_timeout=timedelta(seconds=20))
BEST_EFFORT = StrategyPolicy(
    group=GroupPolicy.BEST_EFFORT, group_timeout=timedelta(seconds=20), group_minimum=2
)


def the_group(desk: Desk) -> LegGroup:
    [(alert_id,)] = desk.rows("SELECT DISTINCT alert_id FROM order_groups")
    [group] = desk.store.groups_of_alert(str(alert_id))
    return group


def sent(desk: Desk) -> list[tuple[str, str]]:
    return [(c.side.value, c.symbol) for c in desk.broker.placed]


def nets(desk: Desk) -> dict[str, Decimal]:
    return {p.symbol: p.net_quantity for p in desk.broker.read_positions().positions if p.net_quantity}


def told(desk: Desk, words: str) -> list[str]:
    return [n.detail for n in desk.notices if words in n.detail]


def refuse(desk: Desk, symbol: str) -> None:
    def before(command):
        if command.symbol == symbol and command.execution_type == "ENTRY":
            raise Refused("RMS", "no margin")

    desk.broker.before_place = before


def test_a_group_that_is_filled_is_complete(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    desk.post(SOLD, HEDGE)
    assert the_group(desk).state is GroupState.FORMING
    spin(desk, 3)
    assert the_group(desk).state is GroupState.COMPLETE
    spin(desk, 30)
    assert sent(desk) == [("BUY", HEDGE.symbol), ("SELL", SOLD.symbol)]
    assert told(desk, "the group") == []


def test_where_one_leg_is_rejected_the_filled_one_is_sold_again_and_people_are_told(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    refuse(desk, SOLD.symbol)
    desk.post(SOLD, HEDGE)
    spin(desk, 5)
    assert sent(desk) == [("BUY", HEDGE.symbol), ("SELL", HEDGE.symbol)]
    assert nets(desk) == {}
    group = the_group(desk)
    assert group.state is GroupState.UNWOUND
    [begun] = told(desk, "will not be complete")
    assert SOLD.symbol in begun and f"BUY 50 of 50 {HEDGE.symbol}" in begun and "unwound" in begun
    [ended] = told(desk, "is unwound:")
    assert f"50 of {HEDGE.symbol} sold again" in ended
    assert told(desk, "live without it") == []
    spin(desk, 30)
    assert len(sent(desk)) == 2 and history_faults(desk) == []


def test_sold_legs_are_bought_back_before_their_hedge_is_sold(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    refuse(desk, SECOND.symbol)
    desk.post(SOLD, SECOND, HEDGE)
    spin(desk, 6)
    assert sent(desk) == [
        ("BUY", HEDGE.symbol),
        ("SELL", SOLD.symbol),
        ("BUY", SOLD.symbol),
        ("SELL", HEDGE.symbol),
    ]
    assert nets(desk) == {} and the_group(desk).state is GroupState.UNWOUND


def test_the_hedge_stays_while_the_buying_back_is_not_filled_and_that_is_told(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    refuse(desk, SECOND.symbol)
    desk.post(SOLD, SECOND, HEDGE)
    spin(desk, 1)
    desk.broker.fill_at_once = False
    spin(desk, 25)
    assert sent(desk)[2:] == [("BUY", SOLD.symbol)]
    assert nets(desk) == {HEDGE.symbol: 50, SOLD.symbol: -50}
    [waits] = told(desk, "is not unwound yet")
    assert SOLD.symbol in waits
    desk.broker.fill_at_once = True
    desk.broker.report("B00003", BrokerStatus.COMPLETE, 50)
    spin(desk, 5)
    assert sent(desk)[3:] == [("SELL", HEDGE.symbol)] and nets(desk) == {}


def test_what_is_not_filled_in_time_is_cancelled_and_the_rest_is_unwound(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    desk.broker.fill_at_once = False
    desk.post(SOLD, HEDGE, OTHER)
    spin(desk, 2)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.broker.report("B00002", BrokerStatus.OPEN, 20)
    spin(desk, 10)
    assert the_group(desk).state is GroupState.INCOMPLETE and desk.broker.cancelled == []
    desk.broker.fill_at_once = True
    spin(desk, 12)
    assert desk.broker.cancelled == ["B00002"]
    assert the_group(desk).state is GroupState.UNWOUND and nets(desk) == {}
    assert sorted(sent(desk)[2:]) == [("SELL", OTHER.symbol), ("SELL", HEDGE.symbol)]
    assert "not filled within 20 s" in told(desk, "will not be complete")[0]


def with_one_leg_filled(make_desk) -> Desk:
    """A desk that holds the first of three legs, and whose orders are filled at once from now on."""
    desk = make_desk(strategy=ALL_OR_NONE)
    desk.broker.fill_at_once = False
    desk.post(SOLD, HEDGE, OTHER)
    spin(desk, 1)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    spin(desk, 1)
    desk.broker.fill_at_once = True
    return desk


def test_a_group_is_unwound_and_not_completed_while_entries_are_halted(make_desk):
    desk = with_one_leg_filled(make_desk)
    desk.commands.halt("default", by="cli:ann", reason="lunch")
    spin(desk, 6)
    assert the_group(desk).state is GroupState.UNWOUND and nets(desk) == {}
    assert "halted (lunch)" in told(desk, "will not be complete")[0]


def test_a_group_is_completed_while_entries_may_only_reduce_and_none_is_begun(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    desk.broker.fill_at_once = False
    desk.post(SOLD, HEDGE)
    spin(desk, 1)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.commands.set_state("default", None, AccountState.REDUCING, by="cli:ann", reason="tired")
    desk.broker.fill_at_once = True
    spin(desk, 4)
    assert the_group(desk).state is GroupState.COMPLETE and nets(desk) == {HEDGE.symbol: 50, SOLD.symbol: -50}
    later = desk.post(SECOND, OTHER, strategy_name="LATER")
    assert {order.status for order in later} == {Status.FAILED}


def test_a_group_is_completed_after_the_time_from_which_entries_only_reduce(make_desk):
    limits = Limits(reducing_from=time(15, 10))
    desk = make_desk(strategy=ALL_OR_NONE, limits=limits)
    policy = desk.policies["default"]
    desk.clock.at = at_clock(policy, time(15, 9, 57))
    desk.look()
    desk.broker.fill_at_once = False
    desk.post(SOLD, HEDGE)
    spin(desk, 1)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.clock.at = at_clock(policy, time(15, 10, 1))
    desk.broker.fill_at_once = True
    spin(desk, 4)
    assert the_group(desk).state is GroupState.COMPLETE and nets(desk) == {HEDGE.symbol: 50, SOLD.symbol: -50}
    later = desk.post(SECOND, OTHER, strategy_name="LATER")
    assert {order.tag for order in later} & {"RISK_BLOCKED:REDUCING_ONLY"}


def at_clock(policy: ClientPolicy, clock: time) -> datetime:
    """The client's time of day on the day on which a desk begins."""
    return day_start(trading_day(START, policy.zone, policy.day_starts), policy.zone, clock)


def test_an_unknown_leg_is_not_guessed_and_what_need_not_wait_for_it_goes(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    accepts_late(desk, 30)
    desk.broker.script = [None, None, OutcomeUnknown("timed out")]
    _, second, _ = desk.post(SOLD, SECOND, HEDGE)
    for _ in range(5):
        desk.engine.execute_next("default")
        desk.engine.reconcile("default")
        desk.clock.advance(0.3)
    assert desk.order(second.command_id).phase is Phase.UNKNOWN
    desk.commands.halt("default", by="cli:ann", reason="lunch")
    spin(desk, 18)
    # The sold leg that is known is bought back; the hedge stays while the other one may be sold.
    assert sent(desk)[2:] == [("BUY", SOLD.symbol)]
    assert SECOND.symbol in told(desk, "is not unwound yet")[0]
    spin(desk, 90)
    assert desk.order(second.command_id).phase is Phase.ABSENT
    assert sent(desk)[3:] == [("SELL", HEDGE.symbol)] and nets(desk) == {}


def test_a_leg_that_is_filled_after_its_group_was_unwound_leaves_too(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    refuse(desk, SOLD.symbol)
    desk.broker.fill_at_once = False
    *_, late = desk.post(SOLD, HEDGE, OTHER)
    spin(desk, 1)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.broker.report("B00002", BrokerStatus.REJECTED)
    desk.broker.fill_at_once = True
    spin(desk, 6)
    assert the_group(desk).state is GroupState.UNWOUND
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    desk.engine.nudge("default")
    spin(desk, 20)
    assert desk.order(late.command_id).status is Status.EXECUTED
    assert the_group(desk).state is GroupState.UNWOUND and nets(desk) == {}


def test_an_exit_that_fails_is_asked_for_again_and_in_the_end_a_person_is(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)

    def before(command):
        if command.symbol == SOLD.symbol or command.execution_type == "EXIT":
            raise Refused("RMS", "not now")

    desk.broker.before_place = before
    desk.post(SOLD, HEDGE)
    for _ in range(60):
        desk.engine.tick()
        desk.clock.advance(6)
    assert the_group(desk).state is GroupState.LEFT_TO_PERSON
    [(exits,)] = desk.rows("SELECT count(*) FROM orders WHERE execution_type = 'EXIT'")
    assert exits == 8
    [left] = told(desk, "could not be unwound")
    assert f"BUY 50 of 50 {HEDGE.symbol}" in left and "by hand" in left


def test_what_a_person_has_closed_meanwhile_is_not_exited_again(make_desk):
    desk = with_one_leg_filled(make_desk)
    desk.commands.flatten(desk.commands.parts_to_flatten("default"), by="cli:ann")
    spin(desk, 30)
    assert sent(desk).count(("SELL", HEDGE.symbol)) == 1 and nets(desk) == {}


def test_two_watchers_and_a_crash_ask_for_one_exit(make_desk):
    desk = make_desk(strategy=ALL_OR_NONE)
    refuse(desk, SOLD.symbol)
    desk.post(SOLD, HEDGE)
    other = desk.new_engine("watcher-2")
    desk.look(other)
    for _ in range(12):
        for engine in (desk.engine, other):
            engine.protect("default")
            engine.execute_next("default")
            engine.reconcile("default")
        desk.clock.advance(0.3)
    assert sent(desk) == [("BUY", HEDGE.symbol), ("SELL", HEDGE.symbol)]
    assert len(told(desk, "will not be complete")) == 1


def test_a_minimum_of_legs_is_enough_where_the_policy_says_so(make_desk):
    desk = make_desk(strategy=BEST_EFFORT)
    refuse(desk, OTHER.symbol)
    third = leg("NIFTY26NOV23000PE")
    desk.post(HEDGE, OTHER, third)
    spin(desk, 5)
    assert the_group(desk).state is GroupState.COMPLETE and the_group(desk).why == "2 of 3 legs"
    assert nets(desk) == {HEDGE.symbol: 50, third.symbol: 50}


def test_and_below_it_the_group_is_unwound(make_desk):
    desk = make_desk(strategy=replace(BEST_EFFORT, group_minimum=3))
    refuse(desk, OTHER.symbol)
    desk.post(HEDGE, OTHER, leg("NIFTY26NOV23000PE"))
    spin(desk, 8)
    assert the_group(desk).state is GroupState.UNWOUND and nets(desk) == {}


@pytest.mark.parametrize("policy", [GroupPolicy.HEDGE_FIRST, None])
def test_hedges_first_is_told_and_left_to_a_person_unless_it_is_to_be_unwound(make_desk, policy):
    desk = make_desk(strategy=StrategyPolicy(group=policy))
    refuse(desk, SOLD.symbol)
    desk.post(SOLD, HEDGE)
    spin(desk, 8)
    assert the_group(desk).state is GroupState.LEFT_TO_PERSON and nets(desk) == {HEDGE.symbol: 50}
    assert len(told(desk, "live without it")) == 1 and told(desk, "the group") == []


def test_hedges_first_can_be_unwound(make_desk):
    desk = make_desk(
        strategy=StrategyPolicy(group=GroupPolicy.HEDGE_FIRST, group_incomplete=WhenIncomplete.UNWIND)
    )
    refuse(desk, SOLD.symbol)
    desk.post(SOLD, HEDGE)
    spin(desk, 8)
    assert the_group(desk).state is GroupState.UNWOUND and nets(desk) == {}
