"""Limits on the day's profit and loss of a client and of a strategy: from fills and prices to blocks and exits."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from domain.account_state import AccountState
from domain.broker_reports import BrokerStatus, Position, PositionsSnapshot
from domain.enums import ExecutionType, OrderType, Side
from domain.limits import ClientPolicy, CooldownAfter, ExitScope, LimitAction, LimitBook, Limits, OwnLimits
from domain.marks import Mark
from domain.notices import NoticeKind
from domain.order import Order
from domain.ports import Transaction
from domain.risk_stops import RiskRule
from domain.states import Phase, Status
from domain.times import trading_day
from engine.loss_latch import lift
from tests.support import EXIT, MARKET_EXIT, Desk, leg

SYMBOL = "NIFTY26NOV24500CE"
FLATTEN = Limits(on_daily_loss=LimitAction.FLATTEN, own=OwnLimits(max_daily_loss=Decimal(500)))
HIT, ONCE = "RISK_BLOCKED:DAILY_LOSS_HIT", "RISK_BLOCKED:DAILY_LOSS_UNCONFIRMED"


class House:
    """A desk with limits of a client and of the strategy STRADDLE, and prices that a test sets."""

    def __init__(self, folder, strategy: Limits | None = None, client: Limits | None = None) -> None:
        self.desk = Desk(folder)
        self.watcher, self.posted = "watcher-1", 0
        self.limit(strategy, client)

    def limit(self, strategy: Limits | None = None, client: Limits | None = None) -> None:
        """Set these limits, as a restart with other settings does."""
        desk = self.desk
        book = LimitBook(client or Limits(), {} if strategy is None else {"STRADDLE": strategy})
        desk.policies["default"] = ClientPolicy("default", book, live_allowed=True)
        desk.kill(self.watcher)
        self.watcher += "x"
        desk.engine = desk.new_engine(self.watcher)
        desk.look()

    def enter(self, symbol: str = SYMBOL, price: object = 100, **changes: object) -> Order:
        [order] = self.desk.post(leg(symbol, price=Decimal(str(price))), **changes)
        self.desk.settle(1)
        return self.desk.order(order.command_id)

    def exit(self, symbol: str = SYMBOL, price: object = 100, **changes: object) -> Order:
        self.desk.clock.advance(1)
        exit_ = replace(MARKET_EXIT, symbol=symbol, reference_price=Decimal(str(price)))
        [order] = self.desk.post(exit_, **(EXIT | changes))
        self.desk.settle()
        return self.desk.order(order.command_id)

    def price(self, *prices: object, symbol: str = SYMBOL, seconds: float = 4) -> None:
        """Let the last price be these, one after the other, with a look after each."""
        for each in prices:
            self.desk.clock.advance(seconds)
            at = self.desk.clock.now()
            mark = Mark("NFO", symbol, Decimal(str(each)), at, "test")
            self.desk.store.write(partial(_keep, mark))
            self.desk.engine.refresh("default", force=True)
            self.desk.engine.watch_risk("default")

    def tag(self, **changes: object) -> str | None:
        """The tag of a new entry; it is not sent."""
        self.posted += 1
        self.desk.engine.refresh("default", force=True)
        [order] = self.desk.post(leg(f"S{self.posted}"), **changes)
        if order.status is Status.CREATED:
            self.desk.commands.cancel(order.command_id, by="cli:ann")
        return order.tag

    def exits(self) -> list[Order]:
        rows = self.desk.rows(
            "SELECT command_id FROM orders WHERE execution_type = 'EXIT' ORDER BY created_at"
        )
        return [self.desk.order(str(row[0])) for row in rows]

    def told(self, kind: NoticeKind) -> list[str]:
        return [notice.detail for notice in self.desk.notices if notice.kind is kind]

    def results(self) -> dict[str, Decimal]:
        """Realised today, by strategy and symbol."""
        day = trading_day(self.desk.clock.now(), self.desk.rules.zone, self.desk.rules.day_starts)
        found = self.desk.store.day_results("default", day)
        return {f"{r.where.strategy_name} {r.where.symbol}": r.realized for r in found}


def _keep(mark: Mark, tx: Transaction) -> None:
    tx.keep_marks("default", [mark])


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, FLATTEN)


def test_realised_is_counted_from_our_fills_once(tmp_path):
    house = House(tmp_path)
    house.enter(price=100)
    house.exit(price=112)
    house.enter("BANKNIFTY", price=50, strategy_name="OTHER")
    for _ in range(3):
        house.desk.engine.watch_risk("default")
    assert house.results() == {f"STRADDLE {SYMBOL}": Decimal(600), "OTHER BANKNIFTY": Decimal(0)}


def test_a_strategy_that_lost_its_limit_is_flat_and_stays_out_and_nobody_else_does(house):
    house.enter(price=100)
    house.enter("BANKNIFTY", price=50, strategy_name="OTHER")
    house.price(90)
    assert house.tag(strategy_name="STRADDLE") == ONCE, "seen once, entries wait"
    assert house.exits() == []
    house.price(90)
    house.desk.settle()
    exits = house.exits()
    assert len(exits) == 1
    exit_ = exits[0]
    assert (exit_.symbol, exit_.side, exit_.quantity, exit_.phase) == (SYMBOL, Side.SELL, 50, Phase.FILLED)
    assert house.tag() == HIT
    assert house.tag(strategy_name="OTHER") is None
    [text] = house.told(NoticeKind.LOSS_LIMIT_HIT)
    assert "STRADDLE" in text and "-500 today, limit -500" in text and "being exited" in text
    held = {h.strategy_name: h.net_quantity for h in house.desk.store.holdings("default")}
    assert held == {"OTHER": Decimal(50)}


def test_one_wrong_price_flattens_nothing(house):
    house.enter(price=100)
    house.price(1, 100)
    assert (house.exits(), house.tag()) == ([], None)
    house.price(1)
    for _ in range(5):  # the same price, looked at again
        house.desk.clock.advance(4)
        house.desk.engine.watch_risk("default")
    assert house.exits() == []


def test_a_realised_loss_needs_no_second_look(house):
    house.enter(price=100)
    house.exit(price=90)
    house.desk.engine.watch_risk("default")
    assert house.tag() == HIT


def test_neither_a_restart_nor_another_limit_lifts_it_and_the_next_day_does(house):
    house.enter(price=100)
    house.exit(price=80)
    house.desk.engine.watch_risk("default")
    house.limit(Limits(own=OwnLimits(max_daily_loss=Decimal(50_000))))
    house.desk.engine.watch_risk("default")
    assert house.tag() == HIT
    house.limit()
    assert house.tag() == HIT
    house.desk.clock.advance(24 * 3600)
    house.desk.engine.watch_risk("default")
    assert house.tag() is None
    assert len(house.told(NoticeKind.LOSS_LIMIT_HIT)) == 1


def test_a_second_watcher_and_a_death_after_the_latch_ask_for_the_same_exit(house):
    house.enter(price=100)
    house.price(80, 80)
    first = [order.command_id for order in house.exits()]
    other = house.desk.new_engine("other")
    house.desk.look(other)
    for _ in range(3):
        house.desk.clock.advance(2)
        other.watch_risk("default")
        house.desk.engine.watch_risk("default")
    assert [order.command_id for order in house.exits()] == first and len(first) == 1
    assert len(house.told(NoticeKind.LOSS_LIMIT_HIT)) == 1


def test_an_entry_that_was_registered_before_the_breach_is_not_claimed_after_it(house):
    house.enter(price=100)
    house.desk.broker.placed.clear()
    [waiting] = house.desk.post(leg("LATER"))
    house.price(80, 80)
    house.desk.settle()
    assert house.desk.order(waiting.command_id).tag == HIT
    assert [c.execution_type for c in house.desk.broker.placed] == [ExecutionType.EXIT]


def test_resting_entries_are_taken_back(house):
    house.enter(price=100)
    house.desk.broker.fill_at_once = False
    resting = house.enter("RESTING")
    assert resting.phase is Phase.WORKING
    house.desk.broker.fill_at_once = True
    house.price(80, 80)
    house.desk.settle(5)
    assert house.desk.order(resting.command_id).phase is Phase.CANCELLED


def test_a_failed_exit_is_asked_for_again_and_the_end_is_told(house):
    house.enter(price=100)
    house.desk.broker.fill_at_once = False
    house.price(80, 80)
    house.desk.settle()
    [exit_] = house.exits()
    house.desk.broker.report(exit_.broker_order_id, BrokerStatus.REJECTED)
    house.desk.broker.fill_at_once = True
    house.desk.settle()
    house.desk.clock.advance(60)
    house.price(80)
    house.desk.settle()
    house.price(80)
    exits = house.exits()
    assert len(exits) == 2
    first, second = exits
    assert (first.status, second.phase) == (Status.FAILED, Phase.FILLED)
    assert any("nothing is held any more by STRADDLE" in text for text in house.told(NoticeKind.SYSTEM))


def test_a_late_fill_of_a_failed_attempt_stops_no_further_one(house):
    """The next attempt's id followed from when this one ended, which a late fill moves: nothing was asked any more."""
    house.enter(price=100)
    house.desk.broker.fill_at_once = False
    house.price(80, 80)
    house.desk.settle()
    [first] = house.exits()
    house.desk.broker.report(first.broker_order_id, BrokerStatus.CANCELLED, 5)
    for _ in range(3):
        house.desk.settle()
        house.price(80, seconds=20)
    house.desk.settle()
    [_, second] = house.exits()
    house.desk.broker.report(first.broker_order_id, BrokerStatus.CANCELLED, 10)
    house.desk.settle()
    house.desk.broker.report(second.broker_order_id, BrokerStatus.REJECTED)
    house.desk.broker.fill_at_once = True
    for _ in range(6):
        house.desk.settle()
        house.price(80, seconds=30)
    assert len(house.exits()) >= 3
    assert sum((h.net_quantity for h in house.desk.store.holdings("default")), Decimal(0)) == 0


