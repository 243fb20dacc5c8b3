"""What leaves for Kite Connect, byte by byte."""

from decimal import Decimal

import pytest

from broker.zerodha.requests import AUTOMATIC, place_fields
from domain.broker_reports import OrderRef
from domain.enums import OrderType, Side
from domain.ids import CLIENT_ORDER_ID_LENGTH, client_order_id
from tests.broker.zerodha.at_zerodha import PLACED
from tests.broker.zerodha.making import KEY, TOKEN, make
from tests.contract.broker_contract import a_command

PERCENT = Decimal("2.5")


def test_an_order_is_one_form_with_our_id_as_its_tag(broker, stub):
    stub.tell("POST orders/regular", PLACED)
    command = a_command(symbol="M&M", exchange="NSE", order_type=OrderType.LIMIT, price=Decimal("3100.50"))
    assert broker.place(command).broker_order_id == "261120000000001"
    (call,) = stub.made("POST")
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert (headers["x-kite-version"], headers["authorization"]) == ("3", f"token {KEY}:{TOKEN}")
    assert b"M%26M" in call.body
    assert call.form == {
        "exchange": "NSE",
        "tradingsymbol": "M&M",
        "transaction_type": "BUY",
        "product": "MIS",
        "tag": client_order_id("first"),
        "quantity": "50",
        "order_type": "LIMIT",
        "validity": "DAY",
        "price": "3100.5",
    }


@pytest.mark.parametrize(
    ("order_type", "sent"),
    [
        (OrderType.MARKET, {"order_type": "MARKET", "market_protection": "2.5"}),
        (OrderType.STOP, {"order_type": "SL-M", "trigger_price": "110", "market_protection": "2.5"}),
        (OrderType.LIMIT, {"order_type": "LIMIT", "price": "112.5"}),
        (OrderType.STOP_LIMIT, {"order_type": "SL", "price": "112.5", "trigger_price": "110"}),
    ],
)
def test_each_type_is_sent_with_what_it_needs(order_type, sent):
    command = a_command(order_type=order_type, price=Decimal("112.5"), trigger_price=Decimal(110))
    fields = place_fields(command, PERCENT)
    names = ("order_type", "price", "trigger_price", "market_protection")
    assert {name: fields[name] for name in names if name in fields} == sent


def test_a_market_order_is_never_sent_without_protection_and_its_story_says_so(clock, stub, tmp_path):
    stub.tell("POST orders/regular", PLACED)
    told = make(stub.url, clock, tmp_path, protection=AUTOMATIC, algo_id="A7").place(a_command()).detail
    (call,) = stub.made("POST")
    assert (call.form["market_protection"], call.form["algo_id"]) == ("-1", "A7")
    assert told is not None and "market protection" in told


def test_our_ids_fit_into_the_tag():
    assert CLIENT_ORDER_ID_LENGTH <= 20
    assert place_fields(a_command("any intent at all"), PERCENT)["tag"].isalnum()


def test_a_change_names_the_whole_order_and_a_cancel_has_no_form(broker, stub):
    stub.tell("PUT orders/regular/17", PLACED)
    stub.tell("DELETE orders/regular/17", PLACED)
    broker.modify("17", a_command(order_type=OrderType.LIMIT, price=Decimal(90), side=Side.SELL))
    broker.cancel(OrderRef("", "17"))
    assert stub.made("PUT")[0].form == {
        "quantity": "50",
        "order_type": "LIMIT",
        "validity": "DAY",
        "price": "90",
    }
    assert stub.made("DELETE")[0].body == b""
