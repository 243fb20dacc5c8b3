"""The wire, byte by byte: both eras, forms, words, refusals, and what is not promised."""

import hashlib
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, NotConnected

import pytest
import requests

from broker.simulator.server import SimulatorServer
from broker.simulator.service import Simulator
from broker.simulator.sessions import Credentials, one_time_password
from tests.simulator.wire import DIGEST, EXCH, TSYM, USER, Wire, an_order, resting, serving

EXPIRED = "Session Expired :  Invalid Session Key"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# orders ---------------------------------------------------------------------------------------------------------


def test_the_same_remarks_twice_are_two_orders(wire):
    assert wire.placed("same") != wire.placed("same")
    assert [row["remarks"] for row in wire.book()] == ["same", "same"]
    assert wire.book("PositionBook")[0]["netqty"] == "100"


def test_an_order_without_remarks_has_none_in_the_book(wire):
    assert "remarks" not in wire.row(wire.placed(None))


def test_books_show_the_newest_first_and_only_what_is_the_users(wire, server):
    other = Wire(server.url, "FA99999").login()
    first, second = wire.placed("1"), wire.placed("2")
    theirs = other.placed("3", actid="FA99999")
    assert [row["norenordno"] for row in wire.book()] == [second, first]
    assert [row["norenordno"] for row in other.book()] == [theirs]
    assert other.call("CancelOrder", norenordno=first)["emsg"] == "Rejected : ORA:Order not found to Cancel"
    assert other.book("SingleOrdHist", norenordno=first) == []


def test_a_partial_fill_shows_while_the_order_is_open(wire):
    wire.mark("90", "20")
    number = wire.placed(**resting())
    row = wire.row(number)
    assert (row["status"], row["fillshares"], row["avgprc"], row["qty"]) == ("OPEN", "20", "90.00", "50")
    wire.call("CancelOrder", norenordno=number)
    row = wire.row(number)
    assert (row["status"], row["fillshares"], row["cancelqty"]) == ("CANCELED", "20", "30")


def test_what_an_ioc_order_cannot_fill_at_once_is_cancelled(wire):
    wire.mark("90", "20")
    row = wire.row(wire.placed(**resting(ret="IOC")))
    assert (row["status"], row["fillshares"], row["cancelqty"]) == ("CANCELED", "20", "30")


def test_a_field_that_says_nothing_is_left_out(wire):
    wire.mark("100")
    row = wire.row(wire.placed(**resting()))
    assert not {"fillshares", "avgprc", "rejreason", "cancelqty", "trgprc"} & set(row)
    assert all(isinstance(value, str) for value in row.values())


def test_selling_what_is_held_realizes_the_profit(wire):
    wire.mark("100")
    wire.placed("in")
    wire.mark("103")
    wire.placed("out", trantype="S", qty="20")
    (row,) = wire.book("PositionBook")
    assert (row["netqty"], row["rpnl"], row["urmtom"]) == ("30", "60.00", "90.00")
    assert (row["daybuyqty"], row["daysellqty"], row["daysellavgprc"]) == ("50", "20", "103.00")


