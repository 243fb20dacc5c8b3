"""The guard knows who holds what by the fills on record, and forgets only what the broker shows closed."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from blockers.execution_guard import ExecutionGuard
from domain.broker_reports import BrokerStatus, OrderReport, Position, PositionsSnapshot
from domain.enums import Side
from tests.support import Desk, leg

SYMBOL = "NIFTY26NOV24500CE"
NO_DELAY = timedelta(0)


@pytest.fixture
def guard(desk: Desk) -> ExecutionGuard:
    return ExecutionGuard(desk.store)


def buy(desk: Desk, *symbols: str, strategy: str = "STRADDLE", **changes: Any) -> None:
    """Positions of a strategy that the broker has filled and the engine has recorded."""
    desk.post(*(leg(symbol, **changes) for symbol in symbols), strategy_name=strategy)
    desk.settle()


def sold_by_hand(desk: Desk, symbol: str = SYMBOL, exchange: str = "NFO") -> None:
    """The broker's book has a sale of 50 that is not ours."""
    units = Decimal(50)
    row = OrderReport("H1", None, BrokerStatus.COMPLETE, exchange, symbol, Side.SELL, units, units)
    desk.store.write(lambda tx: tx.note_external("default", row, desk.clock.now()))


def held(desk: Desk) -> set[tuple]:
    return {(h.strategy_name, h.exchange, h.symbol) for h in desk.store.holdings("default")}


def flat(desk: Desk, *positions: Position) -> PositionsSnapshot:
    """A read that begins now and shows nothing but these."""
    return PositionsSnapshot(desk.clock.now(), positions)


def test_a_strategy_holds_what_it_filled_and_not_what_only_works(desk):
    desk.broker.fill_at_once = False
    buy(desk, SYMBOL)
    assert held(desk) == set()
    desk.broker.fill_at_once = True
    buy(desk, "B")
    assert held(desk) == {("STRADDLE", "NFO", "B")}


def test_what_the_broker_shows_flat_is_forgotten(desk, guard):
    buy(desk, SYMBOL, "B")
    sold_by_hand(desk)
    forgotten = guard.reconcile_with_broker(
        "default", flat(desk, Position("NFO", "B", "MIS", Decimal(50))), horizon=NO_DELAY
    )
    assert [h.symbol for h in forgotten] == [SYMBOL]
    assert held(desk) == {("STRADDLE", "NFO", "B")}
    assert (
        guard.reconcile_with_broker(
            "default", flat(desk, Position("NFO", "B", "MIS", Decimal(1))), horizon=NO_DELAY
        )
        == []
    )


def test_a_position_at_zero_is_as_flat_as_one_that_is_not_listed(desk, guard):
    buy(desk, SYMBOL)
    sold_by_hand(desk)
    shown = flat(desk, Position("NFO", SYMBOL, "MIS", Decimal(0)))
    assert len(guard.reconcile_with_broker("default", shown, horizon=NO_DELAY)) == 1
    assert held(desk) == set()


def test_a_position_of_any_product_keeps_what_is_held(desk, guard):
    buy(desk, SYMBOL)
    shown = flat(desk, Position("NFO", SYMBOL, "NRML", Decimal(50)))
    assert guard.reconcile_with_broker("default", shown, horizon=NO_DELAY) == []
    assert held(desk) == {("STRADDLE", "NFO", SYMBOL)}


@pytest.mark.parametrize(("later", "forgotten"), [(0, 0), (0.000001, 1)])
def test_a_read_that_a_recent_fill_may_not_show_in_forgets_nothing(desk, guard, later, forgotten):
    buy(desk, SYMBOL)
    sold_by_hand(desk)
    ((filled_at,),) = desk.rows("SELECT filled_at FROM last_fills")
    order = desk.only()
    assert order.updated_at.isoformat(timespec="microseconds")[:26] + "Z" == filled_at
    horizon = timedelta(seconds=5)
    read = PositionsSnapshot(order.updated_at + horizon + timedelta(seconds=later), ())
    assert len(guard.reconcile_with_broker("default", read, horizon=horizon)) == forgotten
    assert len(held(desk)) == 1 - forgotten


def test_another_client_is_left_alone(desk, guard):
    buy(desk, SYMBOL)
    assert guard.reconcile_with_broker("second", flat(desk), horizon=NO_DELAY) == []
    assert len(held(desk)) == 1


def test_what_is_flat_on_one_exchange_may_be_held_on_another(desk, guard):
    buy(desk, "RELIANCE", strategy="A", exchange="NSE")
    buy(desk, "RELIANCE", strategy="B", exchange="BSE")
    sold_by_hand(desk, "RELIANCE", "NSE")
    shown = flat(desk, Position("BSE", "RELIANCE", "MIS", Decimal(50)))
    guard.reconcile_with_broker("default", shown, horizon=NO_DELAY)
    assert held(desk) == {("B", "BSE", "RELIANCE")}


def test_forgetting_opens_the_way_for_a_new_entry(desk, guard):
    buy(desk, SYMBOL)
    (again,) = desk.post(leg(price=Decimal(99)))
    assert again.tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"
    sold_by_hand(desk)
    guard.reconcile_with_broker("default", flat(desk), horizon=NO_DELAY)
    (free,) = desk.post(leg(price=Decimal(98)))
    assert free.tag is None


def test_the_other_side_of_what_another_strategy_holds_is_blocked(desk):
    buy(desk, SYMBOL)
    (sell,) = desk.post(leg(side=Side.SELL), strategy_name="OTHER")
    assert sell.tag == "GUARD_BLOCKED:OPPOSITE_SIDE_HELD"
    assert sell.reason_message.endswith("(STRADDLE)")
    (same,) = desk.post(leg(side=Side.BUY), strategy_name="OTHER")
    assert same.tag is None


def test_one_read_that_shows_it_flat_forgets_nothing(desk, guard):
    buy(desk, SYMBOL)
    assert guard.reconcile_with_broker("default", flat(desk), horizon=NO_DELAY) == []
    assert len(held(desk)) == 1
