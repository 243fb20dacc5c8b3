"""The vendor's own client takes the simulator for Alpaca.

So our reading of the wire is tried against the client that users have, and not against our own adapter alone.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import StockLatestTradeRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, PositionSide, QueryOrderStatus, TimeInForce
from alpaca.trading.models import Order
from alpaca.trading.requests import (
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
)

from broker.alpaca.adapter import AlpacaBroker
from broker.simulator.alpaca import EXCHANGE
from broker.simulator.server import SimulatorServer
from domain.broker_reports import BrokerStatus, OrderRef
from domain.enums import OrderType, Side
from domain.errors import Refused
from tests.broker.alpaca.making import KEY, NUMBER, SECRET, TAG, a_server, make
from tests.contract.broker_contract import SYMBOL, ContractClock, a_command, a_resting_command
from tests.contract.simulated_broker import put_faults

ENTRY = {"symbol": "AAPL", "qty": 50, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
ALL = QueryOrderStatus.ALL


@pytest.fixture
def clock() -> ContractClock:
    return ContractClock()


@pytest.fixture
def server(clock: ContractClock) -> Iterator[SimulatorServer]:
    server = a_server(clock)
    mark(server, "AAPL", "112.5")
    yield server
    server.stop()


def client_at(server: SimulatorServer, key: str = KEY, secret: str = SECRET) -> TradingClient:
    client = TradingClient(key, secret, paper=True, url_override=server.url)
    client._retry = 0  # else it sends a POST again after 429 and 504, three times, seconds apart
    return client


@pytest.fixture
def alpaca(server: SimulatorServer) -> TradingClient:
    return client_at(server)


@pytest.fixture
def ours(server: SimulatorServer, clock: ContractClock, tmp_path) -> AlpacaBroker:
    return make(server.url, clock, tmp_path)


def mark(server: SimulatorServer, symbol: str, price: str) -> None:
    body = {"exch": EXCHANGE, "tsym": symbol, "price": price}
    requests.post(f"{server.url}/_mark", json=body, timeout=5).raise_for_status()


def market(alpaca: TradingClient, **changes: Any) -> Order:
    order = alpaca.submit_order(MarketOrderRequest(**{**ENTRY, "client_order_id": TAG, **changes}))
    assert isinstance(order, Order)
    return order


def limit(alpaca: TradingClient, **changes: Any) -> Order:
    order = alpaca.submit_order(LimitOrderRequest(**{**ENTRY, "limit_price": 90, **changes}))
    assert isinstance(order, Order)
    return order


def failed(call: Any) -> tuple[int, int, str]:
    """The HTTP status, the broker's code and its text."""
    with pytest.raises(APIError) as caught:
        call()
    return caught.value.status_code, caught.value.code, caught.value.message


@pytest.mark.parametrize(("key", "secret"), [("another", SECRET), (KEY, "another"), (SECRET, KEY)])
def test_no_call_goes_without_the_pair_of_keys(server, key, secret):
    alpaca = client_at(server, key, secret)
    calls = (alpaca.get_orders, alpaca.get_all_positions, alpaca.get_account, lambda: market(alpaca))
    for call in calls:
        assert failed(call) == (401, 40110000, "request is not authorized")


def test_a_filled_order_is_in_every_book(alpaca, server, ours):
    order = market(alpaca)
    assert (order.status, order.qty, order.filled_qty) == (OrderStatus.PENDING_NEW, "50", "0")
    row = alpaca.get_order_by_id(order.id)
    assert (row.status, row.filled_qty, row.filled_avg_price) == (OrderStatus.FILLED, "50", "112.50")
    assert alpaca.get_order_by_client_id(TAG) == row and row.filled_at is not None
    assert alpaca.get_orders() == []  # open ones alone, unless it is asked for all
    assert alpaca.get_orders(GetOrdersRequest(status=ALL)) == [row]
    mark(server, "AAPL", "114.5")
    [position] = alpaca.get_all_positions()
    assert (position.qty, position.avg_entry_price, position.side) == ("50", "112.50", PositionSide.LONG)
    assert (position.current_price, position.unrealized_intraday_pl) == ("114.50", "100.00")
    account = alpaca.get_account()
    assert (account.account_number, account.equity, account.last_equity) == (
        NUMBER, "1000100.00", "1000000.00",
    )  # fmt: skip
    [trade] = ours.trades()
    assert (UUID(trade.broker_order_id), trade.quantity, trade.price) == (order.id, 50, Decimal("112.5"))


