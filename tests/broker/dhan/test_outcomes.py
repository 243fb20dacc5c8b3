"""How an order call to Dhan ends: its errors, and every answer that proves nothing."""

import socket
from dataclasses import replace

import pytest

from domain.broker_reports import OrderRef
from domain.error_class import reason_class
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from tests.broker.dhan.making import FAST, TOKEN, make
from tests.broker.dhan.stub import INVALID_TOKEN, PLACED, fails
from tests.broker.zerodha.stub import hangs_up, says, slow
from tests.contract.broker_contract import a_command

PLACE = "POST orders"
NUMBER = "112111182045"
CANCEL = f"DELETE orders/{NUMBER}"

REFUSALS = [
    (400, "DH-906", "Incorrect request for order and cannot be processed", "DH-906"),
    (400, "DH-906", "Insufficient Funds", "DH-906"),
    (400, "DH-906", "RMS:Rule: Check circuit limit", "RMS"),
    (400, "DH-905", "Missing required fields, bad values for parameters etc.", "DH-905"),
    (403, "DH-902", "User does not have access to Trading APIs", "DH-902"),
    (400, "DH-903", "Segment is not activated", "DH-903"),
    (400, "DH-905", "Invalid IP", "IP_NOT_ALLOWED"),
    (403, "DH-911", "Request from another machine", "IP_NOT_ALLOWED"),
    (400, "DH-906", "EDIS authorisation is pending", "DELIVERY_NOT_AUTHORISED"),
]
PROVE_NOTHING = [
    fails(400, "DH-907", "No data present"),
    fails(400, "DH-908", "Internal Server Error"),
    fails(500, "DH-908", "Server was not able to process"),
    fails(400, "DH-909", "Unable to communicate with the backend"),
    fails(504, "DH-909", "Network"),
    fails(400, "DH-908", "Server was busy"),
    fails(400, "DH-909", "Network"),
    fails(400, "DH-910", "Others"),
    fails(
        500, "DH-906", "Incorrect request for order and cannot be processed"
    ),  # seen: a sandbox, after it was placed
    fails(200, "DH-906", "Insufficient Funds"),
    fails(400, "DH-906", "Request timed out, please check the order book"),
    fails(400, "DH-906", "Something went wrong, try again"),
    fails(400, "DH-906", ""),
    fails(400, "DH-950", "Brand new"),
    fails(400, "", "no code"),
    fails(429, "DH-905", "blocked"),
    says(b"<html>Too many requests</html>", 429),
    says(b"<html>502 Bad Gateway</html>", 502),
    says(b"<html>Attention required</html>", 403),
    says({"message": "Forbidden"}, 403),
    says(b'{"orderId":"1121', 200),
    says({"orderStatus": "TRANSIT"}),
    says({"orderId": "", "orderStatus": "TRANSIT"}),
    says({"orderId": "1", "errorCode": "DH-906", "errorMessage": "and yet"}),
    says([]),
    says(b"null"),
    hangs_up,
]
TURNED_AWAY = [
    (fails(429, "DH-904", "Too many requests"), "429"),
    (fails(400, "DH-904", ""), "429"),
    (says({"status": "failed", "data": {"805": "Too many requests"}}, 429), "429"),
    (fails(401, "DH-901", "Client ID or user generated access token is invalid or expired."), "401"),
    (INVALID_TOKEN, "401"),
    (fails(400, "DH-905", "Access token is expired."), "401"),
    (says({"status": "failed", "data": {"808": "Authentication Failed"}}, 401), "401"),
]


@pytest.mark.parametrize(("status", "code", "message", "told"), REFUSALS)
def test_a_refusal_by_the_brokers_own_checks_is_one(broker, stub, status, code, message, told):
    stub.tell(PLACE, fails(status, code, message))
    with pytest.raises(Refused) as refusal:
        broker.place(a_command())
    assert refusal.value.code == told and message in refusal.value.message


@pytest.mark.parametrize("answer", PROVE_NOTHING)
def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown(broker, stub, answer):
    stub.tell(PLACE, answer)
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())
    assert len(stub.made("POST")) == 1


@pytest.mark.parametrize(("answer", "code"), TURNED_AWAY)
def test_an_order_that_was_turned_away_is_looked_for_before_it_is_sent_again(broker, stub, answer, code):
    stub.tell(PLACE, answer)
    with pytest.raises(NotSent) as caught:
        broker.place(a_command())
    assert caught.value.look_first and caught.value.code == code
    assert len(stub.made("POST")) == 1


def test_an_exceeded_rate_stops_entries_for_a_minute_and_no_exits(broker, stub, clock):
    stub.tell(PLACE, fails(429, "DH-904", "Too many requests"))
    with pytest.raises(NotSent):
        broker.place(a_command())
    stub.tell(PLACE, PLACED)
    stub.tell(CANCEL, PLACED)
    broker._budgets.orders._sleep = lambda seconds: clock.advance(seconds=seconds)
    with pytest.raises(NotSent, match="rate limit"):
        broker.place(a_command("second"))
    broker.cancel(OrderRef("", NUMBER))
    clock.advance(seconds=62)
    assert broker.place(a_command("third")).broker_order_id


def test_an_exceeded_rate_of_reads_stops_no_entry(broker, stub):
    stub.tell("GET orders", fails(429, "DH-904", "Too many requests"))
    with pytest.raises(ReadFailed):
        broker.read_book([])
    stub.tell(PLACE, PLACED)
    assert broker.place(a_command()).broker_order_id


def test_a_token_in_a_text_of_something_else_is_no_refusal_of_the_token(broker, stub):
    stub.tell(PLACE, fails(400, "DH-906", "Invalid Token number of the instrument"))
    with pytest.raises(Refused):
        broker.place(a_command())


def test_the_refusal_of_an_address_says_what_to_do(broker, stub):
    stub.tell(PLACE, fails(400, "DH-905", "Invalid IP"))
    with pytest.raises(Refused, match=r"static IP at web\.dhan\.co"):
        broker.place(a_command())


def test_an_answer_that_does_not_come_in_time_is_unknown_and_classed_as_a_timeout(clock, stub, tmp_path):
    broker = make(stub.url, clock, tmp_path, timeouts=replace(FAST, read=0.3))
    stub.tell(PLACE, slow(0.6, PLACED))
    with pytest.raises(OutcomeUnknown) as error:
        broker.place(a_command())
    assert reason_class(error.value.code, error.value.message) == "TIMEOUT"


def test_where_nobody_listens_nothing_was_sent(broker, stub):
    assert broker._session.key() == TOKEN  # the session is there
    stub.stop()
    with pytest.raises(NotSent):
        broker.place(a_command())
    with pytest.raises(NotSent):  # it has no body, so that no connection was made has to prove it
        broker.cancel(OrderRef("", NUMBER))


@pytest.mark.parametrize("answer", [hangs_up, says(b"", 202), fails(503, "DH-909", "down")])
def test_a_cancel_whose_answer_is_lost_is_unknown(broker, stub, answer):
    stub.tell(CANCEL, answer)
    with pytest.raises(OutcomeUnknown):
        broker.cancel(OrderRef("", NUMBER))
    assert len(stub.made("DELETE")) == 1


def test_a_server_that_accepts_and_says_nothing_may_have_the_order(clock, tmp_path, stub):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = make(stub.url, clock, tmp_path)
        broker._session.key()
        broker._wire._calls._base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OutcomeUnknown):
            broker.place(a_command())