@pytest.mark.parametrize(
    ("changes", "emsg"),
    [
        ({"qty": "0"}, "Invalid Input : qty"),
        ({"qty": "1.5"}, "Invalid Input : qty"),
        ({"qty": "-1"}, "Invalid Input : qty"),
        ({"qty": 50}, "Invalid Input : qty is not a string"),
        ({"qty": ""}, "Invalid Input : qty is missing"),
        ({"tsym": None}, "Invalid Input : tsym is missing"),
        ({"prctyp": "LIMIT"}, "Invalid Input : prctyp"),
        ({"prctyp": "LMT", "prc": "0"}, "Invalid Input : prc"),
        ({"prctyp": "SL-MKT", "trgprc": "None"}, "Invalid Input : trgprc"),
        ({"prd": "MIS"}, "Invalid Input : prd"),
        ({"trantype": "BUY"}, "Invalid Input : trantype"),
        ({"ret": "GTC"}, "Invalid Input : ret"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_is_in_no_book(wire, changes, emsg):
    answer = wire.place(**changes).json()
    assert (answer["stat"], answer["emsg"]) == ("Not_Ok", emsg)
    assert wire.book() == []


def test_market_orders_are_refused_as_the_real_ones_do(clock):
    with serving(clock=clock, market_orders=False) as server:
        wire = Wire(server.url).login()
        wire.mark("100")
        for prctyp in ("MKT", "SL-MKT"):
            answer = wire.place(prctyp=prctyp, trgprc="110")
            said = f"ALGO_CHK: {prctyp} Order type not allowed for API order"
            assert (answer.status_code, answer.json()["stat"], answer.json()["emsg"]) == (200, "Not_Ok", said)
        assert wire.book() == []
        number = wire.placed(**resting())
        changed = wire.call("ModifyOrder", norenordno=number, prctyp="MKT", exch=EXCH, tsym=TSYM, qty="50")
        assert changed["emsg"] == "ALGO_CHK: MKT Order type not allowed for API order"
        assert wire.row(number)["status"] == "OPEN"


def test_that_is_what_it_does_unless_it_is_told_otherwise(clock):
    server = SimulatorServer(Simulator(clock))
    server.start()
    try:
        assert "ALGO_CHK" in Wire(server.url).login().place().json()["emsg"]
    finally:
        server.stop()


def token_of(wire, text=TSYM):
    (found,) = wire.call("SearchScrip", exch=EXCH, stext=text)["values"]
    return found["token"]


def test_a_quote_names_its_instrument_and_what_it_can_be_traded_at(wire):
    wire.mark("112.5", ti="0.05")
    quote = wire.call("GetQuotes", exch=EXCH, token=token_of(wire))
    assert (quote["exch"], quote["tsym"], quote["token"]) == (EXCH, TSYM, token_of(wire))
    assert (quote["lp"], quote["bp1"], quote["sp1"], quote["ti"]) == ("112.50", "112.45", "112.55", "0.05")
    assert (quote["lc"], quote["uc"]) == ("90.00", "135.00")


def test_below_the_first_tick_nobody_bids(wire):
    wire.mark("0.05")
    quote = wire.call("GetQuotes", exch=EXCH, token=token_of(wire))
    assert (quote["lp"], quote["bp1"], quote["sp1"], quote["lc"]) == ("0.05", "0.00", "0.10", "0.05")


def test_a_symbol_that_is_searched_by_its_whole_name_is_there_at_the_default_price(wire):
    quote = wire.call("GetQuotes", exch=EXCH, token=token_of(wire, "NIFTY26NOV30000CE"))
    assert (quote["tsym"], quote["lp"]) == ("NIFTY26NOV30000CE", "100.00")
    assert wire.row(wire.placed(tsym="NIFTY26NOV30000CE"))["avgprc"] == "100.00"
    assert "no data" in wire.call("SearchScrip", exch=EXCH, stext="BANKNIFTY")["emsg"]


def test_the_exchange_may_end_an_order_by_itself(wire):
    wire.mark("100")
    numbers = [wire.placed(str(n), **resting()) for n in range(2)]
    wire.control("_end", uid=USER, norenordno=numbers[0], status="EXPIRED")
    wire.control("_end", uid=USER, norenordno=numbers[1], status="REJECTED", rejreason="16283 : blocked")
    assert wire.row(numbers[0])["status"] == "EXPIRED"
    assert (wire.row(numbers[1])["status"], wire.row(numbers[1])["rejreason"]) == (
        "REJECTED",
        "16283 : blocked",
    )


# forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json"]
)
def test_the_content_type_does_not_matter(wire, content_type):
    answer = wire.post(
        "PlaceOrder", headers={"Content-Type": content_type}, **an_order(tsym="M&M-EQ", exch="NSE")
    )
    assert answer.json()["stat"] == "Ok"
    assert wire.book()[0]["tsym"] == "M&M-EQ"


def test_a_bare_ampersand_cuts_the_value(wire):
    body = f"jData={json.dumps({'uid': USER, **an_order(tsym='M&M-EQ')})}&jKey={wire.key}"
    answer = requests.post(f"{wire.url}/NorenWClientTP/PlaceOrder", data=body, timeout=5).json()
    assert answer["emsg"] == "Invalid Input : jData is not valid json object"
    assert wire.book() == []


@pytest.mark.parametrize("body", [b"", b"jData=", b"jData=[]", b"jData=null", b"{}", b"\xff", b"jData={"])
def test_nonsense_is_refused(wire, body):
    answer = requests.post(f"{wire.url}/NorenWClientTP/OrderBook", data=body, timeout=5).json()
    assert answer["stat"] == "Not_Ok" and answer["emsg"].startswith("Invalid Input : ")


@pytest.mark.parametrize("path", ["NorenWClientTP/Nothing", "Other/OrderBook", "", "NorenWClientTP"])
def test_no_other_address_is_served(wire, path):
    assert requests.post(f"{wire.url}/{path}", data="jData={}", timeout=5).status_code == 404


def test_one_connection_serves_many_calls(wire):
    host, port = wire.url.removeprefix("http://").split(":")
    request = b"POST /NorenWClientTP/OrderBook HTTP/1.1\r\nContent-Length: 8\r\n\r\njData={}"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(request * 3)
        received = b""
        while received.count(EXPIRED.encode()) < 3:
            received += connection.recv(4096)
    assert received.count(b"HTTP/1.1 200 OK") == 3


# sessions -------------------------------------------------------------------------------------------------------


def test_the_oauth_era_takes_a_bearer_token_and_no_session_key(wire):
    # As the official client of that era sends it, content type included.
    granted = wire.post("GenAcsTok", era="NorenWClientAPI", code="c", checksum=DIGEST).json()
    assert granted["stat"] == "Ok" and granted["USERID"] == granted["actid"] == USER
    headers = {
        "Authorization": f"Bearer {granted['access_token']}",
        "Content-Type": "application/json; charset=utf-8",
    }
    answer = wire.post("PlaceOrder", era="NorenWClientAPI", headers=headers, **an_order()).json()
    assert answer["stat"] == "Ok"
    assert len(wire.post("OrderBook", era="NorenWClientAPI", headers=headers).json()) == 1
    assert wire.post("OrderBook", era="NorenWClientAPI").json()["emsg"] == EXPIRED
    wire.key = ""
    assert wire.post("OrderBook", headers=headers).json()["emsg"] == EXPIRED


def test_a_session_is_good_for_its_own_user_only(wire):
    wire.user = "FA99999"
    assert wire.call("OrderBook")["emsg"] == EXPIRED


def test_with_accounts_only_the_right_secrets_log_in(clock):
    known = Credentials("password", "JBSWY3DPEHPK3PXP", "vendor", "secret")
    with serving(clock=clock, accounts={USER: known}) as server:
        wire = Wire(server.url)
        right = {
            "source": "API",
            "apkversion": "1.0.0",
            "pwd": sha256("password"),
            "factor2": one_time_password(known.totp_secret, int(clock.now().timestamp()) // 30),
            "vc": "vendor",
            "appkey": sha256(f"{USER}|secret"),
            "imei": "i",
        }
        assert wire.call("QuickAuth", **right)["stat"] == "Ok"
        for name in ("pwd", "factor2", "vc", "appkey", "uid"):
            assert wire.call("QuickAuth", **{**right, name: "wrong"})["stat"] == "Not_Ok"


def test_with_accounts_a_code_needs_its_checksum(clock):
    known = Credentials(api_secret="secret", oauth_client_id=f"{USER}_U", access_token="from-elsewhere")
    with serving(clock=clock, accounts={USER: known}) as server:
        wire = Wire(server.url)
        good = sha256(f"{USER}_Usecretcode")
        answer = wire.post("GenAcsTok", era="NorenWClientAPI", code="code", checksum=good).json()
        assert answer["stat"] == "Ok"
        assert wire.call("GenAcsTok", code="other", checksum=good)["stat"] == "Not_Ok"
        bearer = {"Authorization": "Bearer from-elsewhere"}
        assert wire.post("UserDetails", era="NorenWClientAPI", headers=bearer).json()["actid"] == USER


def test_one_time_passwords_are_those_of_the_standard():
    # RFC 6238, appendix B, SHA-1, the last six of its eight digits.
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [one_time_password(secret, at // 30) for at in (59, 1111111109, 20000000000)] == [
        "287082",
        "081804",
        "353130",
    ]


def test_not_ok_may_come_with_http_400(clock):
    with serving(clock=clock, not_ok_status=400) as server:
        assert Wire(server.url).post("OrderBook").status_code == 400


# many at once ---------------------------------------------------------------------------------------------------


def test_orders_of_many_threads_are_all_in_the_book_once(server):
    def trade(worker: int) -> list[str]:
        mine = Wire(server.url).login()
        return [mine.placed(f"{worker}-{n}", qty="1") for n in range(25)]

    with ThreadPoolExecutor(8) as threads:
        numbers = [number for numbers in threads.map(trade, range(8)) for number in numbers]
    wire = Wire(server.url).login()
    assert len(set(numbers)) == 200 == len(wire.book())
    assert wire.book("PositionBook")[0]["netqty"] == "200"


def test_the_state_counts_calls_and_shows_the_orders(wire):
    wire.mark("100")
    number = wire.placed()
    state = wire.state()
    assert [row["norenordno"] for row in state["orders"]] == [number]
    assert state["marks"] == [{"exch": EXCH, "tsym": TSYM, "price": "100", "quantity": None}]
    assert state["calls"]["processed"]["PlaceOrder"] == 1


def test_a_server_that_was_stopped_answers_nobody_any_more(clock):
    """A client that keeps its connection would otherwise go on trading with a broker that is gone."""
    with serving(clock=clock) as server:
        kept = HTTPConnection("127.0.0.1", server.port, timeout=5)
        kept.request("GET", "/_state")
        assert kept.getresponse().read()
        server.stop()
        kept.auto_open = 0  # this connection, and no new one

        def ask_again() -> None:
            kept.request("GET", "/_state")
            kept.getresponse()

        with pytest.raises((ConnectionError, NotConnected)):
            ask_again()
