"""The limit that stands for a market order: it trades at once, on a tick, within the band, and never at any price."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.protection import Quote, protected, told
from domain.enums import OrderType, Side
from domain.errors import ReadFailed
from tests.broker.noren.making import d
from tests.contract.broker_contract import a_command

TICKS = st.sampled_from([d("0.0025"), d("0.01"), d("0.05"), d("0.1"), d("1"), d("5")])
PERCENTS = st.sampled_from([d("0.01"), d("0.5"), d("3"), d("7.5"), d("20")])
SIDES = st.sampled_from(Side)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """A book that stands within the day's band, all of it on the tick; any price may be missing but one."""
    tick = draw(TICKS)
    low, bid, offer, high = sorted(draw(st.lists(st.integers(1, 100_000), min_size=4, max_size=4)))
    last = draw(st.integers(low, high))

    def maybe(ticks: int) -> Decimal | None:
        return draw(st.sampled_from([ticks * tick, None]))

    return Quote(tick, maybe(bid), maybe(offer), last * tick, maybe(low), maybe(high))


def better(price: Decimal, than: Decimal, side: Side) -> Decimal:
    """How much more one is ready to pay, or how much less to take."""
    return (price - than) * side.sign


def base(quote: Quote, side: Side) -> Decimal:
    price = (quote.offer if side is Side.BUY else quote.bid) or quote.last
    assert price is not None
    return price


@given(quotes(), SIDES, PERCENTS)
def test_a_market_order_becomes_a_limit_that_trades_at_once(quote, side, percent):
    sent = protected(a_command(side=side, price=d("7")), quote, percent)
    assert sent.order_type is OrderType.LIMIT
    assert better(sent.price, base(quote, side), side) >= 0
    assert sent.price > 0 and sent.price % quote.tick == 0
    assert (quote.low or 0) <= sent.price <= (quote.high or sent.price)


@given(quotes(), SIDES, PERCENTS)
def test_it_lies_as_far_beyond_the_market_as_it_may_and_no_further(quote, side, percent):
    price = protected(a_command(side=side), quote, percent).price
    asked = max(base(quote, side) * percent / 100, 10 * quote.tick)
    edge = quote.high if side is Side.BUY else quote.low or quote.tick
    at_edge = edge is not None and price == edge
    assert better(price, base(quote, side), side) >= asked or at_edge
    assert better(price, base(quote, side), side) < asked + quote.tick or at_edge


@given(quotes(), SIDES, PERCENTS, st.integers(1, 120_000))
def test_a_stop_keeps_its_trigger_and_its_limit_is_never_on_the_wrong_side_of_it(quote, side, percent, ticks):
    trigger = ticks * quote.tick
    command = a_command(side=side, order_type=OrderType.STOP, trigger_price=trigger)
    sent = protected(command, quote, percent)
    assert (sent.order_type, sent.trigger_price) == (OrderType.STOP_LIMIT, trigger)
    assert better(sent.price, trigger, side) >= 0
    assert sent.price > 0 and sent.price % quote.tick == 0
    if (quote.low or 0) <= trigger <= (quote.high or trigger):
        assert (quote.low or 0) <= sent.price <= (quote.high or sent.price)


@given(quotes(), SIDES, PERCENTS)
def test_nothing_else_of_the_command_changes(quote, side, percent):
    command = a_command(side=side)
    sent = protected(command, quote, percent)
    same = ("command_id", "client_order_id", "execution_type", "symbol", "side", "quantity", "trigger_price")
    assert [getattr(sent, name) for name in same] == [getattr(command, name) for name in same]


@given(quotes(), SIDES, PERCENTS, st.sampled_from([OrderType.LIMIT, OrderType.STOP_LIMIT]))
def test_an_order_that_names_its_limit_stays_as_it_is(quote, side, percent, order_type):
    command = a_command(side=side, order_type=order_type, price=d("3"), trigger_price=d("2"))
    assert protected(command, quote, percent) is command


@given(SIDES, TICKS, st.integers(1, 1000), st.integers(1, 1000))
def test_beyond_the_band_a_market_order_waits_at_its_edge(side, tick, edge, beyond):
    """The band is of the whole day, and the book may have left it a moment ago."""
    assume(edge > beyond or side is Side.BUY)
    market = (edge + beyond * side.sign) * tick
    quote = Quote(tick, last=market, low=edge * tick, high=edge * tick)
    assert protected(a_command(side=side), quote, d("3")).price == edge * tick


@pytest.mark.parametrize(
    ("side", "quote", "price"),
    [
        (Side.BUY, Quote(d("0.05"), d("105"), d("106"), d("90")), "109.2"),
        (Side.SELL, Quote(d("0.05"), d("105"), d("106"), d("90")), "101.85"),
        (Side.BUY, Quote(d("0.05"), d("105"), None, d("90")), "92.7"),
        (Side.BUY, Quote(d("0.05"), None, d("106.05"), None), "109.25"),
        (Side.SELL, Quote(d("0.05"), d("106.05"), None, None), "102.85"),
        (Side.BUY, Quote(d("0.05"), None, d("2"), None), "2.5"),
        (Side.SELL, Quote(d("0.05"), d("0.3"), None, None), "0.05"),
        (Side.BUY, Quote(d("0.05"), None, d("106"), None, d("80"), d("108.03")), "108"),
        (Side.SELL, Quote(d("0.05"), d("105"), None, None, d("104.02"), d("120")), "104.05"),
    ],
)
def test_some_limits(side, quote, price):
    assert protected(a_command(side=side), quote, d("3")).price == d(price)


@pytest.mark.parametrize("side", Side)
def test_without_any_price_of_its_side_there_is_no_limit(side):
    empty = Quote(
        d("0.05"), bid=d("5") if side is Side.BUY else None, offer=d("5") if side is Side.SELL else None
    )
    with pytest.raises(ReadFailed, match="has no price"):
        protected(a_command(side=side), empty, d("3"))


def test_a_stop_needs_no_price_of_the_market():
    command = a_command(side=Side.SELL, order_type=OrderType.STOP, trigger_price=d("100"))
    assert protected(command, Quote(d("0.05")), d("3")).price == d("97")


def test_what_was_sent_is_told():
    quote = Quote(d("0.05"), offer=d("106"))
    limit = protected(a_command(), quote, d("3"))
    assert told(limit) == "sent as a limit order at 109.2: the broker takes no market orders"
    stop = protected(a_command(order_type=OrderType.STOP, trigger_price=d("106")), quote, d("3"))
    assert told(stop) == "sent as a stop order with the limit 109.2: the broker takes no market orders"


@pytest.mark.parametrize(
    ("side", "worst", "price"),
    [(Side.SELL, "98.02", "98.05"), (Side.BUY, "101.98", "101.95"), (Side.SELL, "90", "97")],
)
def test_no_limit_lies_beyond_the_worst_price_of_an_exit(side, worst, price):
    quote = Quote(d("0.05"), d("100"), d("100"), d("100"))
    command = replace(a_command(order_type=OrderType.MARKET, side=side, price=None), worst_price=d(worst))
    assert protected(command, quote, d(3)).price == d(price)
