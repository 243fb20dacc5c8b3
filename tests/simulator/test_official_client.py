"""The official client takes the simulator for its broker."""

import threading
import time

import pytest
from NorenRestApiPy.NorenApi import NorenApi  # type: ignore[import-untyped]

from broker.simulator.server import SimulatorServer
from broker.simulator.stream import UpdateStream
from tests.simulator.wire import EXCH, TSYM, USER, Wire


@pytest.fixture
def api(server: SimulatorServer) -> NorenApi:
    client = NorenApi(host=f"{server.url}/NorenWClientTP/", websocket="")
    answer = client.login(USER, "password", "123456", "vendor", "secret", "imei")
    assert answer["stat"] == "Ok" and answer["actid"] == USER
    return client


@pytest.fixture
def outside(server: SimulatorServer) -> Wire:
    return Wire(server.url)


def buy(api: NorenApi, **changes):
    order = {
        "buy_or_sell": "B",
        "product_type": "I",
        "exchange": EXCH,
        "tradingsymbol": TSYM,
        "quantity": 50,
        "discloseqty": 0,
        "price_type": "LMT",
        "price": 90.0,
        "remarks": "ow1",
    }
    return api.place_order(**{**order, **changes})


def test_a_filled_order_is_in_every_book(api, outside):
    outside.mark("112.5")
    placed = buy(api, price_type="MKT", price=0.0)
    (row,) = api.get_order_book()
    assert row["norenordno"] == placed["norenordno"]
    assert (row["status"], row["fillshares"], row["avgprc"], row["remarks"]) == (
        "COMPLETE",
        "50",
        "112.50",
        "ow1",
    )
    (trade,) = api.get_trade_book()
    assert (trade["flqty"], trade["flprc"], trade["norenordno"]) == ("50", "112.50", row["norenordno"])
    outside.mark("114.5")
    (position,) = api.get_positions()
    assert (position["netqty"], position["netavgprc"], position["prd"]) == ("50", "112.50", "I")
    assert (position["lp"], position["urmtom"], position["rpnl"]) == ("114.50", "100.00", "0.00")


def test_a_resting_order_is_modified_then_cancelled_and_its_history_tells(api, outside):
    outside.mark("112.5")
    number = buy(api)["norenordno"]
    assert api.modify_order(number, EXCH, TSYM, 75, "LMT", 95.0)["result"] == number
    (row,) = api.get_order_book()
    assert (row["status"], row["qty"], row["prc"]) == ("OPEN", "75", "95.00")
    assert api.cancel_order(number)["result"] == number
    history = api.single_order_history(number)
    assert [(r["status"], r["rpt"]) for r in history] == [
        ("CANCELED", "Canceled"),
        ("OPEN", "Replaced"),
        ("OPEN", "New"),
        ("PENDING", "NewAck"),
    ]
    assert api.cancel_order(number) is None


def test_a_stop_triggers(api, outside):
    outside.mark("112.5")
    buy(api, price_type="SL-LMT", price=121.0, trigger_price=120.0)
    (row,) = api.get_order_book()
    assert (row["status"], row["trgprc"], row["prc"]) == ("TRIGGER_PENDING", "120.00", "121.00")
    outside.mark("120.5")
    assert api.get_order_book()[0]["status"] == "COMPLETE"


def test_an_order_changes_its_type(api, outside):
    outside.mark("112.5")
    number = buy(api)["norenordno"]
    assert api.modify_order(number, EXCH, TSYM, 50, "MKT")["stat"] == "Ok"
    (row,) = api.get_order_book()
    assert (row["status"], row["prctyp"], row["avgprc"]) == ("COMPLETE", "MKT", "112.50")


def test_limits_quotes_and_search(api, outside):
    outside.mark("112.5", ls="75", ti="0.05")
    assert api.get_limits()["cash"] == "1000000.00"
    (found,) = api.searchscrip(EXCH, "nifty 24500")["values"]
    assert (found["tsym"], found["ls"], found["ti"]) == (TSYM, "75", "0.05")
    quote = api.get_quotes(EXCH, found["token"])
    assert (quote["lp"], quote["tsym"]) == ("112.50", TSYM)
    assert api.searchscrip(EXCH, "nothing") is None


def test_an_ampersand_in_a_symbol_survives(api):
    buy(api, tradingsymbol="M&M-EQ", exchange="NSE")
    assert api.get_order_book()[0]["tsym"] == "M&M-EQ"
    assert api.searchscrip("NSE", "M&M")["values"][0]["tsym"] == "M&M-EQ"


def test_empty_books_are_read_as_none(api):
    assert api.get_order_book() is api.get_trade_book() is api.get_positions() is None


def test_after_a_logout_the_session_is_over(api):
    token = api._NorenApi__susertoken
    assert api.logout()["stat"] == "Ok"
    api.set_session(USER, "password", token)
    assert buy(api) is None


def test_order_updates_come_over_the_websocket(server, api, outside):
    stream = UpdateStream(server.simulator)
    stream.start()
    NorenApi._NorenApi__service_config["websocket_endpoint"] = stream.url
    opened, filled, updates = threading.Event(), threading.Event(), []

    def told(message):
        updates.append(message)
        if message["status"] == "COMPLETE":
            filled.set()

    try:
        api.start_websocket(order_update_callback=told, socket_open_callback=opened.set)
        assert opened.wait(5)
        api.subscribe_orders()
        outside.mark("112.5")
        while not any(client.account for client in stream._clients):
            time.sleep(0.01)  # the client keeps the acknowledgement of its subscription to itself
        buy(api, price=120.0)
        assert filled.wait(5)
    finally:
        api.close_websocket()
        stream.stop()
    assert [(u["reporttype"], u["status"]) for u in updates] == [("NewAck", "PENDING"), ("Fill", "COMPLETE")]
    assert (updates[1]["flqty"], updates[1]["flprc"], updates[1]["remarks"]) == ("50", "112.50", "ow1")
