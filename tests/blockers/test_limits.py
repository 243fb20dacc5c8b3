"""Stops, trades of a day, positions, exposure and cooldowns: at, below and above each limit; exits pass all of them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from blockers.limits import (
    COUNTS,
    STOPS,
    cooldown,
    exposure,
    open_positions,
    reducing,
    stop_streak,
    stopped,
    trades_per_day,
)
from blockers.pipeline import first_block
from domain.enums import Side
from domain.limits import CooldownAfter, Limits, OwnLimits, SymbolLimits
from domain.reason_codes import Reason
from domain.risk_facts import Exposed, Facts, LastExit, LimitFacts, StopMet
from domain.risk_stops import RiskRule, Stop, StopKey
from tests.blockers.test_rules import ENTRY, EXIT, NOW, ago, facts

ME, HERE = ENTRY.strategy_name, (ENTRY.exchange, ENTRY.symbol)
OTHER = ("NFO", "OTHER")


def stop(rule: RiskRule, **changes: object) -> Stop:
    return replace(Stop(StopKey("c", "", rule), ago(60), detail="x"), **changes)  # type: ignore[arg-type]


def counted(limits: Limits | None = None, **known: object) -> Facts:
    return facts(limits, of_limits=LimitFacts(**known))  # type: ignore[arg-type]


def held(units: object, price: object, *, strategy: str = ME, symbol: str = "OTHER") -> Exposed:
    return Exposed(
        strategy, "NFO", symbol, Decimal(str(units)), None if price is None else Decimal(str(price))
    )


def own(**limits: object) -> Limits:
    return Limits(own=OwnLimits(**limits))  # type: ignore[arg-type]


LOSS = Limits(cooldown_minutes=Decimal(5), cooldown_after=CooldownAfter.LOSS)
STREAK = Limits(stop_streak=2)
MET, OLD = StopMet(ME, ago(0)), StopMet(ME, ago(1801))
REDUCES = (stop(RiskRule.REDUCING),)
CASES = [
    (stopped, facts(stops=(stop(RiskRule.DAILY_LOSS),)), Reason.DAILY_LOSS_HIT),
    (stopped, facts(stops=(stop(RiskRule.DAILY_LOSS, is_confirmed=False),)), Reason.DAILY_LOSS_UNCONFIRMED),
    (stopped, facts(stops=(stop(RiskRule.DAILY_PROFIT),)), Reason.DAILY_PROFIT_HIT),
    (stopped, facts(stops=(stop(RiskRule.TRAILING_LOSS),)), Reason.TRAILING_LOSS_HIT),
    (stopped, facts(stops=(stop(RiskRule.UNKNOWN),)), Reason.MARK_UNKNOWN),
    (stopped, facts(stops=(stop(RiskRule.DAILY_LOSS, until=NOW),)), None),
    (stopped, facts(stops=(stop(RiskRule.DAILY_LOSS, lifted_at=NOW),)), None),
    (stopped, facts(stops=(stop(RiskRule.BEST),)), None),
    (reducing, facts(stops=REDUCES), Reason.REDUCING_ONLY),
    (reducing, facts(stops=REDUCES, of_limits=LimitFacts(reducible=Decimal(49))), Reason.REDUCING_ONLY),
    (reducing, facts(stops=REDUCES, of_limits=LimitFacts(reducible=Decimal(50))), None),
    (trades_per_day, counted(Limits(max_trades_per_day=5), trades=4), None),
    (trades_per_day, counted(Limits(max_trades_per_day=5), trades=5), Reason.MAX_TRADES_PER_DAY),
    (trades_per_day, counted(own(max_trades_per_day=5), trades=9, own_trades=4), None),
    (trades_per_day, counted(own(max_trades_per_day=5), trades=9, own_trades=5), Reason.MAX_TRADES_PER_DAY),
    (open_positions, counted(Limits(max_open_positions=2), places=frozenset({OTHER})), None),
    (open_positions, counted(Limits(max_open_positions=1), places=frozenset({OTHER})), Reason.MAX_OPEN_POSITIONS),
    (open_positions, counted(Limits(max_open_positions=1), places=frozenset({OTHER, HERE})), None),
    (open_positions, counted(own(max_open_positions=1), places=frozenset({OTHER})), None),
    (open_positions, counted(own(max_open_positions=1), own_places=frozenset({OTHER})), Reason.MAX_OPEN_POSITIONS),
    (exposure, counted(Limits(max_gross_exposure=Decimal(6000)), exposed=(held(-10, 100),)), None),
    (exposure, counted(Limits(max_gross_exposure=Decimal(5999)), exposed=(held(-10, 100),)), Reason.MAX_EXPOSURE),
    (exposure, counted(Limits(max_net_exposure=Decimal(4000)), exposed=(held(-10, 100),)), None),
    (exposure, counted(Limits(max_net_exposure=Decimal(3999)), exposed=(held(-10, 100),)), Reason.MAX_EXPOSURE),
    (exposure, counted(Limits(max_net_exposure=Decimal(9999)), exposed=(held(1, None),)), Reason.MARK_UNKNOWN),
    (exposure, counted(own(max_gross_exposure=Decimal(5000)), exposed=(held(9, 9, strategy="O"),)), None),
    (exposure, counted(own(max_gross_exposure=Decimal(5080)), exposed=(held(9, 9),)), Reason.MAX_EXPOSURE),
    (cooldown, counted(Limits(cooldown_minutes=Decimal(5)), last_exit=LastExit(ago(299), None)), Reason.COOLDOWN),
    (cooldown, counted(Limits(cooldown_minutes=Decimal(5)), last_exit=LastExit(ago(300), None)), None),
    (cooldown, counted(Limits(), last_exit=LastExit(ago(1), None)), None),
    (cooldown, counted(LOSS, last_exit=LastExit(ago(1), Decimal(-1))), Reason.COOLDOWN),
    (cooldown, counted(LOSS, last_exit=LastExit(ago(1), Decimal(0))), None),
    (cooldown, counted(LOSS, last_exit=LastExit(ago(1), None)), Reason.COOLDOWN),
    (stop_streak, counted(STREAK, stops_met=(MET, MET._replace(at=ago(3600)))), Reason.STOP_STREAK),
    (stop_streak, counted(STREAK, stops_met=(MET, MET._replace(at=ago(3601)))), None),
    (stop_streak, counted(STREAK, stops_met=(MET,)), None),
    (stop_streak, counted(STREAK, stops_met=(StopMet("O", ago(1800)), MET._replace(at=ago(1801)))), None),
    (stop_streak, counted(STREAK, stops_met=(StopMet("O", ago(1799)), OLD)), Reason.STOP_STREAK),
    (stop_streak, counted(own(stop_streak=2), stops_met=(MET, MET)), Reason.STOP_STREAK),
    (stop_streak, counted(own(stop_streak=2), stops_met=(MET, StopMet("O", ago(1)))), None),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "known", "reason"), CASES)
def test_each_limit_at_and_beside_its_figure(rule, known, reason):
    block = rule(ENTRY, known)
    assert (None if block is None else block.reason) == reason
    found = first_block(ENTRY, known)
    assert (None if found is None else found.reason) == reason
    assert first_block(EXIT, known) is None, "nothing holds an exit back"


def test_without_any_price_of_its_own_an_order_counts_at_the_last_one():
    order = replace(ENTRY, price=None)
    known = counted(Limits(max_gross_exposure=Decimal(1000)))
    unknown = exposure(order, known)
    assert unknown is not None and unknown.reason is Reason.MARK_UNKNOWN
    block = exposure(order, replace(known, last_price=Decimal(100)))
    assert block is not None and block.reason is Reason.MAX_EXPOSURE


def test_a_sale_offsets_what_is_bought_in_the_net_value():
    order = replace(ENTRY, side=Side.SELL)
    known = counted(Limits(max_net_exposure=Decimal(10)), exposed=(held(50, 100),))
    assert exposure(order, known) is None
    assert exposure(ENTRY, known) is not None


def test_a_place_of_nothing_but_a_waiting_entry_is_not_free_for_another():
    limits, both = Limits(max_open_positions=1), frozenset({OTHER, HERE})
    found = open_positions(ENTRY, counted(limits, places=both, waiting=frozenset({HERE})))
    assert found is not None and found.reason is Reason.MAX_OPEN_POSITIONS
    assert open_positions(ENTRY, counted(limits, places=frozenset({HERE}), waiting=frozenset({HERE}))) is None


def test_a_symbol_s_table_counts_its_symbols_alone():
    name = f"{ENTRY.symbol[:5]}*"

    def bound(**sums: object) -> Limits:
        return Limits(of_symbols=(SymbolLimits(name, **sums),))  # type: ignore[arg-type]

    three = (("ANOTHER", 9), (ENTRY.symbol[:5] + "X", 2), (ENTRY.symbol, 1))
    assert trades_per_day(ENTRY, counted(bound(max_trades_per_day=4), trades_in=three)) is None
    block = trades_per_day(ENTRY, counted(bound(max_trades_per_day=3), trades_in=three))
    assert block is not None and name in block.detail
    places = frozenset({OTHER, ("NFO", ENTRY.symbol[:5] + "X")})
    assert open_positions(ENTRY, counted(bound(max_open_positions=2), places=places)) is None
    assert open_positions(ENTRY, counted(bound(max_open_positions=1), places=places)) is not None
    parts = (held(10, 100), held(10, 100, symbol=ENTRY.symbol[:5] + "X"))
    assert exposure(ENTRY, counted(bound(max_gross_exposure=Decimal(6000)), exposed=parts)) is None
    assert exposure(ENTRY, counted(bound(max_gross_exposure=Decimal(5999)), exposed=parts)) is not None


def test_each_rule_is_tried_here():
    assert {rule for rule, _, _ in CASES} == {*STOPS, *COUNTS}


def test_a_sale_s_limit_far_below_the_market_counts_at_the_market():
    order = replace(ENTRY, price=Decimal(1), side=Side.SELL)
    known = counted(Limits(max_gross_exposure=Decimal(1000)))
    block = exposure(order, replace(known, last_price=Decimal(100)))
    assert block is not None and block.reason is Reason.MAX_EXPOSURE
