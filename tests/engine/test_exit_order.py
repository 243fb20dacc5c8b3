"""An alert that closes several legs buys the sold one back before it sells the hedge, for a bounded time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.broker_reports import BrokerStatus
from domain.enums import Side
from domain.errors import Refused
from domain.limits import StrategyPolicy
from tests.engine.test_late_evidence import spin
from tests.support import EXIT, INDEPENDENT, MARKET_EXIT, Desk, leg

SOLD = leg("NIFTY26NOV24500CE", side=Side.SELL)
HEDGE = leg("NIFTY26NOV25000CE")
CLOSE_HEDGE, CLOSE_SOLD = (replace(MARKET_EXIT, symbol=each.symbol) for each in (HEDGE, SOLD))


@pytest.fixture
def spread(make_desk):
    """A desk that holds a spread, whose exits rest until they are filled."""
    desk = make_desk()
    desk.post(SOLD, HEDGE)
    spin(desk, 3)
    desk.broker.placed.clear()
    desk.broker.fill_at_once = False
    return desk


def sent(desk: Desk) -> list[tuple[str, str]]:
    return [(c.side.value, c.symbol) for c in desk.broker.placed]


def warned(desk: Desk) -> list[str]:
    return [n.detail for n in desk.notices if "WITHOUT ITS HEDGE" in n.detail]


def test_the_hedge_is_sold_when_the_sold_leg_is_bought_back(spread):
    spread.post(CLOSE_HEDGE, CLOSE_SOLD, **EXIT)
    spin(spread, 5)
    assert sent(spread) == [("BUY", SOLD.symbol)]
    spread.broker.report("B00003", BrokerStatus.COMPLETE, 50)
    spread.broker.fill_at_once = True
    spin(spread, 6)
    assert sent(spread) == [("BUY", SOLD.symbol), ("SELL", HEDGE.symbol)]
    assert warned(spread) == []


def test_after_that_time_it_is_sold_all_the_same_and_people_are_told(spread):
    spread.post(CLOSE_HEDGE, CLOSE_SOLD, **EXIT)
    spin(spread, 14)
    assert sent(spread) == [("BUY", SOLD.symbol)]
    spin(spread, 8)
    assert sent(spread) == [("BUY", SOLD.symbol), ("SELL", HEDGE.symbol)]
    [text] = warned(spread)
    assert SOLD.symbol in text and "flatten" in text


def test_nor_does_the_hedge_wait_for_ever_where_the_buying_back_has_failed(spread):
    def before(command):
        if command.symbol == SOLD.symbol:
            raise Refused("RMS", "not now")

    spread.broker.before_place = before
    spread.post(CLOSE_HEDGE, CLOSE_SOLD, **EXIT)
    spin(spread, 14)
    assert sent(spread) == []
    spin(spread, 8)
    assert sent(spread) == [("SELL", HEDGE.symbol)] and len(warned(spread)) == 1


def test_the_time_is_a_setting(make_desk):
    desk = make_desk(strategy=StrategyPolicy(group_exit_wait=timedelta(seconds=2)))
    desk.post(SOLD, HEDGE)
    spin(desk, 3)
    desk.broker.placed.clear()
    desk.broker.fill_at_once = False
    desk.post(CLOSE_HEDGE, CLOSE_SOLD, **EXIT)
    spin(desk, 5)
    assert sent(desk) == [("BUY", SOLD.symbol), ("SELL", HEDGE.symbol)]


def test_exits_that_concern_no_spread_wait_for_nothing(make_desk):
    for strategy in (INDEPENDENT, StrategyPolicy()):
        desk = make_desk(strategy=strategy)
        desk.post(SOLD, HEDGE) if strategy is INDEPENDENT else desk.post(HEDGE)
        spin(desk, 3)
        desk.broker.placed.clear()
        desk.broker.fill_at_once = False
        desk.post(CLOSE_HEDGE, CLOSE_SOLD, **EXIT)
        spin(desk, 2)
        assert ("SELL", HEDGE.symbol) in sent(desk)
