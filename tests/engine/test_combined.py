"""A group that is protected as a whole, in the engine: prices, exits in their order, restarts, and what is told."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.combined import Combined, CombinedTerms, CombinedUnit
from domain.enums import OrderType, Side
from domain.errors import InvalidAlert, InvalidProtection, ReadFailed, Refused
from domain.leg_groups import GroupState, LegGroup
from domain.limits import GroupPolicy, StrategyPolicy
from domain.locks import Lock
from domain.notices import NoticeKind
from domain.protection import Rule
from domain.protection_terms import Terms
from tests.engine.promises import history_faults
from tests.engine.test_groups_unwound import nets, sent, told
from tests.engine.test_late_evidence import spin
from tests.support import EXIT, MARKET_EXIT, Desk, leg

CE, HEDGE = "NIFTY26NOV24500CE", "NIFTY26NOV25000CE"
SELL_CE = leg(CE, side=Side.SELL, price=Decimal("112.5"))
BUY_HEDGE = leg(HEDGE, price=Decimal(40))
MONEY = CombinedUnit.MONEY


def d(value: object) -> Decimal:
    return Decimal(str(value))


STOP = CombinedTerms(MONEY, stop_loss=d(1000), target=d(1500))


class Spread:
    """A desk whose engine has filled a sold call and its hedge, which are protected as a whole."""

    def __init__(
        self, desk: Desk, terms: CombinedTerms | None = STOP, *legs: object, is_filled: bool = True
    ) -> None:
        self.desk = desk
        self.legs = desk.post(*(legs or (SELL_CE, BUY_HEDGE)), combined=terms)  # type: ignore[arg-type]
        if is_filled:
            self.at("112.5", 40)

    def at(self, ce: object, hedge: object, seconds: float = 3) -> None:
        """Set the last prices, None for none, and let some seconds pass."""
        self.desk.broker.prices = {
            name: d(price) for name, price in ((CE, ce), (HEDGE, hedge)) if price is not None
        }
        spin(self.desk, seconds)

    @property
    def group(self) -> LegGroup:
        [group] = self.desk.store.groups_of_alert(self.legs[0].alert_id)
        return group

    @property
    def combined(self) -> Combined:
        assert self.group.combined is not None
        return self.group.combined

    @property
    def exits(self) -> list[tuple[str, str]]:
        return sent(self.desk)[2:]

    def kinds(self) -> list[NoticeKind]:
        of_it = (NoticeKind.STOP_FIRED, NoticeKind.TARGET_FIRED, NoticeKind.PROFIT_LOCKED, NoticeKind.TRAIL_ARMED,
                 NoticeKind.PROTECTION_UNKNOWN)  # fmt: skip
        return [n.kind for n in self.desk.notices if n.kind in of_it]


def test_a_combined_stop_exits_all_legs_once_sold_legs_first(make_desk):
    spread = Spread(make_desk())
    spread.at(130, "37.55")  # a loss of 997.50
    assert (spread.group.state, spread.exits) == (GroupState.COMPLETE, [])
    spread.at(130, "37.50", 8)
    assert spread.exits == [("BUY", CE), ("SELL", HEDGE)]
    assert nets(spread.desk) == {} and spread.group.state is GroupState.UNWOUND
    assert (spread.combined.fired_by, spread.combined.fired_profit) == (Rule.STOP, -1000)
    spread.at(200, 1, 30)
    assert len(spread.exits) == 2 and history_faults(spread.desk) == []
    [notice] = [n for n in spread.desk.notices if n.kind is NoticeKind.STOP_FIRED]
    assert "its profit of -1000 met the combined stop at -1000; all of it exits at market" in notice.detail
    assert f"SELL 50 {CE}, BUY 50 {HEDGE}" in notice.detail
    [over] = told(spread.desk, "is unwound")
    assert "It left: combined stop met" in over and told(spread.desk, "will not be complete") == []


def test_a_target_in_points_of_the_net_premium_counts_each_pair(make_desk):
    legs = (replace(SELL_CE, quantity=d(100)), BUY_HEDGE)
    spread = Spread(make_desk(), CombinedTerms(CombinedUnit.POINTS, target=d(20)), *legs)
    spread.at(103, "40.5")  # 9.5 twice and 0.5
    assert spread.exits == []
    spread.at(103, 41, 8)
    assert spread.combined.fired_by is Rule.TARGET and nets(spread.desk) == {}


@pytest.mark.parametrize("missing", [CE, HEDGE])
def test_a_missing_price_of_any_leg_makes_it_unknown_and_told_and_fires_nothing(make_desk, missing):
    spread = Spread(make_desk())
    spread.at(None if missing == CE else 200, None if missing == HEDGE else 1, 40)
    assert spread.exits == [] and spread.combined.is_unknown
    [notice] = [n for n in spread.desk.notices if n.kind is NoticeKind.PROTECTION_UNKNOWN]
    assert f"{missing}: no last price is known" in notice.detail
    spread.at(200, 1, 8)
    assert spread.combined.fired_by is Rule.STOP and nets(spread.desk) == {}


def test_prices_that_are_too_old_fire_nothing(make_desk):
    spread = Spread(make_desk())
    spread.desk.broker.positions_error = ReadFailed("away")
    spread.at(200, 1, 40)
    assert spread.exits == [] and spread.combined.is_unknown
    assert NoticeKind.PROTECTION_UNKNOWN in spread.kinds()


def test_a_leg_that_its_own_stop_has_closed_counts_with_what_it_realised(make_desk):
    own = replace(SELL_CE, protection=Terms(stop_loss="150"))
    spread = Spread(make_desk(), CombinedTerms(MONEY, target=d(640)), own, BUY_HEDGE)
    spread.at(151, 40, 6)  # its exit is filled at 100: 625 are realised
    assert nets(spread.desk) == {HEDGE: 50} and spread.combined.is_live
    spread.at(None, "40.25")
    assert spread.combined.is_live and not spread.combined.is_unknown
    spread.at(None, "40.30", 8)
    assert (spread.combined.fired_by, spread.combined.fired_profit) == (Rule.TARGET, 640)
    assert nets(spread.desk) == {} and spread.exits == [("BUY", CE), ("SELL", HEDGE)]


def test_a_lock_is_told_once_and_a_restart_goes_on_at_what_is_kept(make_desk):
    spread = Spread(make_desk(), CombinedTerms(MONEY, lock=Lock(d(1000), d(400), d(500), d(200))))
    spread.at("92.5", 40)
    assert (spread.combined.kept, spread.combined.locked_steps) == (400, 0)
    spread.at("82.5", 40)
    assert spread.combined.kept == 600
    spread.desk.replace_watcher()
    spread.desk.look(spread.desk.engine)
    spread.at("92.5", 40)
    assert spread.exits == [] and spread.combined.kept == 600
    spread.at("100.5", 40, 8)
    assert spread.combined.fired_by is Rule.LOCK and nets(spread.desk) == {}
    assert spread.kinds() == [NoticeKind.PROFIT_LOCKED, NoticeKind.STOP_FIRED]
    kinds = spread.desk.rows("SELECT kind FROM order_group_events WHERE kind IS NOT NULL ORDER BY event_id")
    assert kinds == [("OPENED",), ("LOCKED",), ("LOCK_STEPPED",), ("FIRED",)]


def test_a_watcher_that_dies_while_the_group_leaves_is_followed_by_one_that_goes_on(make_desk):
    spread = Spread(make_desk())

    def dies(command):
        if command.symbol == CE:
            raise SystemExit

    spread.desk.broker.before_place = dies
    with pytest.raises(SystemExit):
        spread.at(150, 40, 8)
    spread.desk.broker.before_place = lambda command: None
    spread.desk.replace_watcher()
    spread.desk.look(spread.desk.engine)
    spread.at(100, 40, 40)  # the price is back: what was met is met
    assert spread.exits == [("BUY", CE), ("SELL", HEDGE)] and nets(spread.desk) == {}
    assert spread.kinds() == [NoticeKind.STOP_FIRED]


def test_two_watchers_let_it_leave_once(make_desk):
    spread = Spread(make_desk())
    other = spread.desk.new_engine("watcher-2")
    spread.desk.look(other)
    spread.desk.broker.prices = {CE: d(150), HEDGE: d(40)}
    for _ in range(20):
        spread.desk.engine.tick()
        other.tick()
        spread.desk.clock.advance(0.5)
    assert spread.exits == [("BUY", CE), ("SELL", HEDGE)] and nets(spread.desk) == {}


def test_while_a_leg_still_rests_it_is_taken_back_and_what_is_filled_leaves(make_desk):
    desk = make_desk(
        strategy=StrategyPolicy(group=GroupPolicy.BEST_EFFORT, group_timeout=timedelta(minutes=5))
    )
    desk.broker.before_place = lambda command: setattr(desk.broker, "fill_at_once", command.symbol != CE)
    spread = Spread(desk, STOP, leg(CE, price=d("112.5")), BUY_HEDGE)
    assert spread.group.state is GroupState.INCOMPLETE
    spread.at("112.5", 19, 8)
    assert len(desk.broker.cancelled) == 1 and nets(desk) == {}
    assert spread.exits == [("SELL", HEDGE)] and spread.group.state is GroupState.UNWOUND


def test_a_price_that_meets_a_legs_own_stop_and_the_groups_turns_no_position(make_desk):
    own = replace(SELL_CE, protection=Terms(stop_loss="150"))
    spread = Spread(make_desk(), STOP, own, replace(BUY_HEDGE, protection=Terms(stop_loss="20")))
    spread.at(151, 19, 20)
    assert nets(spread.desk) == {} and spread.group.state is GroupState.UNWOUND
    bought = [c.quantity for c in spread.desk.broker.placed[2:] if c.symbol == CE]
    assert sum(bought) == 50 and history_faults(spread.desk) == []


def test_after_the_strategys_exit_nothing_is_watched_any_more(make_desk):
    spread = Spread(make_desk())
    close = replace(MARKET_EXIT, order_type=OrderType.MARKET)
    spread.desk.post(close, replace(close, symbol=HEDGE), **EXIT)
    spread.at(112, 40, 10)
    assert nets(spread.desk) == {} and not spread.combined.is_live
    assert spread.desk.store.open_groups("default") == []
    assert spread.kinds() == []


def test_a_person_ends_it_and_its_legs_stay(make_desk):
    own = replace(SELL_CE, protection=Terms(stop_loss="150"))
    spread = Spread(make_desk(), STOP, own, BUY_HEDGE)
    commands, group_id = spread.desk.commands, spread.group.group_id
    with pytest.raises(InvalidProtection):
        commands.cancel_protection(group_id, by="ann", reason=" ")
    commands.cancel_protection(group_id, by="ann", reason="held over night")
    assert not spread.combined.is_live and spread.desk.store.open_groups("default") == []
    spread.at(140, 40, 6)
    assert spread.exits == []
    with pytest.raises(InvalidProtection):
        commands.cancel_protection(group_id, by="ann", reason="again")
    spread.at(150, 40, 6)
    assert spread.exits == [("BUY", CE)]  # the stop of its own


def test_what_its_strategy_has_for_it_protects_a_group_that_brings_nothing(make_desk):
    desk = make_desk(strategy=StrategyPolicy(combined=STOP))
    spread = Spread(desk, None)
    assert spread.combined.terms == STOP
    single = desk.post(leg("OTHER"))
    assert desk.store.groups_of_alert(single[0].alert_id) == []


@pytest.mark.parametrize(
    ("strategy", "legs"),
    [(StrategyPolicy(group=GroupPolicy.INDEPENDENT), (SELL_CE, BUY_HEDGE)), (StrategyPolicy(), (SELL_CE,))],
)
def test_entries_that_are_no_group_cannot_be_protected_as_one(make_desk, strategy, legs):
    desk = make_desk(strategy=strategy)
    with pytest.raises(InvalidAlert, match="expected several entries that are a group"):
        desk.post(*legs, combined=STOP)
    assert desk.rows("SELECT count(*) FROM orders") == [(0,)]


def test_an_exit_that_is_refused_is_asked_for_again_and_its_hedge_waits(make_desk):
    spread = Spread(make_desk())
    refusals = iter((True, True))

    def before(command):
        if command.symbol == CE and next(refusals, False):
            raise Refused("RMS", "no margin")

    spread.desk.broker.before_place = before
    spread.at(150, 40, 25)
    assert spread.exits == [("BUY", CE), ("SELL", HEDGE)] and nets(spread.desk) == {}
