"""What every broker over HTTP does alike: how its calls end, its session, its books, and the engine at it."""

import socket
from decimal import Decimal
from pathlib import Path

import pytest

from broker.http_calls import Timeouts
from broker.simulator.server import SimulatorServer
from domain.broker_reports import OrderRef
from domain.enums import ExecutionType, OrderType, Side
from domain.error_class import reason_class
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.ports import Broker
from domain.states import Phase, Status
from tests.broker.desk import a_desk, at_the_broker, posted, spin
from tests.broker.over_http import OVER_HTTP
from tests.contract.broker_contract import ContractClock, a_command
from tests.contract.http_broker import HttpBroker, each
from tests.contract.http_stub import connect_slowly, hangs_up, says, slow
from tests.contract.simulated_broker import SimulatedBrokerContract, put_faults

EXIT = {"execution_type": ExecutionType.EXIT, "side": Side.SELL}
HASTY = Timeouts(connect=2.0, read=0.3, send_within=2.0)
TODAY, YESTERDAY = "2026-11-20", "2026-11-19"


class TestHttpBroker(SimulatedBrokerContract):
    """The contract of all brokers, at the simulated broker."""

    @pytest.fixture(autouse=True)
    def _which(self, at: HttpBroker) -> None:
        self.at = at

    def start(self, clock: ContractClock, journal: Path) -> SimulatorServer:
        return self.at.a_server(clock, journal)

    def connect(self, url: str, clock: ContractClock, place_: Path) -> Broker:
        broker: Broker = self.at.make(url, clock, place_)
        return broker


# how an order call ends -----------------------------------------------------------------------------------------


@each(OVER_HTTP, "answer, words, code", "refusals")
def test_a_refusal_by_the_brokers_own_checks_is_one(at, broker, stub, answer, words, code):
    stub.tell(at.place, answer)
    with pytest.raises(Refused) as refusal:
        broker.place(a_command())
    assert refusal.value.code == code and words in refusal.value.message


def test_the_refusal_of_an_address_says_what_to_do(at, broker, stub):
    answer, remedy = at.refused_address
    stub.tell(at.place, answer)
    with pytest.raises(Refused, match=remedy):
        broker.place(a_command())


@each(OVER_HTTP, "answer", "prove_nothing")
def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown(at, broker, stub, answer):
    stub.tell(at.place, answer)
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())
    assert len(stub.made("POST")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        says(b"<html>Too many requests</html>", 429),
        says(b"<html>502 Bad Gateway</html>", 502),
        says(b"<html>Attention required</html>", 403),
        says({"message": "Forbidden"}, 403),
        says([]),
        says(b"null"),
        hangs_up,
    ],
)
def test_an_answer_of_something_else_leaves_the_outcome_unknown(at, broker, stub, answer):
    stub.tell(at.place, answer)
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())
    assert len(stub.made("POST")) == 1


@each(OVER_HTTP, "answer, code", "turned_away")
def test_an_order_that_was_turned_away_is_looked_for_before_it_is_sent_again(at, broker, stub, answer, code):
    stub.tell(at.place, answer)
    with pytest.raises(NotSent) as caught:
        broker.place(a_command())
    assert caught.value.look_first and caught.value.code == code
    assert len(stub.made("POST")) == 1


def test_an_exceeded_rate_stops_entries_for_a_minute_and_no_exits(at, broker, stub, clock):
    stub.tell(at.place, at.full)
    with pytest.raises(NotSent):
        broker.place(a_command())
    stub.tell(at.place, at.placed)
    stub.tell(at.cancel, at.placed)
    broker._budgets.orders._sleep = lambda seconds: clock.advance(seconds=seconds)
    with pytest.raises(NotSent, match="rate limit"):
        broker.place(a_command("second"))
    broker.cancel(OrderRef("", at.number))
    clock.advance(seconds=62)
    assert broker.place(a_command("third")).broker_order_id


def test_an_answer_that_does_not_come_in_time_is_unknown_and_classed_as_a_timeout(at, clock, stub, tmp_path):
    broker = at.make(stub.url, clock, tmp_path, timeouts=HASTY)
    stub.tell(at.place, slow(0.6, at.placed))
    with pytest.raises(OutcomeUnknown) as error:
        broker.place(a_command())
    assert reason_class(error.value.code, error.value.message) == "TIMEOUT"


def test_where_nobody_listens_nothing_was_sent(at, broker, stub):
    assert broker._session.key() == at.token  # the session is there
    stub.stop()
    with pytest.raises(NotSent):
        broker.place(a_command())
    with pytest.raises(NotSent):  # it has no body, so that no connection was made has to prove it
        broker.cancel(OrderRef("", at.number))


