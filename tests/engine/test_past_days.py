"""Losing days and drawdown in the whole engine: from stored days to blocked entries, told once, lifted by a person."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from domain.limits import Limits, OwnLimits
from domain.notices import NoticeKind
from domain.pnl import DayResult, Place
from domain.times import trading_day
from engine.loss_latch import lift
from tests.engine.test_risk import House


def closed_days(house: House, *results: int, strategy: str = "STRADDLE") -> None:
    """The last trading days brought these, yesterday's the last of them."""
    rules = house.desk.rules
    today = trading_day(house.desk.clock.now(), rules.zone, rules.day_starts)
    place = Place("default", strategy, "NFO", "OLD")

    def work(tx):
        for back, each in enumerate(reversed(results), 1):
            tx.keep_result(DayResult(place, today - timedelta(days=back), Decimal(each), fills=1))

    house.desk.store.write(work)


def lifted(house: House) -> None:
    at = house.desk.clock.now()
    lift(house.desk.store, house.desk.policies, "default", at=at, by="ann", reason="seen")


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_losing_days_block_until_next_week_through_restarts_and_are_told_once(house):
    closed_days(house, 5, -1, -2)
    limits = Limits(max_losing_days=2)
    house.limit(client=limits)
    for _ in range(3):
        house.desk.engine.watch_risk("default")
        house.limit(client=limits)
    assert house.tag() == "RISK_BLOCKED:LOSING_DAYS"
    [text] = house.told(NoticeKind.RISK_LIMIT_HIT)
    assert "2 trading days with a loss" in text and "the first session of the next week" in text
    house.limit()
    house.desk.engine.watch_risk("default")
    assert house.tag() == "RISK_BLOCKED:LOSING_DAYS", "another limit lifts nothing"
    lifted(house)
    house.limit(client=limits)
    house.desk.engine.watch_risk("default")
    assert house.tag() is None


def test_fewer_losing_days_and_those_of_another_strategy_block_nothing(house):
    closed_days(house, -1, 1, -2)
    closed_days(house, -1, -1, -1, strategy="OTHER")
    house.limit(Limits(own=OwnLimits(max_losing_days=2)))
    house.desk.engine.watch_risk("default")
    assert house.tag() is None


def test_a_drawdown_counts_from_the_best_of_the_window(house):
    closed_days(house, 900, -300, -100)
    own = Limits(own=OwnLimits(max_drawdown=Decimal(1000)))
    house.limit(own)
    house.enter(price=100)
    house.price(89, 89)  # 550 more: 950 below the best
    assert house.tag() is None
    house.price(88, 88)
    assert house.tag() == "RISK_BLOCKED:DRAWDOWN"
    assert house.exits() == []
    [text] = house.told(NoticeKind.RISK_LIMIT_HIT)
    assert "-600 today, which began 400 below the best of 30 days, limit 1000" in text
    lifted(house)
    house.price(87, 87)
    assert house.tag() is None, "it counts from the sum at which it was lifted"


def test_the_day_s_equity_is_kept_once_a_minute_however_many_watchers_look(house):
    house.enter(price=100)
    begins = house.desk.clock.now()
    other = house.desk.new_engine("other")
    house.desk.look(other)
    for n in range(60):
        house.price(100 + n, seconds=10)
        other.watch_risk("default")
    curve = house.desk.store.equity_curve("default", begins - timedelta(hours=1))
    gaps = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(curve)]
    assert min(gaps) >= 60 and max(gaps) < 130 and len(curve) > 5
    first, last = curve[0].own, curve[-1].own
    assert first is not None and last is not None and last > first


def test_what_is_older_than_the_window_is_no_best(house):
    closed_days(house, 900, -300, -100)
    house.limit(Limits(own=OwnLimits(max_drawdown=Decimal(400)), drawdown_days=2))
    house.desk.engine.watch_risk("default")
    assert house.tag() is None
    house.limit(Limits(own=OwnLimits(max_drawdown=Decimal(400)), drawdown_days=4))
    house.desk.engine.watch_risk("default")
    assert house.tag() == "RISK_BLOCKED:DRAWDOWN"
