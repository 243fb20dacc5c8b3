"""The whole engine at the simulated broker over Alpaca's API: each order once, whatever its answer was."""

from decimal import Decimal

import pytest

from broker.simulated_exchange.model import Mark, SimOrder
from broker.simulator.alpaca import EXCHANGE, PRODUCT
from broker.simulator.exchange import ForcedOutcome
from broker.simulator.words import OrderTerms
from domain.enums import ExecutionType, OrderType, Side
from domain.states import Phase, Status
from tests.broker.alpaca.making import NUMBER, a_server, make
from tests.contract.simulated_broker import put_faults
from tests.support import MARKET_EXIT, Desk, leg

SYMBOL = "NIFTY26NOV24500CE"
PLACE = {"endpoint": "PlaceOrder", "times": 1}


@pytest.fixture
def desk(tmp_path):
    """A desk whose broker is ours over HTTP."""
    desk = Desk(tmp_path)
    desk.server = a_server(desk.clock)
    desk.broker = make(desk.server.url, desk.clock, tmp_path, horizon=20.0)
    desk.kill()
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    yield desk
    desk.broker.close()
    desk.server.stop()


def spin(desk, seconds):
    for _ in range(int(seconds * 2)):
        desk.engine.tick()
        desk.engine.refresh("default")
        desk.clock.advance(0.5)


def posted(desk, seconds, **changes):
    (order,) = desk.post(leg(SYMBOL, price=Decimal(100)), **changes)
    spin(desk, seconds)
    return desk.order(order.command_id)


def at_the_broker(desk):
    return [versions[-1].order for _, versions in desk.server.simulator.exchange.orders(NUMBER)]


def tags(desk):
    return [ticket.remarks for ticket, _ in desk.server.simulator.exchange.orders(NUMBER)]


def asked_to_place(desk):
    return desk.server.simulator.calls()["received"].get("PlaceOrder", 0)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse_after"},  # HTTP 504
        {"kind": "error_5xx_after"},
        {"kind": "drop_after"},
        {"kind": "truncate", "declared": "whole"},
        {"kind": "garbage"},
        {"kind": "refuse_after", "emsg": "42910000: rate limit exceeded", "status": 429},
        {"kind": "refuse_after", "emsg": "40110000: request is not authorized", "status": 401},
    ],
)
def test_an_order_whose_answer_says_otherwise_is_found_and_made_once(desk, fault):
    put_faults(desk.server, {**fault, **PLACE})
    order = posted(desk, 12)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert tags(desk) == [order.client_order_id]


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "error_5xx_before"}])
def test_an_order_that_never_came_is_sent_again_with_the_same_id(desk, fault):
    put_faults(desk.server, {**fault, **PLACE})
    order = posted(desk, 8)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert tags(desk) == [order.client_order_id] and asked_to_place(desk) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        {"kind": "refuse", "emsg": "42910000: rate limit exceeded", "status": 429},
        {"kind": "refuse", "emsg": "40110000: request is not authorized", "status": 401},
    ],
)
def test_an_order_that_was_turned_away_goes_later_with_the_same_id(desk, refusal):
    put_faults(desk.server, {**refusal, **PLACE})
    desk.broker._budgets.orders._sleep = lambda seconds: desk.clock.advance(max(seconds, 0.001))
    order = posted(desk, 90)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert tags(desk) == [order.client_order_id] and asked_to_place(desk) == 2


def test_an_order_that_the_book_shows_too_late_is_adopted_under_its_own_id(desk):
    """The answer is lost and the book lags: it is sent again, refused for its id, compared, and taken for ours."""
    lagging = {"kind": "lagging_book", "endpoint": "OrderBook", "seconds": 3600, "times": 6}
    by_id = {
        "kind": "failing_book",
        "endpoint": "SingleOrdHist",
        "times": 1,
        "status": 404,
        "emsg": "40410000: no",
    }
    put_faults(desk.server, {"kind": "drop_after", **PLACE}, lagging, by_id)
    order = posted(desk, 30)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert len(at_the_broker(desk)) == 1 and asked_to_place(desk) == 2
    assert order.attempts == 2


