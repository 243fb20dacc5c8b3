"""What leaves for the broker, byte for byte."""

import hashlib
import json
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from pyotp.totp import TOTP

from broker.noren.wire import encode
from domain.broker_reports import OrderRef
from domain.enums import OrderType, Side
from domain.errors import Refused
from domain.ids import client_order_id
from tests.broker.noren.making import ACCOUNT, make, order_row
from tests.broker.noren.stub import says
from tests.contract.broker_contract import a_command


def test_an_order_is_sent_in_the_wires_words_all_strings(broker, stub):
    command = a_command(order_type=OrderType.LIMIT, price=Decimal("112.50"), quantity=Decimal("50.0"))
    assert broker.place(command).broker_order_id == "26112000000001"
    (call,) = stub.of("PlaceOrder")
    assert call.fields == {
        "uid": "FA1",
        "actid": "FA1",
        "exch": "NFO",
        "tsym": "NIFTY26NOV24500CE",
        "qty": "50",
        "prc": "112.5",
        "dscqty": "0",
        "prd": "I",
        "trantype": "B",
        "prctyp": "LMT",
        "ret": "DAY",
        "ordersource": "API",
        "remarks": client_order_id("first"),
    }


@pytest.mark.parametrize(
    ("order_type", "prices", "sent"),
    [
        (OrderType.MARKET, {"price": Decimal(5)}, ("MKT", "0", None)),
        (OrderType.LIMIT, {"price": Decimal("0.05")}, ("LMT", "0.05", None)),
        (OrderType.STOP, {"trigger_price": Decimal(90)}, ("SL-MKT", "0", "90")),
        (
            OrderType.STOP_LIMIT,
            {"price": Decimal(1000), "trigger_price": Decimal("99.95")},
            ("SL-LMT", "1000", "99.95"),
        ),
    ],
)
def test_prices_are_sent_as_the_type_needs_them(broker, stub, order_type, prices, sent):
    broker.place(a_command(order_type=order_type, **prices))
    fields = stub.of("PlaceOrder")[0].fields
    assert (fields["prctyp"], fields["prc"], fields.get("trgprc")) == sent


@pytest.mark.parametrize(("product", "sent"), [("MIS", "I"), ("NRML", "M"), ("CNC", "C")])
def test_products_and_sides(broker, stub, product, sent):
    broker.place(a_command(product=product, side=Side.SELL))
    fields = stub.of("PlaceOrder")[0].fields
    assert (fields["prd"], fields["trantype"]) == (sent, "S")


SYMBOLS = ["M&M-EQ", "A+B", "L&TFH-EQ", "50%OFF", "%26", "X=Y", "A;B#C", "É", 'Q"Q', "A B", "\\u0026"]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_symbol_survives_the_form(broker, stub, symbol):
    broker.place(a_command(symbol=symbol))
    assert stub.of("PlaceOrder")[0].fields["tsym"] == symbol


def test_the_body_looks_as_public_clients_make_it():
    assert encode({"uid": "FA1", "tsym": "M&M-EQ"}, "k/+=") == (
        b'jData={"uid":"FA1","tsym":"M\\u0026M-EQ"}&jKey=k%2F%2B%3D'
    )


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_body_says_the_same_to_a_server_that_decodes_the_form_and_to_one_that_does_not(symbol):
    body = encode({"tsym": symbol}, "key").decode("ascii")
    as_it_stands = body.removeprefix("jData=").split("&")[0]
    assert json.loads(as_it_stands) == {"tsym": symbol}
    assert json.loads(parse_qs(body)["jData"][0]) == {"tsym": symbol}


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal("1.5")},
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-50)},
        {"quantity": Decimal("NaN")},
        {"product": "COVER"},
        {"order_type": OrderType.LIMIT},
        {"order_type": OrderType.LIMIT, "price": Decimal(0)},
        {"order_type": OrderType.STOP, "price": Decimal(5)},
        {"order_type": OrderType.STOP_LIMIT, "trigger_price": Decimal(5)},
        {"symbol": " "},
        {"exchange": ""},
        {"client_order_id": ""},
    ],
)
def test_what_the_wire_cannot_express_is_refused_before_anything_is_sent(broker, stub, changes):
    with pytest.raises(Refused) as refusal:
        broker.place(a_command(**changes))
    assert refusal.value.code == "VALIDATION" and not stub.calls