def test_without_a_price_the_sum_is_unknown_and_told_once_and_exits_nothing(house):
    house.enter(price=100)
    house.desk.clock.advance(120)
    for _ in range(4):
        house.desk.clock.advance(10)
        house.desk.engine.refresh("default", force=True)
        house.desk.engine.watch_risk("default")
    assert (house.tag(), house.exits()) == ("RISK_BLOCKED:MARK_UNKNOWN", [])
    [text] = house.told(NoticeKind.RISK_UNKNOWN)
    assert "no price of NIFTY26NOV24500CE" in text
    assert house.tag(strategy_name="OTHER") is None
    house.price(101)
    assert house.desk.post(leg("OTHER"))[0].tag is None


def test_the_client_s_limit_counts_the_worse_of_our_figure_and_the_broker_s(tmp_path):
    house = House(tmp_path, client=Limits(max_daily_loss=Decimal(500), on_daily_loss=LimitAction.FLATTEN))
    house.enter(price=100)
    house.enter("BANKNIFTY", price=50, strategy_name="OTHER")
    house.price(50, symbol="BANKNIFTY")
    house.price(80, 80)  # the fake broker shows no profit and loss at all
    house.price(50, symbol="BANKNIFTY")
    house.price(80, 80)
    house.desk.settle()
    assert {order.symbol for order in house.exits()} == {SYMBOL, "BANKNIFTY"}
    assert house.tag(strategy_name="ANY") == HIT
    assert len(house.told(NoticeKind.LOSS_LIMIT_HIT)) == 1


