"""A client of whom there is nothing to judge costs next to nothing, and nothing that must be watched is skipped."""

import sqlite3
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import StoreUnavailable
from domain.limits import ClientPolicy, LimitBook, Limits
from domain.marks import Mark
from domain.pnl import Place, PnlBook
from domain.risk_stops import RiskRule, Stop, StopKey
from domain.times import day_start, trading_day
from engine.client_context import ClientContext
from engine.risk_monitor import RiskMonitor
from tests.support import Desk, leg

SYMBOL = "NIFTY26NOV24500CE"
HERE = Place("default", "STRADDLE", "NFO", SYMBOL)
AT_MOST = 4  # statements of a round that finds nothing new: whose account it is, new fills, the state


class House:
    """A desk with a position, its monitor, and last prices, whose reads are counted: each whole round takes one."""

    def __init__(self, folder) -> None:
        self.desk = Desk(folder)
        self.policy = self.desk.policies["default"]
        self.reads = 0
        self.monitor = RiskMonitor(
            self.desk.store, clock=self.desk.clock, rules=self.desk.rules, claimant="risk"
        )
        self.desk.post(leg(SYMBOL))
        self.desk.settle(1)
        while self.whole():  # until what the position brought is in the books
            pass

    def last_marks(self, places):
        self.reads += 1
        return [Mark(e, s, Decimal(100), self.desk.clock.now(), "test") for e, s in places]

    def watch(self, seconds: float = 2.0) -> None:
        self.desk.clock.advance(seconds)
        context = ClientContext("default", self.desk.broker, self.policy, marks=self)
        self.monitor.watch(context)

    def whole(self, seconds: float = 2.0) -> bool:
        """Do a round; True where it was a whole one."""
        before = self.reads
        self.watch(seconds)
        return self.reads > before

    def book(self, symbol: str = SYMBOL) -> PnlBook:
        return self.desk.store.write(lambda tx: tx.pnl_book(HERE._replace(symbol=symbol)))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_a_round_that_finds_nothing_new_reads_little_and_writes_nothing(house):
    store: Any = house.desk.store
    run: list[str] = []
    reader: sqlite3.Connection = store._readers.get()
    reader.set_trace_callback(run.append)
    commits = store._commits._guard.commits
    for _ in range(3):
        house.watch()
    reader.set_trace_callback(None)
    assert 0 < len(run) <= 3 * AT_MOST
    assert store._commits._guard.commits == commits


def test_a_new_fill_is_counted_and_judged_at_once(house):
    house.desk.post(leg("OTHER"), signal_id="other")
    house.desk.settle()  # another watcher has counted the fill
    assert house.whole()
    assert house.book("OTHER").net == 50


def test_a_fill_is_counted_though_all_else_is_skipped(house):
    house.desk.post(leg("OTHER"), signal_id="other")
    while house.desk.engine.execute_next("default"):
        pass
    house.desk.engine.reconcile("default")
    assert house.desk.store.has_new_fills()
    house.watch(0.1)
    assert not house.desk.store.has_new_fills()
    assert house.book("OTHER").net == 50


def test_units_that_came_or_went_without_a_fill_are_followed_by_the_next_round(house):
    with sqlite3.connect(house.desk.path) as connection:  # as when they were closed by hand
        connection.execute("UPDATE holdings SET net_quantity = '20'")
    assert house.whole()
    assert house.book().net == 20


def test_a_stop_is_followed_in_each_round_until_it_is_over(house):
    now = house.desk.clock.now()
    key = StopKey("default", "", RiskRule.DAILY_PROFIT)
    stop = Stop(key, now, now + timedelta(seconds=5))
    house.desk.store.write(lambda tx: tx.put_stop(stop))
    assert house.whole() and house.whole()
    house.watch()
    assert house.desk.store.risk_stops("default") == []


def test_a_limit_with_a_position_is_judged_in_each_round(tmp_path):
    house = House(tmp_path)
    house.policy = ClientPolicy("default", LimitBook(Limits(max_daily_loss=Decimal(500))), live_allowed=True)
    assert all(house.whole() for _ in range(4))


def test_prices_are_looked_at_every_ten_seconds_and_as_soon_as_a_day_begins(house):
    assert [house.whole() for _ in range(11)].count(True) == 2
    rules = house.desk.rules
    tomorrow = trading_day(house.desk.clock.now(), rules.zone, rules.day_starts) + timedelta(days=1)
    house.desk.clock.at = day_start(tomorrow, rules.zone, rules.day_starts) - timedelta(seconds=3)
    assert [house.whole() for _ in range(2)] == [True, True]
    assert [house.whole(0.1) for _ in range(2)].count(True) <= 1


def test_a_round_that_failed_is_done_again(house):
    with sqlite3.connect(house.desk.path) as connection:
        connection.execute("UPDATE holdings SET net_quantity = '20'")
    write, house.desk.store.write = house.desk.store.write, _fail
    with pytest.raises(StoreUnavailable):
        house.watch()
    house.desk.store.write = write
    assert house.whole()
    assert house.book().net == 20


def _fail(work):
    raise StoreUnavailable("the disk is full")
