"""What an answer to an order call proves, and what it does not."""

import socket

import pytest

from broker.http_calls import HttpCalls
from domain.broker_reports import OrderRef
from domain.error_class import reason_class
from domain.errors import NotSent, OutcomeUnknown, Refused
from tests.broker.zerodha.making import FAST, TOKEN, make
from tests.broker.zerodha.stub import fails, hangs_up, says, slow, success
from tests.contract.broker_contract import a_command

PLACED = success({"order_id": "261120000000001"})
TRAP = "Order request timed out. Please check the order book and confirm before placing again."
PLACE = "POST orders/regular"
CANCEL = "DELETE orders/regular/261120000000001"

REFUSALS = [
    (400, "InputException", "Invalid `tradingsymbol`.", "INPUT"),
    (400, "InputException", "RMS:Rule: Check circuit limit including square off order exceeds", "RMS"),
    (
        400,
        "MarginException",
        "Insufficient funds. Required margin is 9000.00 but available margin is 1.",
        "MARGIN",
    ),
    (400, "HoldingException", "Insufficient stock holding", "HOLDING"),
    (400, "OrderException", "Trigger price for stoploss buy orders should be higher", "ORDER"),
    (
        403,
        "PermissionException",
        "IP (203.0.113.9) is not allowed to place orders for this app.",
        "IP_NOT_ALLOWED",
    ),
    (
        400,
        "PermissionException",
        "No IPs configured for this app. Add allowed IPs on the console.",
        "IP_NOT_ALLOWED",
    ),
    (
        400,
        "InputException",
        "Orders with market_protection 0 are not allowed via API",
        "MARKET_PROTECTION",
    ),
]
PROVE_NOTHING = [
    fails(400, "OrderException", TRAP),
    fails(400, "InputException", TRAP),
    fails(500, "OrderException", "Order placement failed"),
    fails(500, "GeneralException", "Something unexpected went wrong"),
    fails(502, "DataException", "Invalid response from the OMS"),
    fails(503, "NetworkException", "Gateway is down"),
    fails(504, "InputException", "Invalid `price`."),
    fails(400, "NetworkException", "no route"),
    fails(400, "GeneralException", "Unclassified"),
    fails(400, "DataException", "corrupt"),
    fails(400, "BrandNewException", "Invalid `price`."),
    fails(400, "InputException", ""),
    fails(200, "InputException", "Invalid `price`."),
    fails(429, "NetworkException", "You are blocked for a while"),
    says(b"<html>Too many requests</html>", 429),
    says(b"<html>502 Bad Gateway</html>", 502),
    says(b"<html>Attention required</html>", 403),
    says({"message": "Forbidden"}, 403),
    says(b'{"status":"success","data":{"order', 200),
    success({}),
    success(None),
    success({"order_id": ""}),
    hangs_up,
]


@pytest.mark.parametrize(("status", "error_type", "message", "code"), REFUSALS)
def test_a_refusal_by_the_brokers_own_checks_is_one(broker, stub, status, error_type, message, code):
    stub.tell(PLACE, fails(status, error_type, message))
    with pytest.raises(Refused) as refusal:
        broker.place(a_command())
    assert refusal.value.code == code and message in refusal.value.message


@pytest.mark.parametrize("answer", PROVE_NOTHING)
def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown(broker, stub, answer):
    stub.tell(PLACE, answer)
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())
    assert len(stub.made("POST")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        fails(429, "NetworkException", "Too many requests"),
        fails(429, "GeneralException", "Maximum allowed order requests exceeded."),
        fails(403, "TokenException", "Incorrect `api_key` or `access_token`."),
    ],
)
def test_an_order_that_was_turned_away_is_looked_for_before_it_is_sent_again(broker, stub, answer):
    stub.tell(PLACE, answer)
    with pytest.raises(NotSent) as caught:
        broker.place(a_command())
    assert caught.value.look_first and caught.value.code in ("429", "401")
    assert len(stub.made("POST")) == 1


def test_the_refusal_of_an_address_says_what_to_do(broker, stub):
    stub.tell(PLACE, fails(403, "PermissionException", "IP (203.0.113.9) is not allowed to place orders"))
    with pytest.raises(Refused, match=r"developers\.kite\.trade"):
        broker.place(a_command())


def test_a_full_minute_stops_entries_and_no_exits(clock, stub, tmp_path):
    broker = make(stub.url, clock, tmp_path)
    stub.tell(PLACE, fails(429, "GeneralException", "Maximum allowed order requests exceeded."))
    with pytest.raises(NotSent):
        broker.place(a_command())
    stub.tell(PLACE, PLACED)
    stub.tell(CANCEL, PLACED)
    broker._budgets.orders._sleep = lambda seconds: clock.advance(seconds=seconds)
    with pytest.raises(NotSent, match="rate limit"):
        broker.place(a_command("second"))
    broker.cancel(OrderRef("", "261120000000001"))


def test_an_answer_that_does_not_come_in_time_is_unknown_and_classed_as_a_timeout(broker, stub):
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
        broker.cancel(OrderRef("", "261120000000001"))


@pytest.mark.parametrize("answer", [hangs_up, says(b"", 200), fails(503, "NetworkException", "down")])
def test_a_cancel_whose_answer_is_lost_is_unknown(broker, stub, answer):
    stub.tell(CANCEL, answer)
    with pytest.raises(OutcomeUnknown):
        broker.cancel(OrderRef("", "261120000000001"))
    assert len(stub.made("DELETE")) == 1


def test_a_cancel_of_an_order_in_work_comes_again(broker, stub):
    stub.tell(
        CANCEL,
        fails(400, "OrderException", "Order cannot be cancelled as it is being processed. Try later."),
    )
    with pytest.raises(NotSent) as caught:
        broker.cancel(OrderRef("", "261120000000001"))
    assert caught.value.code == "ORDER_BUSY"


def test_an_order_never_leaves_after_its_last_moment(stub, broker, clock, monkeypatch):
    broker._session.key()
    new_session = HttpCalls._new_session

    def slow_session(self):
        clock.advance(seconds=FAST.send_within + 1)  # as a slow name server would
        return new_session(self)

    monkeypatch.setattr(HttpCalls, "_new_session", slow_session)
    with pytest.raises(NotSent, match="not sent"):
        broker.place(a_command())
    assert not stub.made("POST")


def test_a_server_that_accepts_and_says_nothing_may_have_the_order(clock, tmp_path, stub):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = make(stub.url, clock, tmp_path)
        broker._session.key()
        broker._wire._calls._base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OutcomeUnknown):
            broker.cancel(OrderRef("", "1"))
