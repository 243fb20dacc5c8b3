"""How an order call to Alpaca ends: its errors, every answer that proves nothing, and an id that is in use."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import OrderRef
from domain.enums import OrderType, Side
from domain.error_class import reason_class
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.ids import client_order_id
from tests.broker.alpaca.making import FAST, ID, KEY, make, order_row
from tests.broker.alpaca.stub import BY_OUR_ID, IN_USE, KEYS, MISSING, fails, placed
from tests.contract.broker_contract import SYMBOL, a_command
from tests.contract.http_stub import hangs_up, says, slow

PLACE = "POST v2/orders"
CANCEL = f"DELETE v2/orders/{ID}"
BUY = {"order_type": OrderType.LIMIT, "price": Decimal("112.5")}

REFUSALS = [
    (403, 40310000, "insufficient buying power", "BUYING_POWER"),
    (403, 40310000, "insufficient day trading buying power", "BUYING_POWER"),
    (403, 40310000, "insufficient qty available for order (requested: 10, available: 5)", "QUANTITY_HELD"),
    (403, 40310000, "potential wash trade detected. use complex orders", "WASH_TRADE"),
    (403, 40310000, "account is not allowed to short", "40310000"),
    (403, 40310100, "trade denied due to pattern day trading protection", "DAY_TRADES"),
    (
        422,
        42210000,
        "invalid limit_price 41.085. sub-penny increment does not fulfill minimum pricing criteria",
        "SUB_PENNY",
    ),
    (422, 42210000, 'asset "BRK.A" is not fractionable', "NOT_FRACTIONABLE"),
    (422, 42210000, "qty must be > 0", "42210000"),
    (422, 40010001, "qty is required", "40010001"),
    (400, 40010000, "request body format is invalid", "40010000"),
]
PROVE_NOTHING = [
    fails(429, 42910000, "rate limit exceeded for this or another reason"),
    fails(429, 42210000, "qty must be > 0"),
    says(b"<html>Too many requests</html>", 429),
    fails(500, 50010000, "internal server error occurred"),
    fails(504, 50410000, "upstream request timeout"),
    fails(403, 40310000, "request timed out, try again"),
    fails(422, 42299999, "brand new"),
    fails(422, None, "no code"),
    fails(403, 40310000, ""),
    says(b"<html>403 Forbidden</html>", 403),
    says(b"<html>502 Bad Gateway</html>", 502),
    says(b'{"id":"61e69015', 200),
    says({"status": "accepted"}),
    says({"id": "", "status": "accepted"}),
    placed(client_order_id="somebody"),
    says([]),
    says(b"null"),
    fails(307, None, "elsewhere"),
    hangs_up,
]


def our_row(**changes):
    """The row of the order that `a_command(**BUY)` asks for, as it stands at the broker."""
    own = {"client_order_id": client_order_id("first"), "symbol": SYMBOL}
    return order_row(**{**own, **changes})


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


@pytest.mark.parametrize("answer", [KEYS, fails(403, None, "forbidden."), says(b"", 401)])
def test_an_order_that_was_turned_away_for_the_keys_is_looked_for_and_the_keys_are_named(
    broker, stub, answer
):
    stub.tell(PLACE, answer)
    with pytest.raises(NotSent, match="ALPACA_SANDBOX") as caught:
        broker.place(a_command())
    assert caught.value.look_first and caught.value.code == "401"


@pytest.mark.parametrize(
    "answer", [fails(429, 42910000, "rate limit exceeded"), fails(429, None, "too many requests.")]
)
def test_too_many_calls_stop_entries_for_a_minute_and_no_exits(broker, stub, clock, answer):
    stub.tell(PLACE, answer)
    with pytest.raises(NotSent) as turned_away:
        broker.place(a_command())
    assert (turned_away.value.code, turned_away.value.look_first) == ("429", True)
    stub.tell(PLACE, placed("third"))
    stub.tell(CANCEL, says(b"", 204))
    broker._budgets.orders._sleep = lambda seconds: clock.advance(seconds=seconds)
    with pytest.raises(NotSent, match="rate limit"):
        broker.place(a_command("second"))
    broker.cancel(OrderRef("", ID))
    clock.advance(seconds=62)
    assert broker.place(a_command("third")).broker_order_id == ID


def test_an_answer_that_does_not_come_in_time_is_unknown_and_classed_as_a_timeout(clock, stub, tmp_path):
    broker = make(stub.url, clock, tmp_path, timeouts=replace(FAST, read=0.3))
    stub.tell(PLACE, slow(0.6, placed()))
    with pytest.raises(OutcomeUnknown) as error:
        broker.place(a_command())
    assert reason_class(error.value.code, error.value.message) == "TIMEOUT"


def test_where_nobody_listens_nothing_was_sent(broker, stub):
    assert broker._session.key() == KEY  # the keys are checked
    stub.stop()
    with pytest.raises(NotSent):
        broker.place(a_command())
    with pytest.raises(NotSent):  # it has no body, so that no connection was made has to prove it
        broker.cancel(OrderRef("", ID))


# an id that is in use -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    ["client_order_id must be unique", "client order id must be unique", "Client Order ID must be unique."],
)
@pytest.mark.parametrize("status", ["new", "filled", "canceled", "rejected"])
def test_the_same_order_under_our_id_is_adopted_whatever_became_of_it(broker, stub, message, status):
    stub.tell(PLACE, fails(422, 40010001, message))
    stub.tell(BY_OUR_ID, says(our_row(status=status, qty="50.000")))
    result = broker.place(a_command(**BUY))
    assert (result.broker_order_id, result.duplicate) == (ID, True)
    assert len(stub.made("POST")) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"symbol": "MSFT"}, "symbol MSFT, not"),
        ({"side": "sell"}, "side sell, not buy"),
        ({"qty": "51"}, "qty 51, not 50"),
        ({"qty": None, "notional": "5625"}, "qty none, not 50"),
        ({"type": "market", "limit_price": None}, "type market, not limit"),
        ({"limit_price": "112.51"}, r"limit_price 112\.51, not 112\.5"),
        ({"limit_price": "nan"}, "limit_price nan"),
        ({"time_in_force": "gtc"}, "time_in_force gtc, not day"),
    ],
)
def test_another_order_under_our_id_is_never_taken_for_ours(broker, stub, caplog, changes, told):
    stub.tell(PLACE, IN_USE)
    stub.tell(BY_OUR_ID, says(our_row(**changes)))
    with pytest.raises(Refused, match=told) as refusal:
        broker.place(a_command(**BUY))
    assert refusal.value.code == "ID_IN_USE" and ID in refusal.value.message
    assert "was not taken" in caplog.text
    stub.tell("GET v2/orders", says([our_row(**changes)]))
    book = broker.read_book([])
    assert client_order_id("first") not in book.by_tag
    assert len(book.reports) + len(book.unreadable) == 1


def test_another_order_under_our_id_is_not_found_by_it_where_the_answer_was_lost(broker, stub, caplog):
    """The answer that was lost may have been that the id is in use."""
    stub.tell(PLACE, hangs_up)
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command(**BUY))
    stub.tell("GET v2/orders", says([our_row(qty="51")]))
    assert client_order_id("first") not in broker.read_book([]).by_tag and "was not taken" in caplog.text
    stub.tell("GET v2/orders", says([our_row(id="2", qty="50.0")]))
    assert broker.read_book([]).by_tag.keys() == {client_order_id("first")}


def test_a_person_may_change_an_order_that_was_acknowledged(broker, stub):
    stub.tell(PLACE, placed())
    broker.place(a_command(**BUY))
    stub.tell("GET v2/orders", says([our_row(qty="20")]))
    assert broker.read_book([]).by_tag.keys() == {client_order_id("first")}


def test_a_stop_is_compared_with_its_trigger(broker, stub):
    stub.tell(PLACE, IN_USE)
    stop = {"order_type": OrderType.STOP, "trigger_price": Decimal("90.5"), "side": Side.SELL}
    row = our_row(side="sell", type="stop", limit_price=None, stop_price="90.50")
    stub.tell(BY_OUR_ID, says(row))
    assert broker.place(a_command(**stop)).duplicate
    stub.tell(BY_OUR_ID, says({**row, "side": "sell_short"}))
    assert broker.place(a_command(**stop)).duplicate
    stub.tell(BY_OUR_ID, says({**row, "stop_price": "90"}))
    with pytest.raises(Refused, match=r"stop_price 90, not 90\.5"):
        broker.place(a_command(**stop))


@pytest.mark.parametrize(
    "answer", [hangs_up, MISSING, fails(500, 50010000, "down"), says([]), says({}), KEYS]
)
def test_an_id_in_use_of_which_nothing_can_be_read_leaves_the_outcome_unknown(broker, stub, answer):
    stub.tell(PLACE, IN_USE)
    stub.tell(BY_OUR_ID, answer)
    with pytest.raises(OutcomeUnknown, match="must be unique"):
        broker.place(a_command(**BUY))


def test_the_answer_about_another_id_is_not_believed(broker, stub):
    stub.tell(PLACE, IN_USE)
    stub.tell(BY_OUR_ID, says(our_row(client_order_id="somebody")))
    with pytest.raises(OutcomeUnknown, match="somebody"):
        broker.place(a_command(**BUY))


# cancels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message", "told"),
    [
        (404, 40410000, f"order not found for {ID}", "ORDER_NOT_FOUND"),
        (422, 42210000, 'order is already in "filled" state', "ORDER_ENDED"),
        (422, 42210000, "order is not cancelable", "ORDER_NOT_OPEN"),
    ],
)
def test_a_cancel_of_what_has_ended_is_refused(broker, stub, status, code, message, told):
    stub.tell(CANCEL, fails(status, code, message))
    if "cancelable" in message:  # it may have been replaced: that is looked up
        stub.tell(f"GET v2/orders/{ID}", says(our_row(status="expired")))
    with pytest.raises(Refused) as refusal:
        broker.cancel(OrderRef("", ID))
    assert refusal.value.code == told


@pytest.mark.parametrize(
    "answer", [hangs_up, fails(503, 50310000, "down"), fails(429, 42910000, "slow down")]
)
def test_a_cancel_whose_answer_is_lost_is_unknown(broker, stub, answer):
    stub.tell(CANCEL, answer)
    with pytest.raises(OutcomeUnknown):
        broker.cancel(OrderRef("", ID))
    assert len(stub.made("DELETE")) == 1


def test_a_second_cancel_while_the_first_one_goes_on_says_nothing_of_the_order(broker, stub):
    stub.tell(CANCEL, fails(422, 42210000, "order pending cancel"))
    with pytest.raises(NotSent) as caught:
        broker.cancel(OrderRef("", ID))
    assert (caught.value.code, caught.value.look_first) == ("ORDER_BUSY", False)


def test_an_order_is_cancelled_by_our_id_alone(broker, stub):
    stub.tell(BY_OUR_ID, says(our_row()))
    stub.tell(CANCEL, says(b"", 204))
    broker.cancel(OrderRef(client_order_id("first"), None))
    assert [call.path for call in stub.made("DELETE")] == [f"v2/orders/{ID}"]
    stub.tell(BY_OUR_ID, hangs_up)
    with pytest.raises(NotSent):
        broker.cancel(OrderRef(client_order_id("first"), None))
    stub.tell(BY_OUR_ID, MISSING)
    with pytest.raises(Refused):
        broker.cancel(OrderRef(client_order_id("first"), None))


def test_the_cancel_of_an_order_that_a_person_replaced_goes_to_its_successor(broker, stub):
    ended = fails(422, 42210000, 'order is already in "replaced" state')
    stub.tell(CANCEL, ended)
    stub.tell(f"GET v2/orders/{ID}", says(our_row(status="replaced", replaced_by="2")))
    stub.tell("DELETE v2/orders/2", says(b"", 204))
    broker.cancel(OrderRef("", ID))
    assert [call.path for call in stub.made("DELETE")] == [f"v2/orders/{ID}", "v2/orders/2"]
    stub.tell(f"GET v2/orders/{ID}", hangs_up)
    with pytest.raises(OutcomeUnknown):
        broker.cancel(OrderRef("", ID))
    stub.tell(f"GET v2/orders/{ID}", says(our_row(status="canceled")))
    with pytest.raises(Refused):
        broker.cancel(OrderRef("", ID))


def test_too_many_reads_are_no_empty_book(broker, stub):
    stub.tell("GET v2/orders", fails(429, 42910000, "rate limit exceeded"))
    with pytest.raises(ReadFailed) as caught:
        broker.read_book([])
    assert caught.value.code == "429"
