"""Adopted units: exits close exactly those, entries count them, and what was told of them is gone."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.adoption import Adoption, AdoptionRequest
from domain.broker_reports import BrokerStatus, OrderReport
from domain.enums import Side
from domain.errors import (
    AdoptionNotPossible,
    InvalidAdoption,
    NotFound,
    OutcomeUnknown,
    ReadFailed,
    StoreUnavailable,
)
from domain.money import ZERO
from domain.states import Phase
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.transaction import SqliteTransaction
from tests.support import EXIT, MARKET_EXIT, Desk, leg

SYMBOL = "NIFTY26NOV24500CE"


def by_hand(desk: Desk, units: int, number: str = "H1") -> None:
    """Somebody trades in the broker's own terminal, for the day."""
    quantity, side = Decimal(abs(units)), Side.BUY if units > 0 else Side.SELL
    desk.broker.orders[number] = OrderReport(
        number, None, BrokerStatus.COMPLETE, "NFO", SYMBOL, side, quantity, quantity, Decimal(100)
    )
    desk.broker.products[number] = "MIS"


def look(desk: Desk, times: int = 3) -> None:
    """Read book and positions so many times."""
    for _ in range(times):
        desk.clock.advance(15)
        desk.engine.reconcile("default")
        desk.engine.refresh("default", force=True)


def adopt(desk: Desk, quantity: int = 50, strategy: str = "STRADDLE", **changes: str) -> Adoption:
    values = {"client_id": "default", "symbol": SYMBOL, "by": "cli:op", "reason": "bought for it"} | changes
    return desk.commands.adopt(AdoptionRequest(quantity=Decimal(quantity), strategy_name=strategy, **values))


def net(desk: Desk) -> Decimal:
    return desk.broker.read_positions().net("NFO", SYMBOL, "MIS")


def held(desk: Desk) -> dict[str, Decimal]:
    return {h.strategy_name: h.net_quantity for h in desk.store.holdings("default")}


def rebuilt(desk: Desk) -> dict[str, Decimal]:
    """What strategies hold by the trail alone: their fills, and what was adopted."""
    rows = desk.rows(
        "SELECT strategy_name, iif(side = 'BUY', 1, -1) * filled_quantity FROM orders UNION ALL "
        "SELECT strategy_name, CAST(quantity AS REAL) FROM adoptions"
    )
    found: dict[str, Decimal] = {}
    for name, units in rows:
        found[str(name)] = found.get(str(name), ZERO) + Decimal(str(units))
    return {name: units for name, units in found.items() if units}


@pytest.fixture
def hand(desk: Desk) -> Desk:
    """50 units by hand, told as a position that no strategy holds."""
    by_hand(desk, 50)
    look(desk)
    assert desk.rows("SELECT kind, difference, believed FROM position_differences") == [
        ("EXTERNAL", "50", "50")
    ]
    return desk


def test_after_an_adoption_an_exit_closes_exactly_those_units(hand):
    by_hand(hand, 30, "H2")
    look(hand)
    (nothing,) = hand.post(MARKET_EXIT, **EXIT)
    hand.settle()
    blocked = hand.order(nothing.command_id)
    assert blocked.tag == "GUARD_BLOCKED:NO_POSITION"
    assert f"cli.py adopt default {SYMBOL} STRADDLE 80 --reason" in (blocked.reason_message or "")
    adopt(hand)
    (exit_,) = hand.post(MARKET_EXIT, **EXIT, signal_id="again")
    hand.settle()
    done = hand.order(exit_.command_id)
    assert (done.side, done.quantity, done.phase) == (Side.SELL, Decimal(50), Phase.FILLED)
    assert (net(hand), held(hand)) == (30, {})
    (again,) = hand.post(MARKET_EXIT, **EXIT, signal_id="once more")
    hand.settle()
    assert hand.order(again.command_id).tag == "GUARD_BLOCKED:NO_POSITION"
    assert net(hand) == 30


def test_a_short_position_is_adopted_by_a_negative_quantity_and_bought_back(desk):
    by_hand(desk, -50)
    look(desk)
    with pytest.raises(InvalidAdoption, match="the position is short"):
        adopt(desk, 50)
    adopt(desk, -50)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert (desk.order(exit_.command_id).side, net(desk)) == (Side.BUY, 0)


def test_it_is_kept_told_and_verifies_and_the_trail_rebuilds_the_holding(hand):
    done = adopt(hand, 30)
    assert hand.rows(
        "SELECT client_id, strategy_name, exchange, symbol, product, quantity, average_price, adopted_by, reason, "
        "at_broker FROM adoptions"
    ) == [("default", "STRADDLE", "NFO", SYMBOL, "MIS", "30", None, "cli:op", "bought for it", "50")]
    assert held(hand) == rebuilt(hand) == {"STRADDLE": 30}
    notice = hand.notices[-1]
    assert (notice.kind, notice.symbol, notice.by) == ("ADOPTED", SYMBOL, "cli:op")
    assert notice.detail == f"{done.means}. By cli:op: bought for it"
    report = verify(hand.path)
    assert (report.problems, report.adoptions) == ([], 1)


def test_the_difference_is_smaller_by_what_was_adopted_and_nothing_more_is_told(hand):
    adopt(hand, 30)
    assert hand.rows("SELECT kind, held, at_broker, difference, believed FROM position_differences") == [
        ("DIFFERENT", "30", "50", "20", "20")
    ]
    told = len(hand.notices)
    look(hand)
    adopt(hand, 20, "OTHER")
    assert hand.rows("SELECT 1 FROM position_differences") == []
    look(hand)
    assert [n.kind for n in hand.notices[told:]] == ["ADOPTED"]


