"""What leaves for Alpaca, byte by byte, and what does not."""

import json
from decimal import Decimal

import pytest

from domain.broker_reports import OrderRef
from domain.enums import ExecutionType, OrderType, Side
from domain.errors import Refused
from domain.ids import CLIENT_ORDER_ID_LENGTH, client_order_id
from tests.broker.alpaca.making import KEY, SECRET, make
from tests.broker.alpaca.stub import placed
from tests.contract.broker_contract import a_command

OPTION = "AAPL270115C00150000"
PRICES = {"price": Decimal("112.35"), "trigger_price": Decimal(110)}


def sent(stub):
    [call] = stub.made("POST")
    return json.loads(call.body)


def test_an_order_is_one_body_with_our_id_and_texts_for_numbers(broker, stub):
    stub.tell("POST v2/orders", placed())
    command = a_command(
        symbol="brk.b", quantity=Decimal("0.123456789"), **{**PRICES, "order_type": OrderType.LIMIT}
    )
    broker.place(command)
    headers = {name.lower(): value for name, value in stub.made("POST")[0].headers.items()}
    assert (headers["apca-api-key-id"], headers["apca-api-secret-key"]) == (KEY, SECRET)
    assert sent(stub) == {
        "symbol": "BRK.B",
        "qty": "0.123456789",
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "client_order_id": client_order_id("first"),
        "limit_price": "112.35",
    }


@pytest.mark.parametrize(
    ("order_type", "expected"),
    [
        (OrderType.MARKET, {"type": "market"}),
        (OrderType.LIMIT, {"type": "limit", "limit_price": "112.35"}),
        (OrderType.STOP, {"type": "stop", "stop_price": "110"}),
        (OrderType.STOP_LIMIT, {"type": "stop_limit", "limit_price": "112.35", "stop_price": "110"}),
    ],
)
def test_each_type_is_sent_with_what_it_needs(broker, stub, order_type, expected):
    stub.tell("POST v2/orders", placed())
    broker.place(a_command(order_type=order_type, side=Side.SELL, **PRICES))
    body = sent(stub)
    assert {name: body[name] for name in body if name == "type" or name.endswith("price")} == expected
    assert body["side"] == "sell"


@pytest.mark.parametrize(
    ("symbol", "order_type", "expected"),
    [
        ("AAPL", OrderType.LIMIT, True),
        ("AAPL", OrderType.MARKET, None),
        ("AAPL", OrderType.STOP_LIMIT, None),
        (OPTION, OrderType.LIMIT, None),
    ],
)
def test_only_limits_in_shares_trade_in_extended_hours(clock, stub, tmp_path, symbol, order_type, expected):
    stub.tell("POST v2/orders", placed(extended_hours=bool(expected)))
    broker = make(stub.url, clock, tmp_path, extended_hours=True)
    detail = broker.place(a_command(symbol=symbol, order_type=order_type, **PRICES)).detail
    assert sent(stub).get("extended_hours") is expected
    assert (detail is not None) == bool(expected)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"exchange": "NASDAQ"}, "exchange 'NASDAQ': expected NFO, the word of ALPACA_EXCHANGE"),
        ({"product": "CNC"}, "product 'CNC': expected MIS, the word of ALPACA_PRODUCT"),
        ({"client_order_id": "x" * 49}, "client order id"),
        ({"client_order_id": "ow/1"}, "client order id"),
        ({"client_order_id": ""}, "client order id"),
        ({"quantity": Decimal(0)}, "quantity"),
        ({"quantity": Decimal("0.1234567891")}, "quantity"),
        ({"quantity": Decimal("NaN")}, "quantity"),
        ({"symbol": OPTION, "quantity": Decimal("1.5")}, "whole number of contracts"),
        ({"symbol": "BTC/USD"}, "symbol"),
        ({"symbol": " "}, "symbol"),
        ({"order_type": OrderType.LIMIT, "price": None}, "price"),
        ({"order_type": OrderType.STOP, "trigger_price": Decimal(0)}, "trigger price"),
    ],
)
def test_an_order_that_the_wire_cannot_express_is_refused_unsent(broker, stub, wrong, named):
    with pytest.raises(Refused, match=named) as refusal:
        broker.place(a_command(**wrong))
    assert refusal.value.code == "VALIDATION" and not stub.calls


def test_our_ids_fit_and_an_adapter_for_which_they_do_not_is_not_made(clock, stub, tmp_path, monkeypatch):
    assert CLIENT_ORDER_ID_LENGTH <= 48
    monkeypatch.setattr("broker.alpaca.adapter.CLIENT_ORDER_ID_LENGTH", 49)
    with pytest.raises(ValueError, match="client_order_id"):
        make(stub.url, clock, tmp_path)


def test_a_number_that_would_change_the_address_is_refused(broker, stub):
    for number in ("../1", "1?x", "1/2"):
        with pytest.raises(Refused):
            broker.cancel(OrderRef("", number))
    assert not stub.calls


def test_an_exit_takes_its_slot_before_an_entry(broker, stub, monkeypatch):
    stub.tell("POST v2/orders", placed(), placed("out"))
    went: list[bool] = []
    monkeypatch.setattr(broker._budgets.orders, "take", lambda *, urgent: went.append(urgent))
    broker.place(a_command())
    broker.place(a_command("out", execution_type=ExecutionType.EXIT, side=Side.SELL))
    assert went == [False, True]