def test_a_profit_that_was_reached_stops_the_day(tmp_path):
    house = House(tmp_path, Limits(own=OwnLimits(max_daily_profit=Decimal(300))))
    house.enter(price=100)
    house.price(107, 107)
    assert house.tag() == "RISK_BLOCKED:DAILY_PROFIT_HIT"
    assert house.exits() == [], "block alone exits nothing"


def test_a_trailing_limit_rises_with_the_best_profit_and_never_falls(tmp_path):
    own = OwnLimits(trailing_loss=Decimal(500), trail_step=Decimal(100))
    house = House(tmp_path, Limits(own=own))
    house.enter(price=100)
    house.price(106, 106, 106)  # +300: the limit stands at -200
    house.price(112)  # seen once
    house.price(97)
    assert house.tag() is None, "-150"
    house.price(96, 96, 96)
    assert house.tag() == "RISK_BLOCKED:TRAILING_LOSS_HIT", "-200"


def test_a_share_of_a_limit_is_warned_of_once(house):
    house.enter(price=100)
    house.price(91.9, 91.9, 91.8)
    [text] = house.told(NoticeKind.RISK_WARNING)
    assert "-405 today of STRADDLE" in text


def test_what_a_person_closed_by_hand_leaves_the_book(tmp_path):
    house = House(tmp_path)
    house.enter(price=100)
    house.price(104)
    house.desk.store.write(lambda tx: tx.clear_holdings("default", symbol=SYMBOL))
    house.desk.engine.watch_risk("default")
    assert [b.net for b in house.desk.store.pnl_books("default")] == [0]
    assert house.results() == {f"STRADDLE {SYMBOL}": Decimal(200)}