def test_a_short_position_has_a_negative_quantity(alpaca, ours):
    market(alpaca, side=OrderSide.SELL, qty=1.25)
    [position] = alpaca.get_all_positions()
    assert (position.qty, position.side) == ("-1.25", PositionSide.SHORT)
    assert ours.read_positions().net("NFO", "AAPL", "MIS") == Decimal("-1.25")


def test_a_resting_order_is_cancelled_once(alpaca):
    order = limit(alpaca)
    assert [row.status for row in alpaca.get_orders()] == [OrderStatus.NEW]
    alpaca.cancel_order_by_id(order.id)
    assert alpaca.get_order_by_id(order.id).status is OrderStatus.CANCELED
    assert failed(lambda: alpaca.cancel_order_by_id(order.id)) == (
        422, 42210000, 'order is already in "canceled" state',
    )  # fmt: skip
    assert failed(lambda: alpaca.cancel_order_by_id(uuid4()))[:2] == (404, 40410000)


def test_an_id_is_taken_once_for_ever(alpaca):
    order = limit(alpaca, client_order_id=TAG)
    alpaca.cancel_order_by_id(order.id)
    for _ in range(2):
        assert failed(lambda: market(alpaca)) == (422, 40010001, "client_order_id must be unique")
    assert len(alpaca.get_orders(GetOrdersRequest(status=ALL))) == 1


def test_empty_books_are_lists_and_an_unknown_order_is_an_error(alpaca):
    assert alpaca.get_orders(GetOrdersRequest(status=ALL)) == alpaca.get_all_positions() == []
    assert failed(lambda: alpaca.get_order_by_client_id("never"))[:2] == (404, 40410000)
    assert failed(lambda: alpaca.get_order_by_id(uuid4()))[:2] == (404, 40410000)


def test_the_list_is_read_page_by_page(alpaca, clock):
    times = []
    for _ in range(5):
        times.append(limit(alpaca).submitted_at)
        clock.advance(seconds=1)

    def asked(**filters: Any) -> list[Any]:
        return [row.submitted_at for row in alpaca.get_orders(GetOrdersRequest(status=ALL, **filters))]

    assert asked(limit=2) == times[:2:-1]
    assert asked(limit=2, until=times[3]) == [times[2], times[1]]  # a bound itself is left out
    assert asked(after=times[2], direction=Sort.ASC) == times[3:]
    assert asked(until=times[0] + timedelta(microseconds=1)) == times[:1]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: MarketOrderRequest(**{**ENTRY, "time_in_force": TimeInForce.GTC}),
        lambda: MarketOrderRequest(**ENTRY, extended_hours=True),
        lambda: MarketOrderRequest(**ENTRY, client_order_id="x" * 129),
        lambda: MarketOrderRequest(**{**ENTRY, "qty": 0}),
        lambda: LimitOrderRequest(**ENTRY, limit_price=0),
        lambda: MarketOrderRequest(**{**ENTRY, "symbol": ""}),
    ],
)
def test_what_the_broker_does_not_take_is_an_error_of_its_own(alpaca, wrong):
    assert failed(lambda: alpaca.submit_order(wrong()))[0] == 422
    assert alpaca.get_orders(GetOrdersRequest(status=ALL)) == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "refuse", "emsg": "40310000: insufficient buying power"}, (403, 40310000)),
        (
            {"kind": "refuse", "emsg": "40310100: trade denied due to pattern day trading protection"},
            (403, 40310100),
        ),
        ({"kind": "refuse", "emsg": "RMS:Margin"}, (422, 42210000)),
        ({"kind": "refuse_after"}, (504, 50410000)),
        ({"kind": "refuse_after", "emsg": "x", "status": 500}, (500, 50010000)),
        ({"kind": "rate_limit", "per_second": 1, "skip": 0}, None),
    ],
)
def test_a_fault_is_what_the_client_says(alpaca, server, fault, told):
    put_faults(server, {**fault, "endpoint": "PlaceOrder"})
    if told is None:
        limit(alpaca)
        told = (429, 42910000)
    assert failed(lambda: market(alpaca))[:2] == told


