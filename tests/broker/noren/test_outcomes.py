"""Every way in which an order call or a read can end, and what is concluded from it."""

import gzip
import json
import socket
import time
from datetime import timedelta

import pytest

from broker.http_calls import Timeouts
from broker.noren.errors import code_of, proves_refusal
from domain.broker_reports import OrderRef
from domain.error_class import reason_class
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from tests.broker.noren.making import FAST, make, order_row
from tests.broker.noren.stub import (
    NO_DATA,
    PLACED,
    dribbles,
    drops_after_reading,
    drops_before_reading,
    not_ok,
    says,
    slow,
    truncates,
    truncates_silently,
)
from tests.contract.broker_contract import a_command
from tests.contract.http_stub import connect_slowly

LIMIT_TEXT = "Invalid Input :  Order Recieved 11 in a current second exceeds Limit 10 for user"

BROKEN = {
    "dropped before reading": drops_before_reading,
    "dropped after reading": drops_after_reading,
    "truncated": truncates,
    "truncated, and called whole": truncates_silently,
    "nothing": says(b""),
    "garbage": says(b"\x00\xff\x17 not json"),
    "a page of HTML": says(b"<html>502</html>", 200),
    "another JSON": says(b"42"),
    "deep nesting": says(b"[" * 100_000),
    "500": says(not_ok("Rejected : RMS:Margin"), 500),
    "502": says(b"<html>Bad Gateway</html>", 502),
    "503": says({}, 503),
    "504": says(b"", 504),
    "403": says(b"<html>Forbidden</html>", 403),
    "404": says(b"", 404),
    "a redirect": says(b"", 307),
    "too slow": slow(0.6, says(PLACED)),
    "without end": dribbles,
}


@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_understood_leaves_the_outcome_open(broker, stub, behaviour):
    stub.tell("PlaceOrder", behaviour)
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())
    assert len(stub.of("PlaceOrder")) <= 1


@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
def test_a_read_that_fails_is_never_empty(broker, stub, behaviour):
    stub.tell("OrderBook", behaviour)
    stub.tell("PositionBook", behaviour)
    for read in (lambda: broker.read_book([]), broker.read_positions):
        with pytest.raises(ReadFailed):
            read()