def test_our_figure_and_the_broker_s_are_compared(tmp_path):
    house = House(tmp_path)
    house.enter(price=100)
    house.exit(price=80)
    for _ in range(3):
        house.desk.clock.advance(61)
        house.desk.engine.refresh("default", force=True)
        house.desk.engine.watch_risk("default")
    [text] = [each for each in house.told(NoticeKind.SYSTEM) if "by our own fills" in each]
    assert "-1000 by our own fills and 0 by the broker" in text


def test_stops_have_a_history(house):
    house.enter(price=100)
    house.price(80, 80)
    house.desk.settle()
    house.price(80)
    kinds = [str(e.kind) for e in house.desk.store.risk_events("default", limit=9)]
    assert kinds == ["FLAT", "EXIT_ASKED", "STOPPED", "SEEN_ONCE"]
    [stop] = [s for s in house.desk.store.risk_stops("default") if s.key.rule is RiskRule.DAILY_LOSS]
    assert stop.flat_at is not None and stop.until is not None
    assert stop.until - house.desk.clock.now() < timedelta(days=1)


def test_a_market_entry_of_the_other_side_is_no_exit(house):
    """A short that loses is bought back, by as much as it is."""
    house.desk.post(leg(side=Side.SELL, order_type=OrderType.LIMIT, price=Decimal(100)))
    house.desk.settle()
    house.price(111, 111)
    house.desk.settle()
    [exit_] = house.exits()
    assert (exit_.side, exit_.filled_quantity) == (Side.BUY, 50)


def test_a_lift_lets_entries_go_and_counts_from_there(house):
    house.enter(price=100)
    house.exit(price=88)
    house.desk.engine.watch_risk("default")
    done = lift(
        house.desk.store, house.desk.policies, "default", at=house.desk.clock.now(), by="ann", reason="ok"
    )
    assert done.stops == ("daily loss limit of STRADDLE",)
    assert house.tag() is None
    house.desk.engine.watch_risk("default")
    house.enter("NEXT", price=100)
    house.exit("NEXT", price=91)
    house.desk.engine.watch_risk("default")
    assert house.tag() is None, "-450 since"
    house.enter("LAST", price=100)
    house.exit("LAST", price=99)
    house.desk.engine.watch_risk("default")
    assert house.tag() == HIT, "-500 since"


def test_a_lift_ends_the_exits(house):
    house.enter(price=100)
    house.price(80, 80)
    lift(house.desk.store, house.desk.policies, "default", at=house.desk.clock.now(), by="ann", reason="ok")
    house.desk.settle()
    asked = len(house.exits())
    house.enter("AGAIN", price=100)
    house.price(100, symbol="AGAIN")
    assert len(house.exits()) == asked


class BrokerShows:
    """The broker's own figure of the day."""

    def __init__(self, desk: Desk) -> None:
        self.pnl, self._read = Decimal(0), desk.broker.read_positions
        desk.broker.read_positions = self.read  # type: ignore[method-assign]

    def read(self, *, urgent: bool = False) -> PositionsSnapshot:
        seen = self._read(urgent=urgent)
        row = Position("NFO", "ELSEWHERE", "MIS", Decimal(0), realized_pnl=self.pnl)
        return PositionsSnapshot(seen.read_started_at, (*seen.positions, row))


def test_a_loss_that_the_broker_shows_flattens_the_client_and_is_told_once(tmp_path):
    house = House(tmp_path, client=Limits(max_daily_loss=Decimal(500), on_daily_loss=LimitAction.FLATTEN))
    shows = BrokerShows(house.desk)
    house.enter(price=100)
    shows.pnl = Decimal(-600)
    house.price(100, 100, 100)
    house.desk.settle()
    house.price(100)
    assert [order.symbol for order in house.exits()] == [SYMBOL]
    assert len(house.told(NoticeKind.LOSS_LIMIT_HIT)) == 1
    lift(house.desk.store, house.desk.policies, "default", at=house.desk.clock.now(), by="ann", reason="ok")
    assert house.tag() is None
    house.price(100, 100)
    assert house.tag() is None, "it counts from the -600 that was lifted"