def test_the_client_sends_an_order_again_by_itself_and_ours_does_not(server, ours):
    """After a 504, of which nobody knows whether it was taken: with an id of its own it would be two orders."""
    alpaca = client_at(server)
    alpaca._retry, alpaca._retry_wait = 1, 0
    put_faults(server, {"kind": "refuse_after", "endpoint": "PlaceOrder", "times": 1})
    market(alpaca, client_order_id=None)
    assert len(alpaca.get_orders(GetOrdersRequest(status=ALL))) == 2
    put_faults(server, {"kind": "refuse_after", "endpoint": "PlaceOrder", "times": 1})
    assert failed(lambda: market(alpaca)) == (422, 40010001, "client_order_id must be unique")
    [report] = ours.read_book([OrderRef(TAG, None)]).by_tag[TAG]
    assert report.status is BrokerStatus.COMPLETE


def test_our_adapter_and_the_vendors_client_see_one_account(alpaca, server, ours):
    """Each reads what the other one placed, and both read the same."""
    mark(server, SYMBOL, "112.5")
    number, command = str(limit(alpaca, symbol=SYMBOL, client_order_id=TAG).id), a_resting_command()
    own = ours.place(command).broker_order_id
    bought = ours.place(a_command("market", quantity=Decimal("1.5"))).broker_order_id
    trigger, worst = Decimal(120), Decimal("121.5")
    stop = ours.place(a_command("stop", order_type=OrderType.STOP, trigger_price=trigger)).broker_order_id
    both = {"order_type": OrderType.STOP_LIMIT, "trigger_price": trigger, "price": worst}
    stop_limit = ours.place(a_command("stop limit", **both)).broker_order_id
    theirs = {str(row.id): row for row in alpaca.get_orders(GetOrdersRequest(status=ALL))}
    reports = ours.read_book([]).by_id
    assert theirs.keys() == reports.keys() == {number, own, bought, stop, stop_limit}
    for each, row in theirs.items():
        report = reports[each]
        assert (report.client_order_id, str(report.quantity)) == (row.client_order_id, row.qty)
        assert (str(report.filled_quantity), report.side.value.lower()) == (row.filled_qty, row.side.value)
    assert (theirs[stop_limit].limit_price, theirs[stop_limit].stop_price) == ("121.50", "120.00")
    [position] = alpaca.get_all_positions()
    assert ours.read_positions().net("NFO", SYMBOL, "MIS") == Decimal(position.qty) == Decimal("1.5")
    ours.cancel(OrderRef("", number))
    alpaca.cancel_order_by_id(own)
    ended = ours.read_book([]).by_id
    assert {ended[each].status for each in (number, own)} == {BrokerStatus.CANCELLED}


def test_what_the_client_placed_under_our_id_is_adopted_only_if_it_is_the_same(alpaca, ours):
    command = a_command(
        symbol="AAPL", side=Side.BUY, order_type=OrderType.STOP, trigger_price=Decimal("120.5")
    )
    request = StopOrderRequest(**ENTRY, stop_price=120.5, client_order_id=command.client_order_id)
    theirs = alpaca.submit_order(request)
    result = ours.place(command)
    assert (result.broker_order_id, result.duplicate) == (str(theirs.id), True)
    second = a_command("second", symbol="AAPL", order_type=OrderType.STOP, trigger_price=Decimal("120.5"))
    both = {"stop_price": 120.5, "limit_price": 121}
    alpaca.submit_order(StopLimitOrderRequest(**ENTRY, **both, client_order_id=second.client_order_id))
    with pytest.raises(Refused, match="type stop_limit, not stop"):
        ours.place(second)


def test_the_last_price_is_that_of_the_data_host(alpaca, server, ours):
    market(alpaca)
    data = StockHistoricalDataClient(KEY, SECRET, url_override=server.url)
    found = data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))
    assert Decimal(str(found["AAPL"].price)) == ours.last_price("US", "AAPL") == Decimal("112.5")