@pytest.mark.parametrize(
    "body",
    [
        {"stat": "Ok"},
        {"stat": "Ok", "norenordno": ""},
        {"stat": "Ok", "norenordno": None},
        {"norenordno": "1"},
        {"stat": "Not_Ok"},
        not_ok(""),
        not_ok("Server Timeout :  "),
        not_ok("Internal Error"),
        not_ok("Error Occurred : 7 something"),
        not_ok("Rejected : request timed out"),
        not_ok("Invalid Input : try again later"),
        not_ok("words that nobody has seen"),
        [not_ok("words that nobody has seen")],
        [],
        not_ok('Error Occurred : 5 "no data"'),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_proves_nothing_leaves_the_outcome_open(broker, stub, body, status):
    stub.tell("PlaceOrder", says(body, status))
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())


@pytest.mark.parametrize(
    ("emsg", "code", "reason"),
    [
        ("Invalid Input :  jData is Missing.", "INVALID_INPUT", "EXCHANGE_REJECTED"),
        ("Invalid Input : INVALID_IP", "INVALID_INPUT", "EXCHANGE_REJECTED"),
        ('Error Occurred : 2 "invalid input"', "", "EXCHANGE_REJECTED"),
        ("Rejected : ORA:Order not found to Cancel", "ORA", "EXCHANGE_REJECTED"),
        ("Rejected : RMS: margin exceeds", "RMS", "INSUFFICIENT_FUNDS"),
        ("RED:Margin Shortfall:INR 28,030.64 Available:INR 29.36", "RED", "INSUFFICIENT_FUNDS"),
        ("RED:RULE:{Check circuit limit}Current:INR 2,400.00", "RED", "EXCHANGE_REJECTED"),
        ("Insufficient Balance", "", "INSUFFICIENT_FUNDS"),
        ("Invalid Trading Symbol", "", "EXCHANGE_REJECTED"),
        ("Scrip not found", "", "EXCHANGE_REJECTED"),
        ("Market orders are not allowed for API users", "", "EXCHANGE_REJECTED"),
        ("ALGO_CHK: MKT Order type not allowed for API order", "ALGO_CHK", "EXCHANGE_REJECTED"),
        ("ALGO_CHK: some other rule", "ALGO_CHK", "EXCHANGE_REJECTED"),
        ("Order price cannot be zero", "", "EXCHANGE_REJECTED"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_text_that_proves_it_is_a_refusal(broker, stub, emsg, code, reason, status):
    stub.tell("PlaceOrder", says(not_ok(emsg), status))
    with pytest.raises(Refused) as refusal:
        broker.place(a_command())
    assert refusal.value.code == code
    assert refusal.value.message.startswith(" ".join(emsg.split()))
    hinted = "SHOONYA_MARKET_ORDERS=protected" in refusal.value.message
    assert hinted == any(word in emsg for word in ("Market orders", "MKT", "zero"))
    assert reason_class(refusal.value.code, refusal.value.message) == reason


@pytest.mark.parametrize(
    "behaviour",
    [
        says(not_ok(LIMIT_TEXT), 400),
        says(not_ok(LIMIT_TEXT)),
        says(not_ok(LIMIT_TEXT), 429),
        says(not_ok("Too Many Requests"), 429),
    ],
)
def test_what_the_rate_turned_away_was_not_sent(broker, stub, behaviour):
    stub.tell("PlaceOrder", behaviour)
    stub.tell("OrderBook", behaviour)
    with pytest.raises(NotSent) as error:
        broker.place(a_command())
    assert error.value.code == "429"
    assert reason_class(error.value.code, error.value.message) == "RATE_LIMIT"
    with pytest.raises(ReadFailed) as read_error:
        broker.read_book([])
    assert reason_class(read_error.value.code, read_error.value.message) == "RATE_LIMIT"


@pytest.mark.parametrize(
    "emsg",
    [
        "Rejected : RMS:corporate limit exceeded",
        "RED:RULE:{Check separate limit}Current:INR 2,400.00",
        "Rejected : RMS: too many requests of this scrip are open, limit 10",
        "Rejected : ORA:elaborate limitations of the product",
    ],
)
def test_a_refusal_that_only_contains_words_of_a_rate_is_a_refusal(broker, stub, emsg):
    stub.tell("PlaceOrder", says(not_ok(emsg)))
    with pytest.raises(Refused):
        broker.place(a_command())


@pytest.mark.parametrize(
    "behaviour",
    [
        says(b"Too Many Requests", 429),
        says({}, 429),
        says(b"<html>Too Many Requests</html>", 429),
        says(not_ok("separate limit of the order gateway"), 429),
        says(not_ok("corporate limit of requests"), 200),
        says(not_ok("order may be queued, rate limit applied"), 200),
    ],
)
def test_a_429_or_words_of_a_rate_prove_nothing_that_the_broker_does_not_say(broker, stub, behaviour):
    stub.tell("PlaceOrder", behaviour)
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())


def test_an_order_that_a_429_calls_accepted_is_not_taken_for_unsent(broker, stub):
    stub.tell("PlaceOrder", says(PLACED, 429))
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "name.invalid"])
def test_without_a_connection_nothing_was_sent(clock, tmp_path, host):
    broker = make(f"http://{host}:{closed_port()}", clock, tmp_path, access_token="t")
    with pytest.raises(NotSent):
        broker.place(a_command())
    with pytest.raises(NotSent):
        broker.cancel(OrderRef("owabc", "26112000000001"))
    with pytest.raises(NotSent):
        broker.cancel(OrderRef("owabc", None))
    with pytest.raises(ReadFailed):
        broker.read_book([])


def test_a_connection_that_is_not_answered_in_time_was_not_made(clock, tmp_path):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(4)]  # its queue is full: further attempts get no answer
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        time.sleep(0.05)
        timeouts = Timeouts(connect=0.3, read=0.3, send_within=2)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        broker = make(url, clock, tmp_path, timeouts=timeouts, access_token="t")
        with pytest.raises(NotSent, match=r"no connection .* timed out"):
            broker.place(a_command())
        for filler in fillers:
            filler.close()


def test_without_tls_nothing_was_sent(stub, clock, tmp_path):
    broker = make(stub.url.replace("http:", "https:"), clock, tmp_path, access_token="t")
    with pytest.raises(NotSent, match="SSL"):
        broker.place(a_command())
    assert not stub.calls


