"""A bad day on which everything that needs a person has happened."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from domain.broker_reports import Position, PositionsSnapshot
from domain.enums import ExecutionType, Side
from domain.equity import EquityPoint
from domain.limits import ClientPolicy, LimitBook, Limits, OwnLimits
from domain.marks import Mark
from domain.order import Order
from domain.order_events import advance
from domain.pnl import DayResult, Lot, Place, PnlBook
from domain.position_comparison import Difference
from domain.protection import Covered, protection_of
from domain.protection_step import step
from domain.risk_stops import RiskRule, Stop, StopKey
from domain.states import Phase
from domain.times import trading_day
from tests.console.seeding import House
from tests.support import START

CE, PE = "NIFTY26NOV24500CE", "NIFTY26NOV24500PE"


def exit_of(house: House, symbol: str, strategy_name: str) -> Order:
    """An exit that its broker rejected; its alert came after the entry's."""
    house.clock.advance(1)
    [order] = house.alert(
        symbol=symbol, strategy_name=strategy_name, execution_type=ExecutionType.EXIT, side=Side.SELL
    )
    return order


def protect(house: House, entry: Order, *, is_unknown: bool = False) -> str:
    """A stop at 2 % and a target at 10 % of a filled entry."""
    made, event = protection_of(replace(entry, stop_loss="2%", target="10%"))
    now = house.clock.now()
    filled = Covered(entry.quantity, Decimal("112.45"), True, entry.quantity, is_all=True)

    def work(tx):
        tx.add_protection(made, event)
        after = tx.move_protection(step(made, filled, None, now))
        if is_unknown:
            lost = step(after, filled, None, now + timedelta(minutes=5))
            tx.move_protection(lost)

    house.store.write(work)
    return made.protection_id


def cancel(house: House, order: Order) -> Order:
    placed = house.place(order)
    return house.apply(advance(placed, Phase.CANCELLED, at=house.clock.now(), actor="watcher-1"))


def limits(house: House) -> None:
    own = OwnLimits(max_daily_loss=Decimal(500), max_open_positions=3)
    whole = Limits(max_daily_loss=Decimal(5000), max_daily_profit=Decimal(1500), max_trades_per_day=20)
    policy = ClientPolicy(
        "default",
        LimitBook(whole, {"STRADDLE": Limits(own=own), "SWING": Limits(own=own)}),
        live_allowed=True,
    )
    house.policies["default"] = policy


def money(house: House) -> None:
    now = house.clock.now()
    place = Place("default", "STRADDLE", "NFO", CE)
    day = trading_day(now, house.policies["default"].zone, house.policies["default"].day_starts)

    def work(tx):
        tx.keep_pnl_book(PnlBook(place, (Lot(Decimal(50), Decimal("5622.5")),)))
        tx.keep_result(DayResult(place, day, Decimal(1250), fills=3, unrealized=Decimal("-122.5")))
        tx.keep_marks("default", [Mark("NFO", CE, Decimal(110), now, "x")])
        key = StopKey("default", "SWING", RiskRule.DAILY_LOSS)
        tx.put_stop(
            Stop(key, now, until=now + timedelta(hours=9), detail="lost 512 of 500", is_confirmed=True)
        )

    house.store.write(work)
    for minute in range(0, 240, 4):
        total = Decimal(minute * 11 % 170) * 10 - 300 + minute
        at = START - timedelta(minutes=240 - minute)
        if at.date() == START.date():
            point = EquityPoint(at, None if 90 < minute < 110 else total, None)
            _keep(house, point)


def _keep(house: House, point: EquityPoint) -> None:
    forget = START - timedelta(days=8)
    house.store.write(lambda tx: tx.keep_equity_point("default", point, forget_before=forget))


def day(folder: Path) -> House:
    """Fill a database with it."""
    house = House(folder)
    house.clock.advance(-3 * 3600)
    limits(house)
    house.place(house.alert(symbol="BANKNIFTY26NOV52000PE", strategy_name="OVERNIGHT_PREMIUM_SELLER_V12")[0])
    house.clock.advance(2 * 3600)
    entry = house.fill(house.alert(signal_id="sig-1")[0])
    protect(house, entry)
    call, put = house.alert(symbols=(PE, "NIFTY26NOV25000CE"), strategy_name="STRANGLE")
    house.fill(call)
    swing = house.fill(house.alert(symbol="RELIANCE-EQ", exchange="NSE", strategy_name="SWING")[0])
    protect(house, swing, is_unknown=True)
    house.refuse(put)
    house.refuse(exit_of(house, PE, "STRANGLE"))
    house.block(house.alert(symbol="INFY", raw_body="<script>document.title = 'taken'</script>")[0])
    cancel(house, house.alert(symbol="TCS", exchange="NSE", side=Side.SELL)[0])
    house.refuse(house.alert(symbol="HDFCBANK", exchange="NSE")[0])
    house.lose(house.alert(symbol="TATASTEEL", exchange="NSE", strategy_name="BREAKOUT")[0])
    house.reject_alert(raw_body='{"action": "buy", "ticker": "NIFTY1!"}')
    house.halt("MEAN_REVERSION", "news")
    house.alert(symbol="SBIN", exchange="NSE")
    external = Difference("MCX", "GOLDPETAL26DECFUT", "NRML", Decimal(0), Decimal(-5), is_external=True)
    now = house.clock.now()
    house.store.write(lambda tx: tx.keep_difference("default", external, now, now))
    house.clock.advance(3600)
    money(house)
    house.beat()
    rows = (
        Position(
            "NFO", CE, "MIS", Decimal(50), Decimal("112.45"), Decimal(110), Decimal(1250), Decimal("-122.5")
        ),
        Position("NFO", PE, "MIS", Decimal(50), Decimal("88.1"), Decimal(91), Decimal(0), Decimal(145)),
        Position("NSE", "RELIANCE-EQ", "MIS", Decimal(50), Decimal(112), None, Decimal(0), Decimal(0)),
        Position("MCX", "GOLDPETAL26DECFUT", "NRML", Decimal(-5)),
    )
    read = PositionsSnapshot(house.clock.now(), rows)
    house.store.save_positions("default", read, START.date(), compared_at=house.clock.now())
    return house