def test_a_cancel_whose_answer_is_lost_is_unknown(at, broker, stub):
    lost = [hangs_up, says(b"", 200), says(b"", 202), at.down]
    for answer in lost:
        stub.tell(at.cancel, answer)
        with pytest.raises(OutcomeUnknown):
            broker.cancel(OrderRef("", at.number))
    assert len(stub.made("DELETE")) == len(lost)


def test_an_order_never_leaves_after_its_last_moment(at, stub, broker, clock, monkeypatch):
    broker._session.key()
    connect_slowly(monkeypatch, clock, 60)
    with pytest.raises(NotSent, match="not sent"):
        broker.place(a_command())
    assert not stub.made("POST")


def test_a_server_that_accepts_and_says_nothing_may_have_the_order(at, clock, tmp_path, stub):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = at.make(stub.url, clock, tmp_path, timeouts=HASTY)
        broker._session.key()
        broker._wire._calls._base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OutcomeUnknown):
            broker.place(a_command())
        with pytest.raises(OutcomeUnknown):
            broker.cancel(OrderRef("", "1"))


# what is sent ---------------------------------------------------------------------------------------------------

INEXPRESSIBLE = [
    ({"client_order_id": ""}, "client order id"),
    ({"quantity": Decimal("0.5")}, "quantity"),
    ({"quantity": Decimal(0)}, "quantity"),
    ({"product": "MTF"}, "product"),
    ({"exchange": "NYSE"}, "exchange"),
    ({"symbol": " "}, "symbol"),
    ({"order_type": OrderType.LIMIT, "price": None}, "price"),
    ({"order_type": OrderType.STOP, "trigger_price": Decimal(0)}, "trigger price"),
]


def test_an_order_that_the_wire_cannot_express_is_refused_unsent(at, broker, stub):
    for wrong, named in (*INEXPRESSIBLE, *at.inexpressible):
        for kind in ({}, EXIT):
            with pytest.raises(Refused, match=named) as refusal:
                broker.place(a_command(**{**kind, **wrong}))
            assert refusal.value.code == "VALIDATION", wrong
    assert not stub.calls


def test_a_number_that_would_change_the_address_is_refused(broker, stub):
    for number in ("../1", "1?x", "", "1/2"):
        with pytest.raises(Refused):
            broker.cancel(OrderRef("", number)) if number else broker.modify(number, a_command())
        with pytest.raises(ReadFailed):
            broker.order_history(number)
    assert not stub.calls


def test_an_exit_takes_its_slot_before_an_entry(at, broker, stub, monkeypatch):
    stub.tell(at.place, at.placed)
    went: list[bool] = []
    monkeypatch.setattr(broker._budgets.orders, "take", lambda *, urgent: went.append(urgent))
    broker.place(a_command())
    broker.place(a_command("out", **EXIT))
    assert went == [False, True]


# the access token -----------------------------------------------------------------------------------------------


def test_a_token_of_another_user_is_never_used(at, broker, stub, clock):
    stub.tell(at.profile, at.whose("ZZ9999"))
    stub.tell(at.place, at.placed)
    for _ in range(2):
        with pytest.raises(NotSent, match=f"ZZ9999.*{at.user}") as caught:
            broker.place(a_command())
        clock.advance(hours=1)
    assert caught.value.code == "401" and not stub.made("POST")
    assert broker.traits.account == at.user


def test_a_token_is_checked_once_and_then_used(at, broker, stub):
    stub.tell(at.place, at.placed)
    broker.place(a_command())
    broker.place(a_command("second"))
    assert [f"GET {call.path}" for call in stub.made("GET")] == [at.profile]


@each(OVER_HTTP, "answer", "unchecked")
def test_a_token_that_cannot_be_checked_is_not_used_and_tried_again(at, broker, stub, clock, answer):
    stub.tell(at.profile, answer)
    stub.tell(at.place, at.placed)
    with pytest.raises(NotSent):
        broker.place(a_command())
    stub.tell(at.profile, at.whose(at.user.lower()))
    clock.advance(seconds=6)
    assert broker.place(a_command()).broker_order_id == at.number


@each(OVER_HTTP, "answer", "ended")
def test_an_expired_token_is_told_with_its_cause_and_what_to_do(at, broker, stub, answer):
    stub.tell(at.profile, answer)
    with pytest.raises(ReadFailed, match=f"access token.*{at.remedy}") as caught:
        broker.read_book([])
    assert caught.value.code == "401"


def test_a_token_that_ends_in_the_day_stops_every_call(at, broker, stub):
    stub.tell(at.place, at.ended[0])
    with pytest.raises(NotSent, match=at.remedy) as caught:
        broker.place(a_command())
    assert caught.value.look_first
    stub.tell(at.place, at.placed)
    with pytest.raises(NotSent, match="access token"):
        broker.place(a_command("second"))
    assert len(stub.made("POST")) == 1