def test_the_same_request_again_finds_nothing_more_to_adopt(hand):
    adopt(hand)
    with pytest.raises(AdoptionNotPossible, match="none can be adopted: STRADDLE holds 50 MIS") as caught:
        adopt(hand)
    assert caught.value.field == "quantity"
    assert (held(hand), len(hand.rows("SELECT 1 FROM adoptions"))) == ({"STRADDLE": 50}, 1)


def test_what_another_strategy_holds_is_not_adopted(hand):
    hand.post(leg(qty=20), strategy_name="OTHER")
    hand.settle()
    look(hand)
    with pytest.raises(AdoptionNotPossible, match="only 50 can be adopted: OTHER holds 20 MIS"):
        adopt(hand, 70)
    adopt(hand, 50)
    assert held(hand) == rebuilt(hand) == {"OTHER": 20, "STRADDLE": 50}


def test_it_counts_as_an_entry_and_for_both_sides(hand):
    adopt(hand)
    (again,) = hand.post(leg(qty=10))
    assert again.tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"
    (other,) = hand.post(leg(qty=10, side=Side.SELL), strategy_name="OTHER")
    assert other.tag == "GUARD_BLOCKED:OPPOSITE_SIDE_HELD"


def test_units_by_hand_that_were_not_told_yet_are_adopted_and_explain_nothing_twice(desk):
    by_hand(desk, 50)
    desk.clock.advance(15)
    desk.engine.reconcile("default")
    desk.engine.refresh("default", force=True)
    assert desk.rows("SELECT unexplained_quantity FROM external_orders") == [("50",)]
    adopt(desk)
    assert desk.rows("SELECT unexplained_quantity FROM external_orders") == [("0",)]
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    desk.settle(1)
    assert desk.order(exit_.command_id).quantity == 50
    desk.settle()
    assert net(desk) == 0


@pytest.mark.parametrize("error", [ReadFailed("502"), KeyError("netqty")])
def test_not_on_a_read_that_failed_or_is_old(hand, error):
    hand.broker.positions_error = error
    hand.clock.advance(5)
    hand.engine.refresh("default", force=True)
    with pytest.raises(AdoptionNotPossible, match="that is not zero"):
        adopt(hand)
    hand.broker.positions_error = None
    hand.engine.refresh("default", force=True)
    hand.clock.advance(61)
    with pytest.raises(AdoptionNotPossible, match="61 s ago, 60 s are allowed"):
        adopt(hand)
    assert held(hand) == {}


def test_what_is_adopted_while_it_is_being_compared_is_not_told_as_nobodys(desk, monkeypatch):
    by_hand(desk, 50)
    look(desk, 1)
    asked = desk.store.last_fill_at

    def meanwhile(client_id: str, symbol: str, side: Side | None = None) -> datetime | None:
        """The comparer has read the holdings before."""
        if not held(desk):
            adopt(desk)
        return asked(client_id, symbol, side)

    monkeypatch.setattr(desk.store, "last_fill_at", meanwhile)
    look(desk)
    assert held(desk) == {"STRADDLE": 50}
    assert desk.rows("SELECT 1 FROM position_differences") == []
    assert [n.kind for n in desk.notices if n.kind != "EXTERNAL_ORDER"] == ["ADOPTED"]


def test_not_while_an_order_there_has_an_unknown_outcome(hand):
    hand.broker.script = [("after", OutcomeUnknown("timeout"))]
    hand.post(leg(qty=20), strategy_name="OTHER")
    hand.engine.execute_next("default")
    hand.engine.refresh("default", force=True)
    with pytest.raises(AdoptionNotPossible, match="of OTHER there is UNKNOWN"):
        adopt(hand)


def test_a_resting_entry_may_have_brought_what_nobody_seems_to_hold(desk):
    desk.broker.fill_at_once = False
    desk.post(leg(qty=50), strategy_name="OTHER")
    desk.engine.tick()
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.engine.refresh("default", force=True)  # the position shows the fill, the book was not read since
    with pytest.raises(AdoptionNotPossible, match=r"OTHER's order .* may have brought some"):
        adopt(desk)
    look(desk)
    assert held(desk) == {"OTHER": 50}


def test_a_death_in_the_middle_leaves_nothing_of_it(hand, monkeypatch):
    before = hand.rows("SELECT * FROM position_differences")

    def dies(*args: object) -> None:
        raise StoreUnavailable("killed")

    monkeypatch.setattr(SqliteTransaction, "notify", dies)
    with pytest.raises(StoreUnavailable):
        adopt(hand)
    assert (held(hand), hand.rows("SELECT 1 FROM adoptions")) == ({}, [])
    assert hand.rows("SELECT * FROM position_differences") == before


def test_what_is_sold_by_hand_afterwards_ends_the_holding_as_that_of_any_fill(hand):
    adopt(hand)
    by_hand(hand, -50, "H2")
    look(hand)
    assert held(hand) == {}
    assert [n.kind for n in hand.notices][-1] == "HOLDING_CLEARED"


def test_no_such_client(hand):
    with pytest.raises(NotFound):
        adopt(hand, client_id="nobody")


def test_the_letters_of_a_symbol_and_a_named_place_make_no_difference(hand):
    done = adopt(hand, symbol=SYMBOL.lower(), exchange="nfo", product="mis")
    assert (done.symbol, done.exchange, done.product) == (SYMBOL, "NFO", "MIS")
    assert done.read_at > hand.clock.now() - timedelta(seconds=5)