def test_a_flatten_takes_a_position_of_nobody_s_only_where_it_is_told_to(tmp_path):
    for scope, expected in ((ExitScope.OWN, {SYMBOL}), (ExitScope.POSITION, {SYMBOL, "BY_HAND"})):
        limits = Limits(max_daily_loss=Decimal(500), on_daily_loss=LimitAction.FLATTEN, flatten_scope=scope)
        house = House(tmp_path / scope, client=limits)
        house.desk.post(leg("BY_HAND"), strategy_name="X")
        house.desk.settle()
        house.desk.store.write(lambda tx: tx.clear_holdings("default", symbol="BY_HAND"))
        house.enter(price=100)
        house.price(100, symbol="BY_HAND")
        house.price(80, 80)
        assert {order.symbol for order in house.exits()} == expected


def test_while_entries_may_only_reduce_one_that_adds_is_blocked_and_one_that_takes_off_is_not(tmp_path):
    house = House(tmp_path)
    house.enter(price=100)
    house.desk.store.write(lambda tx: tx.clear_holdings("default", symbol=SYMBOL))  # a person's from now on
    house.desk.engine.refresh("default", force=True)
    house.desk.commands.set_state("default", None, AccountState.REDUCING, by="ann", reason="calm")
    assert house.tag() == "RISK_BLOCKED:REDUCING_ONLY"
    sold = leg(qty=30, side=Side.SELL, price=Decimal(100))
    [takes_off] = house.desk.post(sold, strategy_name="HEDGE")
    assert takes_off.tag is None
    [beyond] = house.desk.post(replace(sold, quantity=Decimal(21)), strategy_name="OTHER")
    assert beyond.tag == "RISK_BLOCKED:REDUCING_ONLY", "the 30 are on their way"
    assert house.desk.commands.resume("default", by="ann")
    assert house.tag() is None
    assert NoticeKind.STATE_CHANGED in [notice.kind for notice in house.desk.notices]


def test_after_an_exit_its_symbol_cools_down_and_no_other(tmp_path):
    house = House(tmp_path, Limits(cooldown_minutes=Decimal(5)))
    house.enter(price=100)
    house.exit(price=101)
    [again] = house.desk.post(leg(qty=51))
    assert again.tag == "RISK_BLOCKED:COOLDOWN"
    assert house.tag() is None
    house.desk.clock.advance(300)
    house.desk.engine.refresh("default", force=True)
    assert house.desk.post(leg(qty=52))[0].tag is None


def test_after_a_loss_alone_where_it_is_set_so(tmp_path):
    house = House(tmp_path, Limits(cooldown_minutes=Decimal(5), cooldown_after=CooldownAfter.LOSS))
    house.enter(price=100)
    house.exit(price=101)
    house.desk.engine.watch_risk("default")
    house.enter(price=100, legs=(leg(qty=40, price=Decimal(100)),))
    house.exit(price=99)
    house.desk.engine.watch_risk("default")
    [again] = house.desk.post(leg(qty=52))
    assert again.tag == "RISK_BLOCKED:COOLDOWN" and "-40" in str(again.reason_message)


def test_a_day_is_summed_up_once_when_the_next_has_begun(tmp_path):
    house = House(tmp_path)
    shows = BrokerShows(house.desk)
    house.enter(price=100)
    house.price(120, seconds=61)
    house.exit(price=104)
    shows.pnl = Decimal(190)
    house.price(100)
    house.enter("BANKNIFTY", price=50, strategy_name="OTHER")
    house.price(49, symbol="BANKNIFTY", seconds=61)
    assert house.told(NoticeKind.DAY_SUMMARY) == []
    house.desk.clock.advance(24 * 3600)
    for _ in range(2):
        house.desk.engine.refresh("default", force=True)
        house.limit()
        house.desk.engine.watch_risk("default")
    [text] = house.told(NoticeKind.DAY_SUMMARY)
    assert text == (
        "2026-11-20: 150 by our own fills, 190 by the broker; realised 200 with 3 fills. OTHER -50, STRADDLE 200"
    )


def test_what_is_carried_over_night_is_no_loss_of_the_day_that_begins(house):
    house.enter(price=100)
    house.price(91, seconds=61)
    house.desk.clock.advance(24 * 3600)
    house.price(90, 90, 90)
    assert (house.tag(), house.exits()) == (None, []), "-50 today"
    house.price(80, 80)
    assert house.tag() == HIT
