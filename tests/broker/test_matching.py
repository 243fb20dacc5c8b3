"""The simulated exchange: what fills, when, at which price, and that nothing is ever made up or lost."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.simulated_exchange import matching
from broker.simulated_exchange.model import (
    Fill,
    Mark,
    Market,
    MarketStep,
    NetPosition,
    Rejection,
    Rules,
    SimOrder,
)
from domain.broker_reports import BrokerStatus
from domain.enums import OrderType, Side
from domain.errors import Refused
from domain.money import ZERO

DAY = date(2026, 11, 20)
RULES = Rules(Decimal("0.05"))
SLIPPING = Rules(Decimal("0.05"), slippage_ticks=2)


def order(type_=OrderType.MARKET, side=Side.BUY, quantity=10, sequence=1, product="MIS", **prices):
    numbers: dict[str, Any] = {name: Decimal(str(price)) for name, price in prices.items()}
    return SimOrder(sequence, product, side, type_, Decimal(quantity), **numbers)


def at(price, available=None):
    return Market(Mark(Decimal(str(price)), None if available is None else Decimal(available)))


def place(market, new, rules=RULES):
    return matching.place(market, new, rules, day=DAY)


def move(market, price, available=None, rules=RULES):
    return matching.set_mark(market, at(price, available).mark, rules, day=DAY)


def traded(step):
    return [(fill.order.sequence, fill.quantity, fill.price) for fill in step.fills]


# when and at which price --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.10"), (Side.SELL, "99.90")])
def test_a_market_order_fills_at_the_mark_with_slippage_against_it(side, price):
    step = place(at(100), order(side=side), SLIPPING)
    assert traded(step) == [(1, 10, Decimal(price))]
    assert step.changed[0].status is BrokerStatus.COMPLETE and not step.market.resting


def test_slippage_never_makes_a_price_that_is_not_positive():
    assert traded(place(at("0.05"), order(side=Side.SELL), SLIPPING)) == [(1, 10, Decimal("0.05"))]
    assert traded(place(at("0.02"), order(side=Side.SELL), SLIPPING)) == [(1, 10, Decimal("0.02"))]


@pytest.mark.parametrize(
    ("side", "mark", "filled_at"),
    [
        (Side.BUY, "112.45", "112.5"),  # the mark with slippage would be worse than the limit
        (Side.BUY, "110", "110.1"),
        (Side.BUY, "112.5", "112.5"),
        (Side.BUY, "112.55", None),
        (Side.SELL, "112.55", "112.5"),
        (Side.SELL, "115", "114.9"),
        (Side.SELL, "112.5", "112.5"),
        (Side.SELL, "112.45", None),
    ],
)
def test_a_limit_order_fills_once_the_mark_crosses_at_the_better_price(side, mark, filled_at):
    step = place(at(mark), order(OrderType.LIMIT, side, price="112.5"), SLIPPING)
    assert traded(step) == ([] if filled_at is None else [(1, 10, Decimal(filled_at))])
    assert step.changed[0].status is (BrokerStatus.OPEN if filled_at is None else BrokerStatus.COMPLETE)


def test_a_resting_limit_order_fills_when_the_mark_reaches_it():
    rests = place(at(120), order(OrderType.LIMIT, price="112.5")).market
    assert not move(rests, "112.55").fills
    assert traded(move(rests, "112.5")) == [(1, 10, Decimal("112.5"))]


@pytest.mark.parametrize(("side", "before", "beyond"), [(Side.BUY, 99, 103), (Side.SELL, 103, 97)])
def test_a_stop_waits_for_its_trigger_and_then_trades_at_the_mark(side, before, beyond):
    trigger = 101 if side is Side.BUY else 99
    waits = place(at(before), order(OrderType.STOP, side, trigger_price=trigger))
    assert waits.changed[0].status is BrokerStatus.TRIGGER_PENDING
    assert traded(move(waits.market, beyond)) == [(1, 10, Decimal(beyond))]
    assert traded(move(waits.market, trigger)) == [(1, 10, Decimal(trigger))]


def test_a_stop_beyond_the_mark_triggers_at_once():
    assert traded(place(at(105), order(OrderType.STOP, trigger_price=101))) == [(1, 10, Decimal(105))]


def test_a_stop_in_a_market_without_a_price_waits_for_the_first_one():
    waits = place(Market(), order(OrderType.STOP, Side.SELL, trigger_price=99))
    assert waits.changed[0].status is BrokerStatus.TRIGGER_PENDING
    assert not move(waits.market, 100).fills
    assert traded(move(waits.market, 98)) == [(1, 10, Decimal(98))]


def test_a_stop_limit_works_as_a_limit_order_once_it_is_triggered():
    step = place(at(99), order(OrderType.STOP_LIMIT, trigger_price=101, price=102))
    assert step.changed[0].status is BrokerStatus.TRIGGER_PENDING
    jumped = move(step.market, 103)
    assert [o.status for o in jumped.changed] == [BrokerStatus.OPEN] and not jumped.fills
    assert traded(move(jumped.market, "100.5")) == [(1, 10, Decimal("100.5"))]


# how much -----------------------------------------------------------------------------------------------------


def test_limited_liquidity_fills_the_most_aggressive_first_then_the_oldest():
    market = at(120)
    limits = {1: "112.5", 2: "113", 3: "113", 4: "111"}
    for sequence, price in limits.items():
        market = place(market, order(OrderType.LIMIT, sequence=sequence, price=price)).market
    step = move(market, 112, 25)
    assert [(sequence, quantity) for sequence, quantity, _ in traded(step)] == [(2, 10), (3, 10), (1, 5)]
    partly = step.market.order(1)
    assert (partly.status, partly.filled_quantity) == (BrokerStatus.OPEN, Decimal(5))
    rest = move(step.market, 110)
    assert traded(rest) == [(1, 5, Decimal(110)), (4, 10, Decimal(110))]
    done = {o.sequence: o for o in rest.changed}
    assert done[1].average_price == Decimal("111") and done[1].status is BrokerStatus.COMPLETE


def test_a_market_order_waits_for_liquidity_and_goes_first_when_it_comes():
    market = place(at(100, 4), order(OrderType.LIMIT, sequence=1, price=90)).market
    step = place(market, order(sequence=2))
    assert traded(step) == [(2, 4, Decimal(100))]
    assert traded(move(step.market, 90, 12)) == [(2, 6, Decimal(90)), (1, 6, Decimal(90))]


# cancel and modify --------------------------------------------------------------------------------------------


def test_a_cancelled_order_keeps_its_fills_and_trades_no_more():
    step = matching.cancel(place(at(100, 4), order()).market, 1)
    assert (step.changed[0].status, step.changed[0].filled_quantity) == (BrokerStatus.CANCELLED, Decimal(4))
    assert not move(step.market, 100).fills
    with pytest.raises(Refused):
        matching.cancel(step.market, 1)


def test_a_modified_order_fills_when_its_new_price_allows():
    market = place(at(100), order(OrderType.LIMIT, price=90)).market
    step = matching.modify(market, 1, RULES, day=DAY, price=Decimal(100), quantity=Decimal(7))
    assert traded(step) == [(1, 7, Decimal(100))]


def test_a_modified_order_that_stays_is_reported_too():
    market = place(at(100), order(OrderType.STOP, trigger_price=110)).market
    step = matching.modify(market, 1, RULES, day=DAY, trigger_price=Decimal(120))
    assert step.changed == step.market.resting and step.changed[0].trigger_price == 120


def test_a_modification_below_what_is_filled_is_refused():
    market = place(at(100, 4), order()).market
    with pytest.raises(Refused, match="already filled"):
        matching.modify(market, 1, RULES, day=DAY, quantity=Decimal(4))


def test_a_modification_to_what_cannot_be_is_refused():
    market = place(at(100), order(OrderType.LIMIT, price=90)).market
    for change in ({"price": Decimal(0)}, {"quantity": Decimal(-1)}):
        with pytest.raises(Refused, match="not positive"):
            matching.modify(market, 1, RULES, day=DAY, **change)


# refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (order(quantity=0), "QUANTITY_INVALID"),
        (order(quantity=-1), "QUANTITY_INVALID"),
        (order(quantity="NaN"), "QUANTITY_INVALID"),
        (order(quantity="1E+30"), "QUANTITY_INVALID"),
        (order(OrderType.LIMIT), "PRICE_MISSING"),
        (order(OrderType.LIMIT, price=0), "PRICE_INVALID"),
        (order(OrderType.STOP), "TRIGGER_PRICE_MISSING"),
        (order(OrderType.STOP_LIMIT, trigger_price=5), "PRICE_MISSING"),
        (order(OrderType.STOP_LIMIT, price=5), "TRIGGER_PRICE_MISSING"),
    ],
)
def test_an_order_that_cannot_be_is_refused(bad, code):
    with pytest.raises(Refused) as refusal:
        place(at(100), bad)
    assert refusal.value.code == code


def test_a_market_order_without_any_price_is_refused():
    with pytest.raises(Refused) as refusal:
        place(Market(), order())
    assert refusal.value.code == "NO_PRICE"


def test_a_simulated_rejection_is_of_the_request_or_of_the_order():
    with pytest.raises(Refused, match="no margin") as refusal:
        matching.place(at(100), order(), RULES, day=DAY, rejection=Rejection("RMS", "no margin"))
    assert refusal.value.code == "RMS"
    later = Rejection("RMS", "no margin", later=True)
    step = matching.place(at(100), order(), RULES, day=DAY, rejection=later)
    assert (step.changed[0].status, step.changed[0].code) == (BrokerStatus.REJECTED, "RMS")
    assert not step.market.resting and not step.fills


@pytest.mark.parametrize(("price", "available"), [(0, None), (-1, None), ("NaN", None), (100, -1)])
def test_a_mark_that_is_no_price_is_refused(price, available):
    with pytest.raises(Refused):
        move(Market(), price, available)


# positions ----------------------------------------------------------------------------------------------------


def after(*fills, day=DAY):
    position = NetPosition()
    for signed, price in fills:
        position = position.after(Decimal(signed), Decimal(str(price)), day=day)
    return position


def test_adding_to_a_position_weighs_its_average_price():
    position = after((10, 100), (30, 104))
    assert (position.net_quantity, position.average_price, position.realized_pnl) == (40, 103, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_reducing_realizes_and_keeps_the_average_price(sign):
    position = after((10 * sign, 100), (-4 * sign, 110))
    assert (position.net_quantity, position.average_price) == (6 * sign, 100)
    assert position.realized_pnl == 40 * sign
    assert position.unrealized(Decimal(90)) == -60 * sign


@pytest.mark.parametrize("sign", [1, -1])
def test_through_zero_the_rest_opens_at_the_price_of_the_reversal(sign):
    position = after((10 * sign, 100), (-25 * sign, 110))
    assert (position.net_quantity, position.average_price) == (-15 * sign, 110)
    assert position.realized_pnl == 100 * sign


def test_a_closed_position_has_no_average_price_and_no_open_cost():
    position = after((3, "33.33"), (7, "33.34"), (-10, 34))
    assert (position.net_quantity, position.open_cost, position.average_price) == (0, 0, None)


def test_realized_profit_begins_anew_with_the_trading_day():
    position = after((10, 100), (-5, 110))
    tomorrow = DAY + timedelta(days=1)
    assert position.realized_on(DAY) == 50
    assert position.realized_on(tomorrow) == 0
    assert position.after(Decimal(-5), Decimal(101), day=tomorrow).realized_on(tomorrow) == 5


# whatever happens ---------------------------------------------------------------------------------------------

prices = st.decimals("0.05", "300", places=2)
quantities = st.decimals("0.001", "100", places=3)
placings = st.tuples(
    st.just("place"),
    st.builds(
        SimOrder,
        sequence=st.just(0),
        product=st.sampled_from(["MIS", "NRML"]),
        side=st.sampled_from(Side),
        order_type=st.sampled_from(OrderType),
        quantity=quantities,
        price=prices,
        trigger_price=prices,
    ),
)
cancels = st.tuples(st.just("cancel"), st.integers(1, 20))
modifications = st.tuples(st.just("modify"), st.integers(1, 20), quantities, prices)
marks = st.tuples(st.just("mark"), prices, st.none() | quantities)
events = st.lists(st.one_of(placings, placings, marks, marks, cancels, modifications), max_size=30)


@dataclass
class Run:
    """An account to which events happen; what ever came back is kept."""

    rules: Rules
    market: Market = field(default_factory=Market)
    orders: dict[int, SimOrder] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)

    def happen(self, event) -> None:
        try:
            step = self._step(event)
        except Refused:
            return
        self.market = step.market
        self.orders |= {o.sequence: o for o in step.changed}
        self.fills += step.fills

    def _step(self, event) -> MarketStep:
        match event:
            case ("place", SimOrder() as new):
                numbered = SimOrder(
                    len(self.orders) + 1, new.product, new.side, new.order_type, new.quantity,
                    new.price, new.trigger_price,
                )  # fmt: skip
                return matching.place(self.market, numbered, self.rules, day=DAY)
            case ("mark", price, available):
                return matching.set_mark(self.market, Mark(price, available), self.rules, day=DAY)
            case ("cancel", sequence):
                return matching.cancel(self.market, sequence)
            case ("modify", sequence, quantity, price):
                return matching.modify(
                    self.market, sequence, self.rules, day=DAY, quantity=quantity, price=price
                )
        raise AssertionError(event)


@given(events, st.integers(0, 3))
def test_nothing_is_made_up_or_lost(happenings, slippage_ticks):
    run = Run(Rules(Decimal("0.05"), slippage_ticks))
    for event in happenings:
        run.happen(event)
        for sequence, each in run.orders.items():
            own = [f for f in run.fills if f.order.sequence == sequence]
            assert each.filled_quantity == sum((f.quantity for f in own), ZERO) <= each.quantity
            assert each.filled_value == sum((f.quantity * f.price for f in own), ZERO)
            assert (each.status is BrokerStatus.COMPLETE) == (each.open_quantity == 0)
        for product, position in run.market.positions.items():
            own = [f for f in run.fills if f.order.product == product]
            assert position.net_quantity == sum((f.signed for f in own), ZERO)
            assert run.market.mark is not None
            price = run.market.mark.price
            worth = sum((f.signed * (price - f.price) for f in own), ZERO)
            assert position.realized_pnl + position.unrealized(price) == worth


@given(events, st.integers(0, 3))
def test_what_rests_is_what_is_live_and_cannot_trade(happenings, slippage_ticks):
    run = Run(Rules(Decimal("0.05"), slippage_ticks))
    for event in happenings:
        run.happen(event)
        assert run.market.resting == tuple(o for o in run.orders.values() if o.is_live)
        mark = run.market.mark
        if mark is not None and mark.available != 0:
            again = matching.set_mark(run.market, mark, run.rules, day=DAY)
            assert not again.changed and again.market == run.market


@given(events, st.integers(0, 3))
def test_a_limit_is_kept_and_liquidity_is_not_exceeded(happenings, slippage_ticks):
    run = Run(Rules(Decimal("0.05"), slippage_ticks))
    for event in happenings:
        count, before = len(run.fills), run.market.mark
        run.happen(event)
        new = run.fills[count:]
        for fill in new:
            limit, sign = fill.order.limit, fill.order.side.sign
            assert limit is None or fill.price * sign <= limit * sign
        mark = Mark(*event[1:]) if event[0] == "mark" else before
        if mark is not None and mark.available is not None:
            assert sum((f.quantity for f in new), ZERO) <= mark.available


@given(st.lists(st.integers(80, 120), min_size=2, max_size=6, unique=True))
def test_scarce_units_go_to_the_highest_bid(limits):
    market = at(200)
    for sequence, limit in enumerate(limits, 1):
        market = place(market, order(OrderType.LIMIT, sequence=sequence, price=limit)).market
    filled = [fill.order.limit for fill in move(market, 80, 15).fills]
    assert filled == sorted(limits, reverse=True)[: len(filled)] and len(filled) == 2
    assert all(better > worse for better, worse in pairwise(filled))
