"""The entries of one alert are judged together, and the bought ones go first."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, OrderRef
from domain.entry_waits import WaitsFor
from domain.enums import Outcome, Side
from domain.errors import NotSent, OutcomeUnknown, Refused
from domain.limits import Limits
from domain.states import Phase, Status
from tests.engine.promises import history_faults
from tests.engine.test_late_evidence import accepts_late, net, spin
from tests.support import EXIT, INDEPENDENT, MARKET_EXIT, Desk, entry, leg

SOLD = leg("NIFTY26NOV24500CE", side=Side.SELL)
HEDGE = leg("NIFTY26NOV25000CE")
OTHER = leg("NIFTY26NOV24000PE")


def tags(desk: Desk, *orders) -> list[str | None]:
    return [desk.order(o.command_id).tag for o in orders]


def test_where_one_leg_is_blocked_all_are_and_name_it(make_desk):
    desk = make_desk(limits=Limits(max_open_orders=5))
    desk.broker.fill_at_once = False
    desk.post(*(leg(f"S{n}") for n in range(4)), strategy_name="FOUR")
    spin(desk, 2)
    receipt = desk.commands.register(entry(SOLD, HEDGE), desk.delivery())
    assert receipt.outcome is Outcome.BLOCKED
    sold, hedge = receipt.legs
    assert [sold.tag, hedge.tag] == ["GUARD_BLOCKED:GROUP_INCOMPLETE", "RISK_BLOCKED:MAX_OPEN_ORDERS"]
    assert HEDGE.symbol in (sold.reason_message or "") and "MAX_OPEN_ORDERS" in (sold.reason_message or "")
    spin(desk, 2)
    assert len(desk.broker.placed) == 4


def test_each_leg_that_has_a_reason_of_its_own_shows_it(make_desk):
    desk = make_desk(limits=Limits(max_order_quantity=Decimal(40)))
    assert [o.tag for o in desk.post(SOLD, HEDGE)] == ["RISK_BLOCKED:MAX_ORDER_QUANTITY"] * 2


def test_legs_that_have_nothing_to_do_with_each_other_go_for_themselves(make_desk):
    desk = make_desk(limits=Limits(max_open_orders=1), strategy=INDEPENDENT)
    first, second = desk.post(SOLD, HEDGE)
    assert [first.tag, second.tag] == [None, "RISK_BLOCKED:MAX_OPEN_ORDERS"]
    assert first.waits_for is None


def test_exits_of_one_alert_are_never_a_group(desk):
    desk.post(HEDGE)
    desk.settle()
    flat, closes = desk.post(MARKET_EXIT, replace(MARKET_EXIT, symbol=HEDGE.symbol), **EXIT)
    desk.settle()
    assert tags(desk, flat, closes) == ["GUARD_BLOCKED:NO_POSITION", None]


def test_a_sold_leg_waits_until_the_bought_ones_are_filled(desk):
    desk.broker.fill_at_once = False
    sold, hedge = desk.post(SOLD, HEDGE)
    assert (sold.waits_for, hedge.waits_for) == (WaitsFor.GROUP, None)
    spin(desk, 3)
    assert [c.symbol for c in desk.broker.placed] == [HEDGE.symbol]
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    spin(desk, 8)
    assert len(desk.broker.placed) == 1
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.broker.fill_at_once = True
    spin(desk, 2)
    assert [c.symbol for c in desk.broker.placed] == [HEDGE.symbol, SOLD.symbol]
    assert tags(desk, sold, hedge) == [None, None]
    assert history_faults(desk) == []


@pytest.mark.parametrize("how", ["refused", "rejected", "cancelled after a part"])
def test_where_a_bought_leg_fails_the_sold_one_is_not_sent_and_what_is_live_is_told(desk, how):
    desk.broker.fill_at_once = False
    if how == "refused":
        desk.broker.script = [None, Refused("RMS", "no margin")]
    sold, *_ = desk.post(SOLD, HEDGE, OTHER)
    spin(desk, 2)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    if how == "rejected":
        desk.broker.report("B00002", BrokerStatus.REJECTED)
    elif how == "cancelled after a part":
        desk.broker.report("B00002", BrokerStatus.CANCELLED, 20)
    spin(desk, 3)
    assert desk.order(sold.command_id).tag == "GUARD_BLOCKED:GROUP_INCOMPLETE"
    assert {c.symbol for c in desk.broker.placed} <= {HEDGE.symbol, OTHER.symbol}
    told = [n.detail for n in desk.notices if "live without it" in n.detail]
    assert len(told) == 1 and HEDGE.symbol in told[0] and "flatten" in told[0]
    assert (OTHER.symbol in told[0].partition("live without it")[2]) is (how == "cancelled after a part")


def test_where_the_alerts_life_ends_before_the_bought_leg_is_filled_the_sold_one_is_not_sent(desk):
    desk.broker.fill_at_once = False
    sold, hedge = desk.post(SOLD, HEDGE)
    spin(desk, 2)
    desk.clock.advance(300)
    spin(desk, 6)
    assert desk.order(sold.command_id).tag == "GUARD_BLOCKED:GROUP_INCOMPLETE"
    assert desk.order(hedge.command_id).phase is Phase.WORKING
    assert any("live without it" in n.detail and HEDGE.symbol in n.detail for n in desk.notices)


def test_a_leg_that_is_blocked_at_its_claim_stops_those_that_were_not_sent(desk):
    first, second, third = desk.post(HEDGE, OTHER, SOLD)
    desk.engine.execute_next("default")
    desk.commands.halt("default", by="cli:ann", reason="lunch")
    spin(desk, 2)
    assert desk.order(first.command_id).status is Status.EXECUTED
    assert tags(desk, second, third) == ["GUARD_BLOCKED:TRADING_HALTED", "GUARD_BLOCKED:GROUP_INCOMPLETE"]
    assert sum("live without it" in n.detail for n in desk.notices) == 1


def test_where_one_leg_waits_for_its_exit_none_goes_alone(desk):
    desk.post(leg(SOLD.symbol))
    desk.settle()
    sold, hedge = desk.post(SOLD, HEDGE)
    assert (sold.waits_for, hedge.waits_for) == (WaitsFor.SETTLING, WaitsFor.GROUP)
    spin(desk, 1)
    assert len(desk.broker.placed) == 1
    desk.post(replace(MARKET_EXIT, symbol=SOLD.symbol), **EXIT)
    spin(desk, 4)
    assert tags(desk, sold, hedge) == [None, None]
    assert net(desk) == 0  # one sold, one bought
    assert [c.symbol for c in desk.broker.placed][2:] == [HEDGE.symbol, SOLD.symbol]


def test_and_where_no_exit_comes_none_goes(desk):
    desk.post(leg(SOLD.symbol))
    desk.settle()
    sold, hedge = desk.post(SOLD, HEDGE)
    spin(desk, 9)
    assert tags(desk, sold, hedge) == [
        "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED",
        "GUARD_BLOCKED:GROUP_INCOMPLETE",
    ]
    assert len(desk.broker.placed) == 1


def test_a_group_that_was_stopped_for_the_moment_may_come_again(desk):
    desk.clock.advance(120)
    first = desk.commands.register(entry(SOLD, HEDGE), desk.delivery())
    assert {o.tag for o in first.legs} == {"GUARD_BLOCKED:POSITIONS_STALE"}
    desk.engine.refresh("default", force=True)
    assert desk.commands.register(entry(SOLD, HEDGE), desk.delivery()).outcome is Outcome.ACCEPTED


def test_a_bought_leg_that_is_refused_stops_the_other_and_is_told(desk):
    desk.broker.script = [NotSent("busy"), Refused("RMS", "no margin")]
    first, second = desk.post(HEDGE, OTHER)
    spin(desk, 3)
    assert {desk.order(o.command_id).tag for o in (first, second)} == {
        "BROKER_REJECTED:no margin",
        "GUARD_BLOCKED:GROUP_INCOMPLETE",
    }
    assert desk.broker.placed == []


def test_a_sold_leg_that_is_rejected_beside_its_hedge_is_told(desk):
    sold, hedge = desk.post(SOLD, HEDGE)
    desk.broker.script = [None, Refused("RMS", "no margin")]
    spin(desk, 3)
    assert [desk.order(o.command_id).status for o in (sold, hedge)] == [Status.FAILED, Status.EXECUTED]
    assert sum("live without it" in n.detail and HEDGE.symbol in n.detail for n in desk.notices) == 1


def test_a_leg_that_may_have_been_taken_is_not_called_blocked_and_its_look_tells(desk):
    ended = NotSent("Session Expired", look_first=True)
    desk.broker.script = [("after", ended), Refused("RMS", "no margin")]
    first, second = desk.post(HEDGE, OTHER)
    desk.engine.execute_next("default")
    desk.engine.execute_next("default")
    assert desk.order(second.command_id).status is Status.FAILED
    assert desk.order(first.command_id).phase is Phase.REGISTERED
    spin(desk, 3)
    assert desk.order(first.command_id).status is Status.EXECUTED
    assert len(desk.broker.placed) == 1
    assert sum("live without it" in n.detail and HEDGE.symbol in n.detail for n in desk.notices) == 1


def test_a_leg_that_was_turned_away_is_not_sent_where_another_failed_meanwhile(desk):
    desk.broker.script = [NotSent("Session Expired", look_first=True), Refused("RMS", "no margin")]
    first, _ = desk.post(HEDGE, OTHER)
    spin(desk, 3)
    assert desk.order(first.command_id).tag == "GUARD_BLOCKED:GROUP_INCOMPLETE"
    assert desk.broker.placed == []


def live_without(desk: Desk) -> list[str]:
    """What people were told of legs that are live alone."""
    return [n.detail.partition("live without it: ")[2] for n in desk.notices if "live without" in n.detail]


def test_where_a_person_cancels_a_leg_that_was_not_sent_the_other_is_not_sent(desk):
    first, second = desk.post(HEDGE, OTHER)
    desk.commands.cancel(first.command_id, by="cli:ann")
    spin(desk, 3)
    other = desk.order(second.command_id)
    assert other.tag == "GUARD_BLOCKED:GROUP_INCOMPLETE" and HEDGE.symbol in (other.reason_message or "")
    assert desk.broker.placed == [] and live_without(desk) == []
    [notice] = [n for n in desk.notices if n.order is not None and n.order.command_id == second.command_id]
    assert not notice.by, "a rule has blocked it, no person"


def test_where_a_person_says_that_a_leg_failed_the_rest_is_not_sent_and_what_is_live_is_told(desk):
    accepts_late(desk, 600)
    desk.broker.script = [None, OutcomeUnknown("timed out")]
    first, second, third = desk.post(HEDGE, OTHER, leg("NIFTY26NOV24000CE"))
    desk.engine.execute_next("default")
    desk.engine.execute_next("default")
    assert desk.order(second.command_id).phase is Phase.UNKNOWN
    desk.commands.resolve(second.command_id, by="cli:ann", failed_reason="not in the terminal")
    spin(desk, 5)
    assert desk.order(third.command_id).tag == "GUARD_BLOCKED:GROUP_INCOMPLETE"
    assert [c.symbol for c in desk.broker.placed] == [HEDGE.symbol]
    told = "".join(live_without(desk))
    assert len(live_without(desk)) == 1
    assert desk.order(first.command_id).short_id in told and OTHER.symbol not in told


def test_where_a_person_cancels_a_live_leg_the_rest_is_not_sent_and_what_is_live_is_told(desk):
    desk.broker.fill_at_once = False
    first, second, third = desk.post(HEDGE, OTHER, leg("NIFTY26NOV24000CE"))
    desk.engine.execute_next("default")
    desk.engine.execute_next("default")
    desk.commands.cancel(first.command_id, by="cli:ann")
    desk.broker.cancel(OrderRef.of(desk.order(first.command_id)))
    desk.engine.reconcile("default")
    spin(desk, 15)
    assert tags(desk, first, second, third) == ["BROKER_CANCELLED", None, "GUARD_BLOCKED:GROUP_INCOMPLETE"]
    told = "".join(live_without(desk))
    assert len(live_without(desk)) == 1
    assert OTHER.symbol in told and HEDGE.symbol not in told


def test_a_leg_whose_cancel_is_on_its_way_too_is_told_as_that(desk):
    desk.broker.fill_at_once = False
    first, second = desk.post(HEDGE, OTHER)
    spin(desk, 3)
    number = desk.order(second.command_id).broker_order_id
    cancel = desk.broker.cancel
    desk.broker.cancel = lambda ref: None if ref.broker_order_id == number else cancel(ref)
    for each in (first, second):
        desk.commands.cancel(each.command_id, by="cli:ann")
    spin(desk, 15)
    told = "".join(live_without(desk))
    assert len(live_without(desk)) == 1
    assert OTHER.symbol in told and "its cancel was requested" in told


def test_where_an_exit_takes_a_leg_back_that_was_not_sent_the_other_is_not_sent(desk):
    first, second = desk.post(HEDGE, OTHER)
    desk.post(replace(MARKET_EXIT, symbol=HEDGE.symbol), **EXIT)
    spin(desk, 5)
    assert tags(desk, first, second) == ["NOT_SENT:CANCELLED_BEFORE_SENT", "GUARD_BLOCKED:GROUP_INCOMPLETE"]
    assert desk.broker.placed == []


def test_what_an_exit_takes_back_is_not_told_as_a_leg_that_is_missing(desk):
    desk.broker.fill_at_once = False
    desk.post(HEDGE, OTHER)
    spin(desk, 3)
    desk.post(replace(MARKET_EXIT, symbol=HEDGE.symbol), replace(MARKET_EXIT, symbol=OTHER.symbol), **EXIT)
    spin(desk, 15)
    assert len(desk.broker.cancelled) == 2 and live_without(desk) == []
