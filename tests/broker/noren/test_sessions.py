"""The session: renewed when it is refused, by one login, and never in a way that locks the account."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.sessions import LoginFailed, Session
from domain.broker_reports import OrderRef
from domain.error_class import reason_class
from domain.errors import NotSent, OutcomeUnknown, ReadFailed
from tests.broker.noren.making import make
from tests.broker.noren.stub import EXPIRED, NO_DATA, PLACED, drops_after_reading, not_ok, says, slow
from tests.contract.broker_contract import a_command

REFUSED = {
    "the text": says(EXPIRED),
    "the text, one blank": says(not_ok("Session Expired : Invalid Session Key"), 400),
    "wrapped": says([EXPIRED]),
    "401 without words": says(b"", 401),
    "401 with others": says({"message": "no"}, 401),
}


def place_twice(broker):
    """As the engine does: an order that was turned away is looked for, and sent again where it does not show."""
    with pytest.raises(NotSent) as error:
        broker.place(a_command())
    assert error.value.look_first
    assert broker.read_book([]).reports == ()
    return broker.place(a_command())


@pytest.mark.parametrize("refusal", REFUSED.values(), ids=REFUSED)
def test_an_order_survives_an_expired_session(broker, stub, refusal):
    stub.standing["OrderBook"] = says(NO_DATA)
    broker.read_book([])
    stub.tell("PlaceOrder", refusal)
    assert place_twice(broker).broker_order_id == PLACED["norenordno"]
    assert [call.key for call in stub.of("PlaceOrder")] == ["key1", "key2"]
    assert len(stub.of("QuickAuth")) == 2


@pytest.mark.parametrize("refusal", REFUSED.values(), ids=REFUSED)
def test_a_read_survives_an_expired_session(broker, stub, refusal):
    stub.tell("OrderBook", says(NO_DATA), refusal)
    broker.read_book([])
    assert broker.read_book([]).reports == ()
    assert len(stub.of("QuickAuth")) == 2


def test_an_order_whose_session_was_refused_is_not_sent_again_unlooked(broker, stub):
    """A front end has said so of an order that it had taken."""
    stub.tell("PlaceOrder", says(EXPIRED))
    with pytest.raises(NotSent, match="Session Expired") as error:
        broker.place(a_command())
    assert error.value.look_first
    assert len(stub.of("PlaceOrder")) == 1


def test_what_never_left_needs_no_look(broker, stub):
    stub.standing["QuickAuth"] = says(b"", 502)
    with pytest.raises(NotSent) as error:
        broker.place(a_command())
    assert not error.value.look_first


def test_a_cancel_survives_an_expired_session(broker, stub):
    """Said twice it is the same cancel."""
    stub.tell("CancelOrder", says(EXPIRED), says({"stat": "Ok", "result": "1"}))
    broker.cancel(OrderRef("ow", "1"))
    assert len(stub.of("CancelOrder")) == 2


@pytest.mark.parametrize(
    "answer", [says({**EXPIRED}, 502), says(not_ok("Rejected : OMS: session expired at exchange"))]
)
def test_words_about_sessions_elsewhere_are_no_refused_session(broker, stub, answer):
    stub.tell("PlaceOrder", answer)
    with pytest.raises(Exception, match=r"(?i)session"):
        broker.place(a_command())
    assert len(stub.of("PlaceOrder")) == 1


def test_an_accepted_order_under_401_is_not_sent_again(broker, stub):
    stub.tell("PlaceOrder", says(PLACED, 401))
    with pytest.raises(OutcomeUnknown):
        broker.place(a_command())
    assert len(stub.of("PlaceOrder")) == 1


def test_a_session_refused_twice_means_not_sent(broker, stub):
    stub.standing["OrderBook"] = says(NO_DATA)
    stub.tell("PlaceOrder", says(EXPIRED), says(EXPIRED))
    with pytest.raises(NotSent) as error:
        place_twice(broker)
    assert reason_class(error.value.code, error.value.message) == "AUTHENTICATION_ERROR"
    assert error.value.look_first
    assert len(stub.of("PlaceOrder")) == 2


def test_sessions_that_end_one_after_the_other_are_renewed_less_and_less_often(broker, stub, clock):
    stub.standing["OrderBook"] = says(EXPIRED)
    for _ in range(600):
        with pytest.raises(ReadFailed) as error:
            broker.read_book([])
        clock.advance(seconds=1)
    assert error.value.code == "401"
    assert 5 < len(stub.of("QuickAuth")) < 20
    stub.standing["OrderBook"] = says(NO_DATA)
    clock.advance(seconds=61)
    assert broker.read_book([]).complete


def test_two_programs_that_end_each_others_sessions_do_not_log_in_without_end(stub, clock, tmp_path):
    stub.valid = set()
    stub.standing["OrderBook"] = stub.checks_keys(says(NO_DATA))
    brokers = [make(stub.url, clock, tmp_path) for _ in range(2)]
    for _ in range(300):
        for broker in brokers:
            with contextlib.suppress(ReadFailed):
                broker.read_book([])
        clock.advance(seconds=1)
    assert len(stub.of("QuickAuth")) < 40


def test_an_outage_before_a_refused_code_does_not_make_it_worse(broker, stub, clock):
    """A code at the edge of its 30 seconds is asked for again after a minute, not after an hour."""
    stub.standing["QuickAuth"] = says(b"", 502)
    for _ in range(120):
        with pytest.raises(ReadFailed):
            broker.read_book([])
        clock.advance(seconds=1)
    stub.standing["QuickAuth"] = says({"stat": "Not_Ok", "emsg": "Invalid Input : Invalid OTP"})
    clock.advance(seconds=6)
    with pytest.raises(ReadFailed, match="Invalid OTP"):
        broker.read_book([])
    stub.standing["QuickAuth"] = stub._log_in
    clock.advance(seconds=61)
    stub.standing["OrderBook"] = says(NO_DATA)
    assert broker.read_book([]).complete


def test_while_nobody_answers_a_login_is_tried_each_few_seconds(broker, stub, clock):
    stub.standing["QuickAuth"] = says(b"", 502)
    for _ in range(60):
        with pytest.raises(ReadFailed):
            broker.read_book([])
        clock.advance(seconds=1)
    assert 10 <= len(stub.of("QuickAuth")) <= 20


def test_the_first_key_may_be_refused_at_once(broker, stub):
    stub.standing["OrderBook"] = says(NO_DATA)
    stub.tell("PlaceOrder", says(EXPIRED))
    assert place_twice(broker).broker_order_id


def _place_in_the_end(broker, name):
    with contextlib.suppress(NotSent):
        return broker.place(a_command(name))
    return broker.place(a_command(name))


def test_threads_whose_session_expired_together_share_one_login(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path)
    stub.valid = set()
    stub.standing["QuickAuth"] = slow(0.1, stub._log_in)
    stub.standing["OrderBook"] = stub.checks_keys(says(NO_DATA))
    stub.standing["PlaceOrder"] = stub.checks_keys(says(PLACED))
    broker.read_book([])
    stub.valid = set()  # the morning: every session ends
    with ThreadPoolExecutor(12) as threads:
        placed = list(threads.map(lambda n: _place_in_the_end(broker, f"order {n}"), range(24)))
    assert len(placed) == 24
    assert len(stub.of("QuickAuth")) == 2
    taken = [call.fields["remarks"] for call in stub.of("PlaceOrder") if call.key == "key2"]
    assert len(taken) == len(set(taken)) == 24


@pytest.mark.parametrize(
    "emsg",
    [
        "Invalid Input : Wrong Password",
        "Invalid Input : User Blocked",
        "Wrong user id",
        "Unable to connect : account is locked",
    ],
)
def test_a_wrong_password_is_tried_once_until_the_next_start(broker, stub, clock, emsg):
    stub.standing["QuickAuth"] = says(not_ok(emsg))
    for _ in range(5):
        with pytest.raises(NotSent) as error:
            broker.place(a_command())
        with pytest.raises(ReadFailed):
            broker.read_book([])
        clock.advance(hours=1)
    assert len(stub.calls) == 1
    assert reason_class(error.value.code, error.value.message) == "AUTHENTICATION_ERROR"


def test_refused_logins_come_further_and_further_apart(broker, stub, clock):
    stub.standing["QuickAuth"] = says(not_ok("Invalid Input : Invalid OTP"))
    for _ in range(6 * 60):
        with pytest.raises(ReadFailed):
            broker.read_book([])
        clock.advance(seconds=60)
    assert 5 <= len(stub.of("QuickAuth")) <= 12


@pytest.mark.parametrize(
    "broken",
    [
        says(b"", 502),
        drops_after_reading,
        says({"stat": "Ok"}),
        says(b"nonsense"),
        says(not_ok("Server Timeout :  ")),
        says(not_ok("Internal Server Error"), 400),
    ],
)
def test_a_login_that_was_not_answered_is_soon_tried_again(broker, stub, clock, broken):
    stub.tell("QuickAuth", broken)
    with pytest.raises(NotSent):
        broker.place(a_command())
    with pytest.raises(NotSent):
        broker.place(a_command())
    assert len(stub.of("QuickAuth")) == 1 and not stub.of("PlaceOrder")
    clock.advance(seconds=1.1)
    assert broker.place(a_command()).broker_order_id


def test_a_secret_that_is_no_totp_secret_is_told_as_such(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path, totp_secret="not base32 !!!")
    with pytest.raises(ReadFailed, match="TOTP"):
        broker.read_book([])
    assert not stub.calls


def test_a_refused_token_is_not_sent_with_every_poll(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path, access_token="tok")
    stub.standing["OrderBook"] = says(b"", 401)
    for _ in range(600):
        with pytest.raises(ReadFailed) as error:
            broker.read_book([])
        clock.advance(seconds=1)
    assert error.value.code == "401"
    assert not stub.of("QuickAuth") and len(stub.calls) < 20
    stub.standing["OrderBook"] = says(NO_DATA)
    clock.advance(seconds=61)
    assert broker.read_book([]).complete


def test_an_order_is_not_sent_twice_with_a_token_that_cannot_be_renewed(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path, access_token="tok")
    stub.tell("PlaceOrder", says(EXPIRED))
    with pytest.raises(NotSent):
        broker.place(a_command())
    assert len(stub.of("PlaceOrder")) == 1


def test_a_late_refusal_of_an_old_key_does_not_end_the_new_session(clock):
    keys = iter(["one", "two", "three"])
    session = Session(lambda: next(keys), clock, renewable=True)
    first = session.key()
    session.refused(first)
    assert session.key() == "two"
    session.refused(first)
    assert session.key() == "two"


def test_a_failed_login_is_told_to_everybody_as_an_error_of_their_own(clock):
    def fail():
        raise LoginFailed("no", "401")

    session = Session(fail, clock, renewable=True)
    errors = []
    for _ in range(3):
        with pytest.raises(LoginFailed) as error:
            session.key()
        errors.append(error.value)
    assert len(set(map(id, errors))) == 3


def test_after_a_login_that_worked_the_next_outage_begins_with_short_waits(clock):
    tries, down = [], True

    def login():
        tries.append(clock.at)
        if down:
            raise LoginFailed("login: no answer")
        return "key"

    def ask(seconds):
        for _ in range(seconds):
            with contextlib.suppress(LoginFailed):
                session.key()
            clock.advance(seconds=1)

    session = Session(login, clock, renewable=True)
    ask(30)
    down = False
    ask(120)
    down = True
    session.refused("key")
    tries.clear()
    ask(3)
    assert len(tries) == 2


@pytest.mark.parametrize("second_of_the_code", [1, 10, 19, 21, 29])
def test_after_one_refused_code_an_exit_waits_no_longer_than_fifteen_seconds(
    broker, stub, clock, second_of_the_code
):
    clock.advance(seconds=(second_of_the_code - clock.now().timestamp()) % 30)
    stub.tell("QuickAuth", says(not_ok("Invalid Input : Invalid OTP")))
    began = clock.now()
    while True:
        try:
            placed = broker.place(a_command())
        except NotSent:
            clock.advance(seconds=1)
        else:
            break
    assert placed.broker_order_id
    assert (clock.now() - began).total_seconds() <= 12
    codes = [call.fields["factor2"] for call in stub.of("QuickAuth")]
    assert len(codes) == 2
    assert codes[0] != codes[1]  # the same again would be refused and counted again


def test_a_thread_does_not_wait_for_ever_for_anothers_login(clock, monkeypatch):
    monkeypatch.setattr("broker.sessions._LOGIN_TAKES", 0.05)
    session = Session(lambda: "key", clock, renewable=True)
    with session._lock, pytest.raises(LoginFailed, match="another thread"):
        session.key()
    assert session.key() == "key"