def test_a_new_token_in_the_file_is_used_without_a_restart(at, clock, tmp_path, stub):
    file = tmp_path / "day.token"
    broker = at.make(stub.url, clock, tmp_path, access_token="", login_file=file)
    stub.tell(at.book, at.rows(at.book, []))
    with pytest.raises(ReadFailed, match=rf"day\.token cannot be read.*{at.file_remedy}"):
        broker.read_book([])
    file.write_text("eyJ.first\n")
    clock.advance(minutes=1)
    assert broker.read_book([]).complete
    stub.tell(at.book, at.ended[0])
    with pytest.raises(ReadFailed):
        broker.read_book([])
    file.write_text("e" * 900)
    stub.tell(at.book, at.rows(at.book, []))
    clock.advance(minutes=1)
    assert broker.read_book([]).complete
    assert any(value.endswith("e" * 900) for value in stub.calls[-1].headers.values())


@pytest.mark.parametrize("content", ["", "two words", "line\nbreak", "caf\u00e9"])
def test_a_file_without_a_token_sends_nothing(at, clock, tmp_path, stub, content):
    file = tmp_path / "day.token"
    file.write_text(content)
    broker = at.make(stub.url, clock, tmp_path, access_token="", login_file=file)
    with pytest.raises(NotSent, match=r"day\.token"):
        broker.place(a_command())
    assert not stub.calls


# books ----------------------------------------------------------------------------------------------------------


@each(OVER_HTTP, "answer", "no_rows")
def test_only_a_list_says_that_a_book_is_empty(at, broker, stub, answer):
    for call in (at.book, at.positions):
        stub.tell(call, answer)
    with pytest.raises(ReadFailed):
        broker.read_book([])
    with pytest.raises(ReadFailed):
        broker.read_positions()


def test_an_empty_book_is_complete(at, broker, stub):
    for call in (at.book, at.positions):
        stub.tell(call, at.rows(call, []))
    assert broker.read_book([]).complete
    assert broker.read_positions().positions == ()


def test_a_book_that_lacks_what_it_showed_today_is_not_complete(at, broker, stub):
    rows = [at.row(number, TODAY) for number in ("7001", "7002")]
    stub.tell(at.book, at.rows(at.book, rows))
    assert broker.read_book([]).complete
    stub.tell(at.book, at.rows(at.book, rows[1:]))
    assert not broker.read_book([]).complete


def test_what_the_book_kept_of_yesterday_may_vanish(at, broker, stub):
    stub.tell(at.book, at.rows(at.book, [at.row("6001", YESTERDAY)]))
    assert broker.read_book([]).complete
    stub.tell(at.book, at.rows(at.book, []))
    assert broker.read_book([]).complete


def test_reads_take_no_slot_of_the_orders(at, broker, stub, monkeypatch):
    def taken(**_):
        raise AssertionError("a read took an order's slot")

    monkeypatch.setattr(broker._budgets.orders, "take", taken)
    stub.tell(at.book, at.rows(at.book, []))
    assert broker.read_book([]).complete


# the whole engine: each order once, whatever its answer was -----------------------------------------------------

DOUBTED = [
    {"kind": "error_5xx_after"},
    {"kind": "drop_after"},
    {"kind": "truncate", "declared": "whole"},
]


@pytest.fixture
def desk(at, tmp_path):
    with a_desk(at, tmp_path) as desk:
        yield desk


def sent_once(at, desk, fault):
    put_faults(desk.server, {**fault, "endpoint": "PlaceOrder", "times": 1})
    order = posted(desk, 12)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert len(at_the_broker(desk, at.user)) == 1


@each(OVER_HTTP, "fault", "doubted")
def test_an_order_whose_answer_says_otherwise_is_found_and_sent_once(at, desk, fault):
    sent_once(at, desk, fault)


@pytest.mark.parametrize("fault", DOUBTED, ids=lambda fault: fault["kind"])
def test_an_order_whose_answer_is_lost_is_found_and_sent_once(at, desk, fault):
    sent_once(at, desk, fault)


def test_an_order_that_never_came_is_proven_absent_and_not_sent_again(at, desk):
    put_faults(desk.server, {"kind": "error_5xx_before", "endpoint": "PlaceOrder", "times": 1})
    order = posted(desk, 10)
    assert order.phase is Phase.UNKNOWN  # the broker may still accept it
    spin(desk, 40)
    assert desk.order(order.command_id).tag == "BROKER_ABSENT:PROVEN"
    assert not at_the_broker(desk, at.user)


def test_a_token_that_ends_in_the_middle_loses_no_order(at, desk):
    order = posted(desk, 6, signal_id="before")
    assert order.status is Status.EXECUTED
    desk.server.simulator.sessions.end(at.token)
    late = posted(desk, 6, signal_id="after")
    assert late.status is not Status.EXECUTED and len(at_the_broker(desk, at.user)) == 1
    assert desk.order(order.command_id).status is Status.EXECUTED