def test_modify_names_the_order_and_its_whole_quantity(broker, stub):
    broker.modify(
        "26112000000001", a_command(order_type=OrderType.LIMIT, price=Decimal(3), quantity=Decimal(75))
    )
    fields = stub.of("ModifyOrder")[0].fields
    assert fields["norenordno"] == "26112000000001"
    assert (fields["qty"], fields["prc"], fields["prctyp"], fields["ret"]) == ("75", "3", "LMT", "DAY")
    assert "trgprc" not in fields


def test_cancel_by_the_brokers_id(broker, stub):
    broker.cancel(OrderRef("owabc", "26112000000009"))
    assert stub.of("CancelOrder")[0].fields["norenordno"] == "26112000000009"


def test_cancel_by_our_id_finds_the_live_order(broker, stub):
    dead = order_row(norenordno="26112000000001", status="REJECTED")
    live = order_row(norenordno="26112000000002", status="TRIGGER_PENDING")
    stub.tell("OrderBook", says([dead, live]))
    broker.cancel(OrderRef("owabc", None))
    assert [call.fields["norenordno"] for call in stub.of("CancelOrder")] == ["26112000000002"]


def test_cancel_of_an_order_that_is_not_live_is_refused_unsent(broker, stub):
    with pytest.raises(Refused) as refusal:
        broker.cancel(OrderRef("owabc", None))
    assert refusal.value.code == "ORDER_NOT_FOUND" and not stub.of("CancelOrder")


def test_an_order_travels_on_a_connection_of_its_own_and_reads_share_one(broker, stub):
    for intent in ("a", "b"):
        broker.place(a_command(intent))
        broker.read_book([])
    ports = [call.port for call in stub.of("PlaceOrder")]
    assert len(set(ports)) == 2
    assert all(call.headers["connection"] == "close" for call in stub.of("PlaceOrder"))
    reads = {call.port for call in stub.of("OrderBook")}
    assert len(reads) == 1 and not reads & set(ports)


def test_a_login_with_password_hashes_what_is_secret(broker, stub, clock):
    broker.read_book([])
    (call,) = stub.of("QuickAuth")
    assert call.key is None
    sent = dict(call.fields)
    assert sent.pop("factor2") == TOTP("JBSWY3DPEHPK3PXP").at(clock.now())
    assert sent == {
        "source": "API",
        "apkversion": "1.0.0",
        "uid": "FA1",
        "pwd": hashlib.sha256(b"secret").hexdigest(),
        "vc": "FA1_U",
        "appkey": hashlib.sha256(b"FA1|api secret").hexdigest(),
        "imei": "abc",
    }
    assert stub.of("OrderBook")[0].key == "key1"
    assert "authorization" not in stub.of("OrderBook")[0].headers


@pytest.mark.parametrize(
    ("preset", "header", "key"),
    [("shoonya", "Bearer tok", None), ("flattrade", None, "tok"), ("zebu", "Bearer tok", None)],
)
def test_an_access_token_travels_as_the_preset_says(stub, clock, tmp_path, preset, header, key):
    broker = make(stub.url, clock, tmp_path, preset=preset, access_token="tok")
    broker.place(a_command())
    (call,) = stub.calls
    assert (call.headers.get("authorization"), call.key) == (header, key)
    assert broker.traits.name == preset


def test_secrets_do_not_show_in_an_account():
    text = repr(ACCOUNT)
    assert all(secret not in text for secret in ("secret", "JBSW"))
