"""The vendor's own client takes the simulator for Zerodha.

So our reading of the wire is tried against the client that users have, and not against our own adapter alone.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest
import requests
from kiteconnect import KiteConnect, exceptions

from broker.simulator.server import SimulatorServer
from broker.zerodha.adapter import ZerodhaBroker
from domain.broker_reports import BrokerStatus, OrderRef
from tests.broker.zerodha.making import KEY, SECRET, TAG, TOKEN, USER, a_server, make
from tests.contract.broker_contract import ContractClock, a_command, a_resting_command
from tests.contract.simulated_broker import put_faults

EXCH, TSYM = "NFO", "NIFTY26NOV24500CE"
ENTRY = {
    "variety": "regular",
    "exchange": EXCH,
    "tradingsymbol": TSYM,
    "transaction_type": "BUY",
    "quantity": 50,
    "product": "MIS",
    "order_type": "LIMIT",
    "price": 90,
    "tag": TAG,
}
MARKET = {"order_type": "MARKET", "price": None, "market_protection": 3}


@pytest.fixture
def clock() -> ContractClock:
    return ContractClock()


@pytest.fixture
def server(clock: ContractClock) -> Iterator[SimulatorServer]:
    server = a_server(clock)
    yield server
    server.stop()


@pytest.fixture
def kite(server: SimulatorServer) -> KiteConnect:
    client = KiteConnect(api_key=KEY, access_token=TOKEN, root=server.url, timeout=2)
    mark(server, "112.5")
    return client


@pytest.fixture
def ours(server: SimulatorServer, clock: ContractClock, tmp_path) -> ZerodhaBroker:
    return make(server.url, clock, tmp_path)


def mark(server: SimulatorServer, price: str) -> None:
    body = {"exch": EXCH, "tsym": TSYM, "price": price}
    requests.post(f"{server.url}/_mark", json=body, timeout=5).raise_for_status()


def buy(kite: KiteConnect, **changes) -> str:
    return kite.place_order(**{**ENTRY, **changes})


def row_of(kite: KiteConnect, number: str) -> dict:
    (row,) = [row for row in kite.orders() if row["order_id"] == number]
    return row


def test_a_login_by_request_token(server):
    kite = KiteConnect(api_key=KEY, root=server.url)
    session = kite.generate_session("request", api_secret=SECRET)
    assert session["user_id"] == USER and isinstance(session["login_time"], datetime)
    assert kite.profile()["user_id"] == USER and kite.orders() == []
    with pytest.raises(exceptions.TokenException):
        KiteConnect(api_key=KEY, root=server.url).generate_session("request", api_secret="another")


@pytest.mark.parametrize(("key", "token"), [(KEY, "another"), ("another", TOKEN), (KEY, None)])
def test_no_call_goes_without_a_session_of_the_app(server, key, token):
    kite = KiteConnect(api_key=key, access_token=token, root=server.url)
    for call in (kite.orders, kite.positions, kite.profile, lambda: buy(kite)):
        with pytest.raises(exceptions.TokenException):
            call()


def test_a_filled_order_is_in_every_book(kite, server):
    number = buy(kite, **MARKET)
    row = row_of(kite, number)
    assert (row["status"], row["filled_quantity"], row["average_price"]) == ("COMPLETE", 50, 112.5)
    assert (row["tag"], row["placed_by"], row["order_type"]) == (TAG, USER, "LIMIT")
    assert isinstance(row["order_timestamp"], datetime)
    (trade,) = kite.trades()
    assert (trade["order_id"], trade["quantity"], trade["average_price"]) == (number, 50, 112.5)
    mark(server, "114.5")
    (position,) = kite.positions()["net"]
    assert (position["quantity"], position["average_price"], position["product"]) == (50, 112.5, "MIS")
    assert (position["last_price"], position["m2m"], position["realised"]) == (114.5, 100, 0)
    assert kite.ltp(f"{EXCH}:{TSYM}")[f"{EXCH}:{TSYM}"]["last_price"] == 114.5
    assert kite.margins()["equity"]["net"] == 1_000_000 - 50 * 112.5


def test_a_resting_order_is_changed_then_cancelled_and_its_history_tells(kite):
    number = buy(kite)
    assert kite.modify_order("regular", number, quantity=75, price=95) == number
    row = row_of(kite, number)
    assert (row["status"], row["quantity"], row["price"]) == ("OPEN", 75, 95)
    assert kite.cancel_order("regular", number) == number
    row = row_of(kite, number)
    assert (row["status"], row["cancelled_quantity"], row["pending_quantity"]) == ("CANCELLED", 75, 0)
    told = [row["status"] for row in kite.order_history(number)]
    assert told == ["PUT ORDER REQ RECEIVED", "OPEN", "OPEN", "CANCELLED"]
    with pytest.raises(exceptions.InputException):
        kite.cancel_order("regular", number)


def test_a_stop_triggers(kite, server):
    number = buy(kite, order_type="SL-M", price=None, trigger_price=120, market_protection=-1)
    assert row_of(kite, number)["status"] == "TRIGGER PENDING"
    mark(server, "121")
    assert row_of(kite, number)["status"] == "COMPLETE"


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_type": "MARKET", "price": None},  # without market protection
        {**MARKET, "market_protection": 0},
        {"tag": TAG + "x"},
        {"tag": "a-b"},
        {"product": "XYZ"},
        {"order_type": "LMT"},
        {"quantity": 0},
        {"quantity": "1.5"},
        {"transaction_type": "B"},
        {"validity": "GTC"},
    ],
)
def test_what_the_broker_does_not_take_is_an_input_exception(kite, wrong):
    with pytest.raises(exceptions.InputException) as caught:
        buy(kite, **wrong)
    assert caught.value.code == 400 and kite.orders() == []


@pytest.mark.parametrize(
    ("fault", "raised", "code"),
    [
        (
            {"kind": "refuse", "emsg": "MarginException: Insufficient funds"},
            exceptions.GeneralException,
            400,
        ),
        ({"kind": "refuse", "emsg": "x", "status": 503}, exceptions.NetworkException, 503),
        ({"kind": "refuse", "emsg": "x", "status": 502}, exceptions.DataException, 502),
        ({"kind": "refuse_after"}, exceptions.OrderException, 400),
        ({"kind": "expired_session"}, exceptions.TokenException, 403),
        ({"kind": "error_5xx_after"}, exceptions.DataException, 502),
        ({"kind": "drop_after"}, requests.ConnectionError, None),
    ],
)
def test_a_fault_is_what_the_client_raises(kite, server, fault, raised, code):
    put_faults(server, {**fault, "endpoint": "PlaceOrder", "times": 1})
    with pytest.raises(raised) as caught:
        buy(kite)
    assert getattr(caught.value, "code", None) == code


@pytest.mark.parametrize(
    "limit", [{"kind": "rate_limit", "per_second": 1}, {"kind": "minute_limit", "per_minute": 1}]
)
def test_one_order_too_many_is_a_429(kite, server, limit):
    put_faults(server, {**limit, "endpoint": "PlaceOrder"})
    buy(kite)
    with pytest.raises(exceptions.NetworkException) as caught:
        buy(kite)
    assert caught.value.code == 429 and len(kite.orders()) == 1


def test_the_timeout_with_http_400_has_placed_the_order(kite, server, ours):
    """What the vendor's client calls an error is an order at the exchange, and our adapter does not believe it."""
    put_faults(server, {"kind": "refuse_after", "endpoint": "PlaceOrder"})
    with pytest.raises(exceptions.OrderException, match="check the order book"):
        buy(kite)
    (report,) = ours.read_book([OrderRef(TAG, None)]).by_tag[TAG]
    assert report.status is BrokerStatus.OPEN


