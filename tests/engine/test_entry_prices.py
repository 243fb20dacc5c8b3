"""The price collar in the whole engine: the last price is read before an entry is sent, and decides with its claim."""

from dataclasses import replace
from decimal import Decimal

import pytest

from broker.test_mode import BrokerWithTestMode
from domain.broker_capabilities import IdClass
from domain.errors import ReadFailed
from domain.limits import Limits
from domain.marks import Mark
from engine.client_context import ClientContext
from engine.order_watcher import OrderWatcherEngine
from tests.engine.test_risk import House
from tests.support import leg


class Market:
    """Last prices that a test sets; None: the read fails."""

    def __init__(self, house: House) -> None:
        self.price: Decimal | None = Decimal(100)
        self.symbol, self.house, self.reads = "", house, 0

    def last_marks(self, places):
        self.reads += 1
        if self.price is None:
            raise ReadFailed("no route to host")
        return [Mark(e, self.symbol or s, self.price, self.house.desk.clock.now(), "test") for e, s in places]


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, client=Limits(price_collar_percent=Decimal(5)))


@pytest.fixture
def market(house):
    desk, found = house.desk, Market(house)
    desk.kill(house.watcher)
    desk.store.claimants.enter("priced")
    policy = desk.policies["default"]
    broker = BrokerWithTestMode(desk.broker, desk.clock)
    context = ClientContext("default", broker, policy, desk.broker, marks=found)
    desk.engine = OrderWatcherEngine(
        desk.store, {"default": context}, clock=desk.clock, claimant="priced", rules=desk.rules
    )
    desk.look()
    return found


def sent(house: House, symbol: str, price: object) -> str | None:
    [order] = house.desk.post(leg(symbol, price=Decimal(str(price))))
    assert order.tag is None, "nobody has a price yet"
    house.desk.settle(1)
    return house.desk.order(order.command_id).tag


def test_an_entry_far_from_the_last_price_is_not_sent_and_one_near_it_is(house, market):
    assert sent(house, "NEAR", 105) is None
    assert sent(house, "FAR", 106) == "RISK_BLOCKED:PRICE_COLLAR"
    assert [command.symbol for command in house.desk.broker.placed] == ["NEAR"]


def test_without_a_last_price_of_the_symbol_nothing_is_sent(house, market):
    market.price = None
    assert sent(house, "A", 100) == "RISK_BLOCKED:MARK_UNKNOWN"
    market.price, market.symbol = Decimal(100), "ANOTHER"
    assert sent(house, "B", 100) == "RISK_BLOCKED:MARK_UNKNOWN"
    assert house.desk.broker.placed == []


def test_without_a_collar_no_price_is_read(house, market):
    house.limit()
    house.enter(price=100)
    assert market.reads == 0


def test_entries_that_are_claimed_together_are_judged_by_a_price_that_is_read_for_them_too(house, market):
    desk = house.desk
    desk.broker.traits = replace(desk.broker.traits, id_class=IdClass.C4, claims_together=8)
    known = [Mark("NFO", symbol, Decimal(100), desk.clock.now(), "test") for symbol in ("A", "B")]
    desk.store.write(lambda tx: tx.keep_marks("default", known))
    orders = [desk.post(leg(mark.symbol, price=Decimal(100)), strategy_name=mark.symbol)[0] for mark in known]
    market.price = Decimal(120)
    desk.clock.advance(5)
    desk.settle(3)
    assert {desk.order(order.command_id).tag for order in orders} == {"RISK_BLOCKED:PRICE_COLLAR"}
    assert desk.broker.placed == [] and market.reads == 2