def test_a_tls_handshake_that_hangs_sent_nothing(clock, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        timeouts = Timeouts(connect=0.2, read=0.2, send_within=2)
        broker = make(url, clock, tmp_path, timeouts=timeouts, access_token="t")
        with pytest.raises(NotSent):
            broker.place(a_command())


def test_a_timeout_is_classed_as_one(broker, stub):
    stub.tell("PlaceOrder", slow(0.6, says(PLACED)))
    with pytest.raises(OutcomeUnknown) as error:
        broker.place(a_command())
    assert reason_class(error.value.code, error.value.message) == "TIMEOUT"


def test_an_order_never_leaves_after_its_last_moment(stub, clock, tmp_path, monkeypatch):
    broker = make(stub.url, clock, tmp_path, access_token="t")
    connect_slowly(monkeypatch, clock, FAST.send_within + 1)
    with pytest.raises(NotSent, match="not sent"):
        broker.place(a_command())
    assert not stub.calls


def test_a_dropped_kept_connection_fails_one_read_and_no_order(broker, stub):
    broker.read_book([])
    stub.tell("OrderBook", drops_after_reading)
    with pytest.raises(ReadFailed):
        broker.read_book([])
    assert broker.place(a_command()).broker_order_id
    assert broker.read_book([]).reports == ()


@pytest.mark.parametrize(
    "emsg",
    [
        'Error Occurred : 5 "no data"',
        'Error Occurred : 5 {"no data"}',
        "No Data :  ",
        'Error Occured : 5 "no data" ',
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_no_data_is_an_empty_book(broker, stub, emsg, status):
    stub.tell("OrderBook", says(not_ok(emsg), status))
    stub.tell("PositionBook", says(not_ok(emsg), status))
    book = broker.read_book([])
    assert book.reports == () and book.complete
    assert broker.read_positions().positions == ()


@pytest.mark.parametrize(
    "behaviour",
    [
        says(not_ok("Server Timeout :  ")),
        says(not_ok("Service unavailable: no data")),
        says(not_ok("Error Occurred : 7 no data")),
        says({"stat": "Ok"}),
        says(NO_DATA, 502),
        says([not_ok("Server Timeout :  ")]),
        says(["row"]),
    ],
)
def test_no_other_error_is_an_empty_book(broker, stub, behaviour):
    stub.tell("OrderBook", behaviour)
    stub.tell("PositionBook", behaviour)
    for read in (lambda: broker.read_book([]), broker.read_positions):
        with pytest.raises(ReadFailed):
            read()


def test_the_book_is_as_old_as_the_moment_before_it_was_asked_for(broker, stub, clock):
    before = clock.now()

    def later(handler):
        clock.advance(seconds=1)
        says(NO_DATA)(handler)

    stub.tell("OrderBook", later)
    assert before < broker.read_book([]).read_started_at < before + timedelta(seconds=1)


def test_proofs_are_judged_whatever_their_case():
    assert proves_refusal("INVALID INPUT : x") and not proves_refusal("rejected by Server Timeout")
    assert code_of("rejected : ora:x") == "ORA" and code_of("") == ""


def sends(head, *pieces):
    """The bytes of an answer as they stand, then the connection's end."""

    def behave(handler):
        handler.read_call()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + b"".join(pieces))
        handler.cut()

    return behave


BOOK = json.dumps([order_row(norenordno=str(n)) for n in range(5000)]).encode()
SMALL = gzip.compress(BOOK)
CHUNKS = [b"%x\r\n%b\r\n" % (len(part), part) for part in (BOOK[:70_000], BOOK[70_000:])]


@pytest.mark.parametrize(
    "whole",
    [
        sends(b"Content-Length: %d" % len(BOOK), BOOK),
        sends(b"Connection: close", BOOK),
        sends(b"Transfer-Encoding: chunked", *CHUNKS, b"0\r\n\r\n"),
        sends(b"Content-Encoding: gzip\r\nContent-Length: %d" % len(SMALL), SMALL),
    ],
)
def test_an_answer_is_read_however_it_is_packed(broker, stub, whole):
    stub.tell("OrderBook", whole)
    assert len(broker.read_book([]).reports) == 5000


@pytest.mark.parametrize(
    "broken",
    [
        sends(b"Content-Length: %d" % (len(BOOK) + 1), BOOK),
        sends(b"Transfer-Encoding: chunked", *CHUNKS),
        sends(b"Transfer-Encoding: chunked", CHUNKS[0], b"zz"),
        sends(b"Content-Encoding: gzip\r\nContent-Length: %d" % (len(SMALL) - 50), SMALL[:-50]),
        sends(b"Content-Encoding: gzip\r\nContent-Length: 4", b"none"),
    ],
)
def test_an_answer_that_is_not_whole_is_no_answer(broker, stub, broken):
    stub.tell("OrderBook", broken)
    with pytest.raises(ReadFailed):
        broker.read_book([])


@pytest.mark.parametrize(
    ("emsg", "code", "advice"),
    [
        ("Rejected : RMS:Rule: Check freeze quantity, 1800", "FREEZE_QUANTITY", "several smaller ones"),
        ("Order quantity exceeds freeze qty", "FREEZE_QUANTITY", "several smaller ones"),
        ("RED:holdings not authorised", "DELIVERY_NOT_AUTHORISED", "eDIS, TPIN"),
        ("Rejected : RMS: TPIN authorization pending", "DELIVERY_NOT_AUTHORISED", "eDIS, TPIN"),
    ],
)
def test_a_refusal_that_somebody_can_do_something_about_says_what(broker, stub, emsg, code, advice):
    stub.tell("PlaceOrder", says(not_ok(emsg)))
    with pytest.raises(Refused, match=advice) as refusal:
        broker.place(a_command())
    assert refusal.value.code == code
    stub.tell("OrderBook", says([order_row(status="REJECTED", rejreason=emsg)]))
    (report,) = broker.read_book([]).reports
    assert report.code == code and advice in report.reason
