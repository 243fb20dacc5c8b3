"""Realised profit and loss, first in first out: worked examples, and sums that hold for any fills."""

import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import ZERO
from domain.pnl import (
    DayResult,
    EventRow,
    FillSeen,
    Lot,
    Place,
    PnlBook,
    adjusted,
    after_fill,
    closed,
    day_pnl_of,
    fills_after,
    first_of_day,
)
from domain.times import time_text

AT = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
HERE = Place("alice", "STRADDLE", "NFO", "NIFTY")


def fill(units: object, price: object, id_: str = "o1") -> FillSeen:
    u, p = Decimal(str(units)), None if price is None else Decimal(str(price))
    return FillSeen(1, id_, AT, HERE, u, None if p is None else u * p, p)


def after(*fills: FillSeen) -> tuple[PnlBook, Decimal]:
    book, total = PnlBook(HERE), ZERO
    for each in fills:
        book, realized = after_fill(book, each)
        total += realized
    return book, total


def test_the_oldest_units_are_closed_first():
    book, realized = after(fill(50, 100), fill(50, 120), fill(-60, 130))
    assert realized == 50 * 30 + 10 * 10
    assert book.lots == (Lot(Decimal(40), Decimal(40 * 120)),)


def test_what_is_sold_first_is_closed_by_buying():
    book, realized = after(fill(-50, 100), fill(30, 90))
    assert (realized, book.net) == (Decimal(300), Decimal(-20))


def test_a_fill_beyond_what_is_open_opens_the_other_side():
    book, realized = after(fill(50, 100), fill(-80, 110))
    assert (realized, book.lots) == (Decimal(500), (Lot(Decimal(-30), Decimal(-3300)),))


def test_while_a_price_is_not_known_neither_is_the_sum_and_it_is_right_once_it_is():
    book, _ = after(fill(50, None))
    day = DayResult(HERE, DAY)
    assert day_pnl_of([book], [day], {("NFO", "NIFTY"): Decimal(110)})["STRADDLE"].total is None
    book, correction = after_fill(book, FillSeen(2, "o1", AT, HERE, ZERO, Decimal(5000), Decimal(100)))
    known = day_pnl_of([book], [day.after(book, correction)], {("NFO", "NIFTY"): Decimal(110)})
    assert known["STRADDLE"].total == Decimal(500)


def test_a_symbol_without_a_price_makes_its_strategy_unknown_and_no_other():
    other = Place("alice", "OTHER", "NFO", "BANKNIFTY")
    books = [after(fill(50, 100))[0], PnlBook(other, (Lot(Decimal(1), Decimal(7)),))]
    found = day_pnl_of(books, [], {("NFO", "BANKNIFTY"): Decimal(9)})
    assert found["STRADDLE"].total is None and "NIFTY" in found["STRADDLE"].unknown
    assert found["OTHER"].total == Decimal(2)


def test_what_was_unrealised_yesterday_is_no_result_of_today():
    book, _ = after(fill(50, 100))
    yesterday = DayResult(HERE, date(2026, 11, 19), unrealized=Decimal(500))
    today = first_of_day(HERE, DAY, book, yesterday)
    assert day_pnl_of([book], [today], {("NFO", "NIFTY"): Decimal(107)})["STRADDLE"].total == -150
    assert first_of_day(HERE, DAY, PnlBook(HERE), yesterday).carried == 0, "what was closed is not carried"


def test_units_closed_by_hand_count_at_the_last_price():
    book, _ = after(fill(50, 100))
    flat, realized = adjusted(book, ZERO, Decimal(104))
    assert (flat.lots, flat.unpriced, realized) == ((), frozenset(), Decimal(200))
    unknown, _ = adjusted(book, ZERO, None)
    assert day_pnl_of([unknown], [], {})["STRADDLE"].total is None


def event(event_id: int, command_id: str, **detail: object) -> EventRow:
    return EventRow(event_id, command_id, time_text(AT), json.dumps(detail))


ENTRY = {
    "client_id": "alice",
    "strategy_name": "STRADDLE",
    "exchange": "NFO",
    "symbol": "NIFTY",
    "side": "BUY",
    "filled_quantity": "0",
}


def test_the_history_of_orders_says_what_each_event_filled():
    rows = [
        event(1, "a", **ENTRY),
        event(2, "a", filled_quantity="20", average_price="100"),
        event(3, "b", **{**ENTRY, "side": "SELL", "test_mode": "SUCCESS"}),
        event(4, "b", filled_quantity="50", average_price="1"),
        event(5, "a", filled_quantity="50", average_price="101.2"),
    ]
    assert [(f.units, f.cost) for f in fills_after(rows, 0)] == [
        (Decimal(20), Decimal(2000)),
        (Decimal(30), Decimal(3060)),
    ]
    assert [f.event_id for f in fills_after(rows, 2)] == [5], "what is counted is not counted again"


def test_a_price_that_comes_later_is_a_fill_of_no_units():
    rows = [event(1, "a", **ENTRY), event(2, "a", filled_quantity="20"), event(3, "a", average_price="100")]
    assert [(f.units, f.cost) for f in fills_after(rows, 0)] == [
        (Decimal(20), None),
        (ZERO, Decimal(2000)),
    ]


UNITS = st.integers(-20, 20).filter(bool).map(lambda n: Decimal(n) / 4)
PRICES = st.integers(1, 10**7).map(lambda n: Decimal(n) / 100)


def unit_by_unit(fills: list[tuple[Decimal, Decimal]]) -> Decimal:
    """What first in first out realises, each quarter of a unit for itself."""
    queue: list[tuple[int, Decimal]] = []
    realized = ZERO
    for units, price in fills:
        sign = 1 if units > 0 else -1
        for _ in range(int(abs(units) * 4)):
            if queue and queue[0][0] != sign:
                realized += (price - queue.pop(0)[1]) * -sign / 4
            else:
                queue.append((sign, price))
    return realized


def check(fills: list[tuple[Decimal, Decimal]]) -> None:
    lots: tuple[Lot, ...] = ()
    cash = realized = net = ZERO
    for units, price in fills:
        lots, gained = closed(lots, units, units * price)
        cash, realized, net = cash - units * price, realized + gained, net + units
        assert sum(lot.units for lot in lots) == net, "never other units than were traded"
        assert all(lot.units * net > 0 for lot in lots), "one side only"
        assert realized == cash + sum((lot.cost for lot in lots), ZERO), "to the last digit"
    assert abs(realized - unit_by_unit(fills)) < Decimal("0.000001"), "the oldest first"


@given(st.lists(st.tuples(UNITS, PRICES), max_size=8))
def test_realised_is_cash_plus_the_cost_of_what_is_open(fills):
    check(fills)


@pytest.mark.gate
def test_realised_is_cash_plus_the_cost_of_what_is_open_in_ten_thousand_cases():
    for seed in range(10_000):
        chance = random.Random(seed)
        check(
            [
                (
                    Decimal(chance.choice((-1, 1)) * chance.randint(1, 40)) / 4,
                    Decimal(chance.randint(1, 10**7)) / 100,
                )
                for _ in range(chance.randint(1, 12))
            ]
        )
