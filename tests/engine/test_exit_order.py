"""An alert that closes several legs buys the sold one back before it sells the hedge, for a bounded time."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus
from domain.enums import LegKind, Side
from domain.errors import Refused
from domain.limits import StrategyPolicy
from domain.states import Phase
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


def shrink(desk: Desk, symbol: str, largest: int) -> None:
    """From now on no order in the symbol may be larger."""
    [(client, context)] = desk.engine._contexts.items()
    most = {symbol: Decimal(largest)}
    desk.engine._contexts = {client: replace(context, largest=lambda exchange, symbol: most.get(symbol))}


def test_the_hedge_waits_until_each_slice_of_the_sold_leg_is_bought_back(spread):
    shrink(spread, SOLD.symbol, 20)
    spread.post(CLOSE_HEDGE, CLOSE_SOLD, **EXIT)
    spin(spread, 3)
    assert sent(spread) == [("BUY", SOLD.symbol)] * 3
    spread.broker.report("B00003", BrokerStatus.COMPLETE, 20)
    spin(spread, 4)
    assert sent(spread) == [("BUY", SOLD.symbol)] * 3
    spread.broker.report("B00004", BrokerStatus.COMPLETE, 20)
    spread.broker.report("B00005", BrokerStatus.COMPLETE, 10)
    spin(spread, 4)
    assert sent(spread)[3:] == [("SELL", HEDGE.symbol)] and warned(spread) == []


def test_the_hedge_goes_when_a_buying_back_that_was_priced_anew_is_filled(spread):
    spread.broker.prices[SOLD.symbol] = Decimal(100)
    alone = replace(CLOSE_SOLD, quantity=Decimal(30), kind=LegKind.EXIT)
    _, buying = spread.post(CLOSE_HEDGE, alone, **EXIT)
    spin(spread, 8)
    assert sent(spread) == [("BUY", SOLD.symbol)] * 2
    assert spread.order(buying.command_id).phase is Phase.CANCELLED
    spread.broker.report("B00004", BrokerStatus.COMPLETE, 30)
    spin(spread, 4)
    assert sent(spread)[2:] == [("SELL", HEDGE.symbol)] and warned(spread) == []


def test_the_slices_of_a_hedge_leave_together_and_are_told_once(spread):
    shrink(spread, HEDGE.symbol, 20)
    spread.post(CLOSE_HEDGE, CLOSE_SOLD, **EXIT)
    spin(spread, 14)
    assert sent(spread) == [("BUY", SOLD.symbol)]
    spin(spread, 8)
    assert sent(spread)[1:] == [("SELL", HEDGE.symbol)] * 3
    spin(spread, 30)
    assert len(warned(spread)) == 1