def test_an_order_that_is_accepted_late_is_one_with_the_one_that_was_sent_again(desk):
    put_faults(desk.server, {"kind": "late_acceptance", "seconds": 2.5, **PLACE})
    order = posted(desk, 3)
    assert order.phase is not Phase.REFUSED
    spin(desk, 60)
    assert desk.order(order.command_id).status is Status.EXECUTED
    assert len(at_the_broker(desk)) == 1


def another(desk, tag, **changes):
    """Somebody's order under an id of ours: of another database, another program, or a person."""
    wanted = {"quantity": Decimal(7), "side": Side.SELL, "symbol": SYMBOL} | changes
    ticket = OrderTerms("", 0, NUMBER, NUMBER, EXCHANGE, wanted["symbol"], PRODUCT, "DAY", tag)
    order = SimOrder(0, PRODUCT, wanted["side"], OrderType.LIMIT, wanted["quantity"], Decimal(100))
    desk.server.simulator.exchange.place(ticket, order, ForcedOutcome())


@pytest.mark.parametrize("changes", [{}, {"side": Side.BUY}, {"symbol": "MSFT", "side": Side.BUY}])
def test_another_order_under_our_id_is_refused_loudly_and_never_counted(desk, changes):
    (order,) = desk.post(leg(SYMBOL, price=Decimal(100)))
    another(desk, order.client_order_id, **changes)
    spin(desk, 10)
    order = desk.order(order.command_id)
    assert (order.status, order.tag) == (Status.FAILED, "BROKER_REJECTED:ID_IN_USE")
    assert order.filled_quantity == 0 and "was not taken" in order.reason_message
    assert len(at_the_broker(desk)) == 1
    assert any("ORDER FAILED" in desk._render(notice) for notice in list(desk.notices))


def test_another_order_under_our_id_is_not_followed_where_the_refusal_was_lost(desk):
    (order,) = desk.post(leg(SYMBOL, price=Decimal(100)))
    another(desk, order.client_order_id)
    put_faults(desk.server, {"kind": "drop_after", **PLACE})
    spin(desk, 90)
    order = desk.order(order.command_id)
    assert (order.status, order.tag) == (Status.FAILED, "BROKER_ABSENT:PROVEN")
    assert order.filled_quantity == 0 and len(at_the_broker(desk)) == 1


def test_a_part_that_is_filled_counts_and_the_rest_is_taken_back(desk):
    desk.server.simulator.exchange.set_mark(
        EXCHANGE, SYMBOL, Mark(Decimal(100), Decimal(20)), ls=None, ti=None
    )
    order = posted(desk, 6)
    assert (order.phase, order.filled_quantity) == (Phase.PARTIALLY_FILLED, 20)
    desk.commands.cancel(order.command_id, by="op", reason="enough")
    spin(desk, 6)
    order = desk.order(order.command_id)
    assert (order.status, order.filled_quantity) == (Status.FAILED, 20)
    assert order.tag == "BROKER_CANCELLED"


def test_a_cancel_that_comes_after_the_last_fill_changes_nothing(desk):
    desk.server.simulator.exchange.set_mark(EXCHANGE, SYMBOL, Mark(Decimal(120)), ls=None, ti=None)
    order = posted(desk, 4)
    assert order.phase is Phase.WORKING
    desk.commands.cancel(order.command_id, by="op", reason="too late")
    desk.server.simulator.exchange.set_mark(EXCHANGE, SYMBOL, Mark(Decimal(99)), ls=None, ti=None)
    spin(desk, 8)
    order = desk.order(order.command_id)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)


def test_an_exit_closes_what_is_held_fractions_included(desk):
    (order,) = desk.post(leg(SYMBOL, price=Decimal(100), quantity=Decimal("1.25")), signal_id="in")
    spin(desk, 8)
    assert desk.order(order.command_id).filled_quantity == Decimal("1.25")
    (out,) = desk.post(MARKET_EXIT, execution_type=ExecutionType.EXIT, signal_id="out")
    spin(desk, 10)
    out = desk.order(out.command_id)
    assert (out.status, out.quantity) == (Status.EXECUTED, Decimal("1.25"))
    assert [order.side.value for order in at_the_broker(desk)] == ["BUY", "SELL"]
    assert desk.broker.read_positions().net("NFO", SYMBOL, "MIS") == 0