def test_our_adapter_and_the_vendors_client_see_one_account(kite, server, ours):
    """Each reads what the other one placed, and both read the same."""
    number, command = buy(kite), a_resting_command()
    own = ours.place(command).broker_order_id
    bought = ours.place(a_command("market")).broker_order_id
    theirs = {row["order_id"]: row for row in kite.orders()}
    reports = ours.read_book([]).by_id
    assert theirs.keys() == reports.keys() == {number, own, bought}
    for each, row in theirs.items():
        report = reports[each]
        assert (report.client_order_id, report.quantity) == (row["tag"], row["quantity"])
        assert (report.filled_quantity, str(report.side)) == (row["filled_quantity"], row["transaction_type"])
    (position,) = kite.positions()["net"]
    assert ours.read_positions().net(EXCH, TSYM, "MIS") == position["quantity"] == 50
    ours.cancel(OrderRef("", number))
    kite.cancel_order("regular", own)
    ended = ours.read_book([]).by_id
    assert {ended[each].status for each in (number, own)} == {BrokerStatus.CANCELLED}


def test_delivered_shares_are_holdings_and_their_sale_is_a_negative_position(kite, server, ours):
    body = {"uid": USER, "exch": "NSE", "tsym": "SBIN", "quantity": 16}
    requests.post(f"{server.url}/_deliver", json=body, timeout=5).raise_for_status()
    sale = {"exchange": "NSE", "tradingsymbol": "SBIN", "transaction_type": "SELL", "product": "CNC"}
    buy(kite, **sale, quantity=6, price=100)
    (held,) = kite.holdings()
    assert (held["opening_quantity"], held["used_quantity"], held["quantity"]) == (16, 6, 10)
    (position,) = kite.positions()["net"]
    assert (position["product"], position["quantity"]) == ("CNC", -6)
    assert ours.read_positions().net("NSE", "SBIN", "CNC") == Decimal(10)


def test_every_call_of_the_client_was_one_of_the_wire(kite, server):
    buy(kite)
    kite.orders(), kite.trades(), kite.positions(), kite.holdings(), kite.margins(), kite.profile()
    assert server.simulator.calls()["processed"] == {
        "PlaceOrder": 1,
        "OrderBook": 1,
        "TradeBook": 1,
        "PositionBook": 1,
        "Holdings": 1,
        "Limits": 1,
        "UserDetails": 1,
    }
