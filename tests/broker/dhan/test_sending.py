"""What leaves for DhanHQ, byte by byte, and whose security id it carries."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from broker.dhan.requests import with_limit
from domain.broker_reports import OrderRef
from domain.enums import ExecutionType, OrderType, Side
from domain.errors import NotSent, Refused, StoreUnavailable
from domain.ids import CLIENT_ORDER_ID_LENGTH, client_order_id
from tests.broker.dhan.at_dhan import PLACED
from tests.broker.dhan.making import CE, CLIENT, FAST, FIRST_WEEK, SHARE, TOKEN, make, master_of, position_row
from tests.contract.broker_contract import a_command
from tests.contract.http_stub import hangs_up, says

EXIT = {"execution_type": ExecutionType.EXIT, "side": Side.SELL}
WEEKLY = {"symbol": FIRST_WEEK.symbol}


def sent(stub, method="POST"):
    [call] = stub.made(method)
    return json.loads(call.body)


def test_an_order_is_one_body_with_our_id_and_the_lists_number(broker, stub):
    stub.tell("POST orders", PLACED)
    command = a_command(symbol="SBIN", exchange="NSE", product="CNC", order_type=OrderType.LIMIT)
    command = replace(command, price=Decimal("810.50"))
    assert broker.place(command).broker_order_id == "112111182045"
    headers = {name.lower(): value for name, value in stub.made("POST")[0].headers.items()}
    assert (headers["access-token"], headers["client-id"]) == (TOKEN, CLIENT)
    assert sent(stub) == {
        "dhanClientId": CLIENT,
        "correlationId": client_order_id("first"),
        "transactionType": "BUY",
        "exchangeSegment": "NSE_EQ",
        "productType": "CNC",
        "orderType": "LIMIT",
        "validity": "DAY",
        "securityId": "3045",
        "quantity": 50,
        "disclosedQuantity": 0,
        "price": 810.5,
        "triggerPrice": 0,
        "afterMarketOrder": False,
    }


@pytest.mark.parametrize(
    ("order_type", "side", "expected"),
    [
        (OrderType.MARKET, Side.BUY, ("MARKET", 0, 0)),
        (OrderType.LIMIT, Side.BUY, ("LIMIT", 112.35, 0)),
        (OrderType.STOP_LIMIT, Side.SELL, ("STOP_LOSS", 112.35, 110)),
        (OrderType.STOP, Side.BUY, ("STOP_LOSS", 113.3, 110)),
        (OrderType.STOP, Side.SELL, ("STOP_LOSS", 106.7, 110)),
    ],
)
def test_each_type_is_sent_with_what_it_needs(broker, stub, order_type, side, expected):
    stub.tell("POST orders", PLACED)
    prices = {"price": Decimal("112.35"), "trigger_price": Decimal(110)}
    told = broker.place(a_command(order_type=order_type, side=side, **prices)).detail
    body = sent(stub)
    assert (body["orderType"], body["price"], body["triggerPrice"]) == expected
    assert (told is not None) == (order_type in (OrderType.MARKET, OrderType.STOP))


def test_our_ids_fit_and_an_adapter_for_which_they_do_not_is_not_made(clock, stub, tmp_path, monkeypatch):
    assert CLIENT_ORDER_ID_LENGTH <= 30
    monkeypatch.setattr("broker.dhan.adapter.CLIENT_ORDER_ID_LENGTH", 31)
    with pytest.raises(ValueError, match="correlationId"):
        make(stub.url, clock, tmp_path)


def test_a_change_names_the_whole_order_and_a_cancel_has_no_body(broker, stub):
    stub.tell("PUT orders/17", PLACED)
    stub.tell("DELETE orders/17", PLACED)
    broker.modify("17", a_command(order_type=OrderType.LIMIT, price=Decimal(90), side=Side.SELL))
    broker.cancel(OrderRef("", "17"))
    body = sent(stub, "PUT")
    assert (body["dhanClientId"], body["orderId"]) == (CLIENT, "17")
    assert (body["quantity"], body["orderType"], body["price"]) == (50, "LIMIT", 90)
    assert stub.made("DELETE")[0].body == b""


# the security id ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "days_old", "why"),
    [
        (None, 0, "no list of instruments.*INSTRUMENTS_DIR"),
        ((SHARE,), 0, "has 0 contracts"),
        ((CE, replace(CE, token="1002")), 0, "has 2 contracts"),
        ((CE,), 4, "list of instruments is of 2026-11-16"),
        ((replace(CE, exchange="BFO"),), 0, "has 0 contracts"),
    ],
)
def test_an_entry_without_one_row_of_a_list_of_these_days_is_refused_unsent(
    clock, stub, tmp_path, rows, days_old, why
):
    broker = make(stub.url, clock, tmp_path, master=master_of(clock, rows, days_old=days_old))
    with pytest.raises(Refused, match=why) as refusal:
        broker.place(a_command())
    assert refusal.value.code == "VALIDATION" and not stub.calls


def test_an_entry_waits_while_the_list_cannot_be_read(clock, stub, tmp_path):
    def broken():
        raise StoreUnavailable("the disk is gone")

    broker = make(stub.url, clock, tmp_path, master=broken)
    with pytest.raises(NotSent, match="disk is gone") as caught:
        broker.place(a_command())
    assert not caught.value.look_first and not stub.calls


@pytest.mark.parametrize("rows", [None, (SHARE,)])
def test_an_exit_takes_the_number_that_the_brokers_rows_show(clock, stub, tmp_path, rows):
    stub.tell("POST orders", PLACED)
    stub.tell("GET positions", says([position_row(securityId="777", netQty=50)]))
    broker = make(stub.url, clock, tmp_path, master=master_of(clock, rows))
    broker.place(a_command(**EXIT, **WEEKLY))
    assert sent(stub)["securityId"] == "777"


def test_the_brokers_rows_go_before_the_list_for_an_exit_and_stop_an_entry_that_they_contradict(broker, stub):
    stub.tell("POST orders", PLACED)
    stub.tell("GET positions", says([position_row(securityId="777", netQty=50)]))
    broker.read_positions()
    with pytest.raises(Refused, match="the list says 41001, and the broker's rows 777"):
        broker.place(a_command(**WEEKLY))
    broker.place(a_command(**EXIT, **WEEKLY))
    assert sent(stub)["securityId"] == "777"


def test_an_exit_takes_the_number_of_an_old_list_where_no_row_shows_one(clock, stub, tmp_path):
    stub.tell("POST orders", PLACED)
    broker = make(stub.url, clock, tmp_path, master=master_of(clock, days_old=9))
    broker.place(a_command(**EXIT))
    assert sent(stub)["securityId"] == CE.token


def test_an_exit_without_any_number_waits_for_positions_that_fail_and_else_is_refused(clock, stub, tmp_path):
    broker = make(stub.url, clock, tmp_path, master=master_of(clock, None))
    stub.tell("GET positions", hangs_up)
    with pytest.raises(NotSent, match="positions"):
        broker.place(a_command(**EXIT))
    stub.tell("GET positions", says([]))
    with pytest.raises(Refused, match="neither the list of instruments nor the broker's rows"):
        broker.place(a_command(**EXIT))
    assert not stub.made("POST")


def test_an_order_never_leaves_after_its_last_moment_whatever_was_read_for_its_number(clock, stub, tmp_path):
    def slow():
        clock.advance(seconds=FAST.send_within + 1)
        return master_of(clock)()

    broker = make(stub.url, clock, tmp_path, master=slow)
    for kind in ({}, EXIT):
        with pytest.raises(NotSent, match="not sent"):
            broker.place(a_command(**kind))
    assert not stub.made("POST")


def test_a_number_of_yesterday_is_forgotten(clock, stub, tmp_path):
    stub.tell("GET positions", says([position_row(securityId="777", netQty=50)]))
    broker = make(stub.url, clock, tmp_path, master=master_of(clock, None))
    broker.read_positions()
    clock.advance(hours=24)
    stub.tell("GET positions", says([position_row(securityId="778", netQty=50)]))
    stub.tell("POST orders", PLACED)
    broker.place(a_command(**EXIT, **WEEKLY))
    assert sent(stub)["securityId"] == "778"


@pytest.mark.parametrize(
    ("side", "trigger", "limit"),
    [(Side.SELL, "12", "11"), (Side.BUY, "12", "13"), (Side.SELL, "3", "2"), (Side.SELL, "110", "106")],
)
def test_a_stop_whose_tick_is_in_no_list_has_a_whole_limit_as_near_as_any(side, trigger, limit):
    command = replace(
        a_command(), order_type=OrderType.STOP, side=side, price=None, trigger_price=Decimal(trigger)
    )
    assert with_limit(command, None, Decimal(3)).price == Decimal(limit)
