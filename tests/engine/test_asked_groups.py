"""An alert names its group policy itself: it holds in place of its strategy's, from its registration to its end."""

from datetime import timedelta

import pytest

from domain.enums import Side
from domain.errors import InvalidAlert, Refused
from domain.leg_groups import GroupState
from domain.limits import GroupPolicy, StrategyPolicy, WhenIncomplete
from domain.states import Status
from tests.engine.test_combined import STOP
from tests.engine.test_groups_unwound import BEST_EFFORT, HEDGE, SOLD, nets, sent, the_group, told
from tests.engine.test_late_evidence import spin
from tests.support import Desk, leg

INDEPENDENT = StrategyPolicy(group=GroupPolicy.INDEPENDENT)


def refuse(desk: Desk, symbol: str) -> None:
    def before(command):
        if command.symbol == symbol and command.execution_type == "ENTRY":
            raise Refused("RMS", "no margin")

    desk.broker.before_place = before


@pytest.mark.parametrize("strategy", [INDEPENDENT, StrategyPolicy(), BEST_EFFORT])
def test_all_or_none_of_an_alert_is_unwound_whatever_its_strategy_says(make_desk, strategy):
    desk = make_desk(strategy=strategy)
    refuse(desk, SOLD.symbol)
    desk.post(SOLD, HEDGE, group=GroupPolicy.ALL_OR_NONE)
    spin(desk, 6)
    assert desk.rows("SELECT count(*) FROM order_groups") == [(1,)]
    group = the_group(desk)
    assert (group.policy, group.when_incomplete) == (GroupPolicy.ALL_OR_NONE, WhenIncomplete.UNWIND)
    assert sent(desk) == [("BUY", HEDGE.symbol), ("SELL", HEDGE.symbol)]
    assert nets(desk) == {} and group.state is GroupState.UNWOUND


def test_a_sold_leg_waits_for_its_hedge_where_only_the_alert_asks_for_it(make_desk):
    desk = make_desk(strategy=INDEPENDENT)
    refuse(desk, HEDGE.symbol)
    sold, hedge = desk.post(SOLD, HEDGE, group=GroupPolicy.HEDGE_FIRST)
    spin(desk, 6)
    assert sent(desk) == []
    assert {desk.order(each.command_id).status for each in (sold, hedge)} == {Status.FAILED}
    assert desk.order(sold.command_id).tag == "GUARD_BLOCKED:GROUP_INCOMPLETE"


@pytest.mark.parametrize("strategy", [StrategyPolicy(), StrategyPolicy(group=GroupPolicy.ALL_OR_NONE)])
def test_independent_legs_of_an_alert_go_by_themselves(make_desk, strategy):
    desk = make_desk(strategy=strategy)
    refuse(desk, HEDGE.symbol)
    desk.post(SOLD, HEDGE, group=GroupPolicy.INDEPENDENT)
    spin(desk, 6)
    assert sent(desk) == [("SELL", SOLD.symbol)] and nets(desk) == {SOLD.symbol: -50}
    assert desk.rows("SELECT count(*) FROM order_groups") == [(0,)]
    assert told(desk, "the group") == [] == told(desk, "live without it")


def test_a_part_of_the_group_is_not_enough_where_the_alert_says_so(make_desk):
    """The strategy takes a minimum of legs; the alert wants all or none, also when one is blocked at its claim."""
    minimum = StrategyPolicy(
        group=GroupPolicy.BEST_EFFORT, group_timeout=timedelta(seconds=20), group_minimum=1
    )
    desk = make_desk(strategy=minimum)
    desk.broker.fill_at_once = False
    refuse(desk, "OTHER1")
    bought = [leg("OTHER1"), leg("OTHER2")]
    desk.post(*bought, leg("OTHER3", side=Side.SELL), group=GroupPolicy.ALL_OR_NONE)
    spin(desk, 25)
    assert ("SELL", "OTHER3") not in sent(desk) and nets(desk) == {}
    assert the_group(desk).state is GroupState.UNWOUND


def test_what_protects_a_group_is_refused_beside_independent_legs(make_desk):
    desk = make_desk()
    with pytest.raises(
        InvalidAlert, match="expected several entries that are a group, got 2 with group = independent"
    ):
        desk.post(SOLD, HEDGE, group=GroupPolicy.INDEPENDENT, combined=STOP)
