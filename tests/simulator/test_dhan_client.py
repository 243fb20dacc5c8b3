"""The vendor's own client takes the simulator for Dhan.

So our reading of the wire is tried against the client that users have, and not against our own adapter alone.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from dhanhq import DhanContext, dhanhq

from broker.dhan.adapter import DhanBroker
from broker.simulator.server import SimulatorServer
from domain.broker_reports import BrokerStatus, OrderRef
from domain.enums import OrderType
from tests.broker.dhan.making import (
    CE,
    CLIENT,
    FIRST_WEEK,
    LATER_WEEK,
    SHARE,
    TAG,
    TOKEN,
    a_server,
    make,
)
from tests.contract.broker_contract import ContractClock, a_command, a_resting_command
from tests.contract.simulated_broker import put_faults

ENTRY = {
    "security_id": CE.token,
    "exchange_segment": "NSE_FNO",
    "transaction_type": "BUY",
    "quantity": 50,
    "order_type": "LIMIT",
    "product_type": "INTRADAY",
    "price": 90,
    "tag": TAG,
}
MARKET = {"order_type": "MARKET", "price": 0}


@pytest.fixture
def clock() -> ContractClock:
    return ContractClock()


@pytest.fixture
def server(clock: ContractClock) -> Iterator[SimulatorServer]:
    server = a_server(clock)
    yield server
    server.stop()


def client_at(server: SimulatorServer, token: str = TOKEN, client_id: str = CLIENT) -> dhanhq:
    context = DhanContext(client_id, token)
    context.get_dhan_http().base_url = f"{server.url}/v2"
    context.get_dhan_http().timeout = 2
    return dhanhq(context)


@pytest.fixture
def dhan(server: SimulatorServer) -> dhanhq:
    mark(server, "112.5")
    return client_at(server)


@pytest.fixture
def ours(server: SimulatorServer, clock: ContractClock, tmp_path) -> DhanBroker:
    return make(server.url, clock, tmp_path)


def mark(server: SimulatorServer, price: str, instrument=CE) -> None:
    body = {"exch": instrument.exchange, "tsym": instrument.symbol, "price": price}
    requests.post(f"{server.url}/_mark", json=body, timeout=5).raise_for_status()


def data(answer: dict) -> Any:
    assert answer["status"] == "success", answer
    return answer["data"]


def failed(answer: dict) -> str:
    """The code of the error that the client found; empty where it raised one of its own."""
    assert answer["status"] == "failure", answer
    remarks = answer["remarks"]
    return remarks["error_code"] if isinstance(remarks, dict) else ""


def buy(dhan: dhanhq, **changes) -> str:
    return data(dhan.place_order(**{**ENTRY, **changes}))["orderId"]


@pytest.mark.parametrize(("token", "client_id"), [("another", CLIENT), (TOKEN, "1100000002")])
def test_no_call_goes_without_a_token_of_the_client(server, token, client_id):
    dhan = client_at(server, token, client_id)
    calls = (dhan.get_order_list, dhan.get_positions, dhan.get_holdings, dhan.get_fund_limits)
    for call in (*calls, lambda: dhan.place_order(**ENTRY)):
        answer = call()
        assert (failed(answer), answer["remarks"]["error_message"]) == ("DH-906", "Invalid Token")


def test_a_filled_order_is_in_every_book(dhan, server):
    number = buy(dhan, **MARKET)
    [row] = data(dhan.get_order_list())
    assert (row["orderId"], row["orderStatus"], row["filledQty"]) == (number, "TRADED", 50)
    assert (row["averageTradedPrice"], row["correlationId"], row["orderType"]) == (112.5, TAG, "LIMIT")
    assert data(dhan.get_order_by_id(number)) == data(dhan.get_order_by_correlationID(TAG)) == row
    [trade] = data(dhan.get_trade_book())
    assert (trade["orderId"], trade["tradedQuantity"], trade["tradedPrice"]) == (number, 50, 112.5)
    mark(server, "114.5")
    [position] = data(dhan.get_positions())
    assert (position["netQty"], position["costPrice"], position["positionType"]) == (50, 112.5, "LONG")
    assert (position["unrealizedProfit"], position["realizedProfit"]) == (100, 0)
    prices = data(dhan.ticker_data({"NSE_FNO": [int(CE.token)]}))["data"]
    assert prices["NSE_FNO"][CE.token]["last_price"] == 114.5
    assert data(dhan.get_fund_limits())["availabelBalance"] == 1_000_000 - 50 * 112.5


def test_a_resting_order_is_changed_then_cancelled(dhan):
    number = buy(dhan)
    data(dhan.modify_order(number, "LIMIT", "ENTRY_LEG", 75, 95, 0, 0, "DAY"))
    row = data(dhan.get_order_by_id(number))
    assert (row["orderStatus"], row["quantity"], row["price"]) == ("PENDING", 75, 95)
    data(dhan.cancel_order(number))
    assert data(dhan.get_order_by_id(number))["orderStatus"] == "CANCELLED"
    assert failed(dhan.cancel_order(number)) == "DH-906"


def test_empty_books_are_lists_and_no_holdings_are_an_error(dhan):
    assert data(dhan.get_order_list()) == data(dhan.get_positions()) == []
    assert failed(dhan.get_holdings()) == "DH-1111"
    assert failed(dhan.get_order_by_correlationID("never")) == "DH-907"


@pytest.mark.parametrize(
    "wrong",
    [
        {"tag": "x" * 31},
        {"tag": "a/b"},
        {"security_id": "7"},
        {"exchange_segment": "NSE"},
        {"product_type": "MIS"},
        {"order_type": "SL"},
        {"order_type": "STOP_LOSS_MARKET", "trigger_price": 95},
        {"validity": "GTC"},
        {"quantity": 0},
    ],
)
def test_what_the_broker_does_not_take_is_an_error_of_its_own(dhan, wrong):
    assert failed(dhan.place_order(**{**ENTRY, **wrong})) in ("DH-905", "DH-906")
    assert data(dhan.get_order_list()) == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "refuse", "emsg": "DH-905: Invalid IP"}, "DH-905"),
        ({"kind": "refuse", "emsg": "RMS:Margin"}, "DH-906"),
        ({"kind": "refuse_after"}, "DH-909"),
        ({"kind": "refuse_after", "emsg": "x", "status": 500}, "DH-908"),
        ({"kind": "error_5xx_after"}, ""),
        ({"kind": "drop_after"}, ""),
    ],
)
def test_a_fault_is_what_the_client_says(dhan, server, fault, code):
    put_faults(server, {**fault, "endpoint": "PlaceOrder"})
    assert failed(dhan.place_order(**ENTRY)) == code


def test_one_order_too_many_is_a_429(dhan, server):
    put_faults(server, {"kind": "rate_limit", "per_second": 1, "endpoint": "PlaceOrder"})
    buy(dhan)
    assert failed(dhan.place_order(**ENTRY)) == "DH-904" and len(data(dhan.get_order_list())) == 1


def test_the_client_says_failure_of_an_order_that_is_at_the_exchange_and_ours_does_not(dhan, server, ours):
    put_faults(server, {"kind": "drop_after", "endpoint": "PlaceOrder"})
    failed(dhan.place_order(**ENTRY))
    (report,) = ours.read_book([OrderRef(TAG, None)]).by_tag[TAG]
    assert report.status is BrokerStatus.OPEN


def test_our_adapter_and_the_vendors_client_see_one_account(dhan, server, ours):
    """Each reads what the other one placed, and both read the same."""
    number, command = buy(dhan), a_resting_command()
    own = ours.place(command).broker_order_id
    bought = ours.place(a_command("market")).broker_order_id
    stop = ours.place(
        a_command("stop", order_type=OrderType.STOP, trigger_price=Decimal(120))
    ).broker_order_id
    theirs = {row["orderId"]: row for row in data(dhan.get_order_list())}
    reports = ours.read_book([]).by_id
    assert theirs.keys() == reports.keys() == {number, own, bought, stop}
    for each, row in theirs.items():
        report = reports[each]
        assert (report.client_order_id, report.quantity) == (row["correlationId"], row["quantity"])
        assert (report.filled_quantity, str(report.side)) == (row["filledQty"], row["transactionType"])
    assert (theirs[stop]["orderType"], theirs[stop]["triggerPrice"]) == ("STOP_LOSS", 120)
    assert theirs[stop]["price"] == 123.6
    [position] = data(dhan.get_positions())
    assert ours.read_positions().net(*CE.address, "MIS") == position["netQty"] == 50
    ours.cancel(OrderRef("", number))
    data(dhan.cancel_order(own))
    ended = ours.read_book([]).by_id
    assert {ended[each].status for each in (number, own)} == {BrokerStatus.CANCELLED}


def test_contracts_of_two_weeks_have_one_name_there_and_two_here(dhan, ours):
    for instrument in (FIRST_WEEK, LATER_WEEK):
        command = a_command(
            instrument.symbol, symbol=instrument.symbol, quantity=Decimal(instrument.token[-1])
        )
        ours.place(command)
    rows = data(dhan.get_positions())
    assert {row["tradingSymbol"] for row in rows} == {"NIFTY-Nov2026-24500-CE", "NIFTY-Dec2026-24500-CE"}
    snapshot = ours.read_positions()
    assert [snapshot.net(*each.address, "MIS") for each in (FIRST_WEEK, LATER_WEEK)] == [1, 2]


def test_delivered_shares_are_holdings(dhan, server, ours):
    body = {"uid": CLIENT, "exch": "NSE", "tsym": SHARE.symbol, "quantity": 16, "also": [["BSE", "SBIN"]]}
    requests.post(f"{server.url}/_deliver", json=body, timeout=5).raise_for_status()
    sale = {"exchange_segment": "NSE_EQ", "security_id": SHARE.token, "product_type": "CNC", "price": 100}
    buy(dhan, **sale, transaction_type="SELL", quantity=6)
    [held] = data(dhan.get_holdings())
    assert (held["exchange"], held["totalQty"], held["availableQty"]) == ("ALL", 16, 10)
    assert ours.read_positions().net("NSE", "SBIN", "CNC") == Decimal(10)
