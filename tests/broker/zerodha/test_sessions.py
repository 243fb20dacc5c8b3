"""The day's access token: whose it is, when it ends, and how it is got."""

import pytest

from broker.http_calls import Timeouts
from broker.sessions import LoginFailed
from broker.zerodha.__main__ import main
from broker.zerodha.session import access_token, checksum
from broker.zerodha.wire import wire_of
from domain.errors import NotSent, ReadFailed
from tests.broker.zerodha.making import KEY, SECRET, USER, a_server, make
from tests.broker.zerodha.stub import fails, hangs_up, success
from tests.contract.broker_contract import a_command

ENDED = fails(403, "TokenException", "Incorrect `api_key` or `access_token`.")
PLACED = success({"order_id": "1"})


def test_a_token_of_another_user_is_never_used(broker, stub, clock):
    stub.tell("GET user/profile", success({"user_id": "ZZ9999"}))
    stub.tell("POST orders/regular", PLACED)
    for _ in range(2):
        with pytest.raises(NotSent, match=f"ZZ9999.*{USER}") as caught:
            broker.place(a_command())
        clock.advance(hours=1)
    assert caught.value.code == "401" and not stub.made("POST")
    assert broker.traits.account == USER


def test_a_token_is_checked_once_and_then_used(broker, stub):
    stub.tell("POST orders/regular", PLACED)
    broker.place(a_command())
    broker.place(a_command("second"))
    assert [call.path for call in stub.made("GET")] == ["user/profile"]


@pytest.mark.parametrize("answer", [hangs_up, fails(503, "NetworkException", "down"), success({})])
def test_a_token_that_cannot_be_checked_is_not_used_and_tried_again(broker, stub, clock, answer):
    stub.tell("GET user/profile", answer)
    stub.tell("POST orders/regular", PLACED)
    with pytest.raises(NotSent):
        broker.place(a_command())
    stub.tell("GET user/profile", success({"user_id": USER.lower()}))
    clock.advance(seconds=6)
    assert broker.place(a_command()).broker_order_id == "1"


def test_an_expired_token_is_told_with_its_cause(broker, stub, clock):
    stub.tell("GET user/profile", ENDED)
    with pytest.raises(ReadFailed, match=r"access token.*06:00.*log in") as caught:
        broker.read_book([])
    assert caught.value.code == "401"


def test_a_token_that_ends_in_the_day_stops_every_call(broker, stub):
    stub.tell("POST orders/regular", ENDED)
    with pytest.raises(NotSent) as caught:
        broker.place(a_command())
    assert caught.value.look_first
    stub.tell("POST orders/regular", PLACED)
    with pytest.raises(NotSent, match="access token"):
        broker.place(a_command("second"))
    assert len(stub.made("POST")) == 1


def test_the_checksum_is_that_of_key_request_token_and_secret():
    # printf keyrequestsecret | sha256sum
    assert checksum("key", "request", "secret") == (
        "e4465f58be6159d2a7f087f4292515e9d631b4f91e056b53e6f14456222ff709"
    )


def test_a_request_token_becomes_an_access_token(clock, tmp_path):
    server = a_server(clock)
    try:
        wire = wire_of(server.url, KEY, Timeouts())
        user, token = access_token(wire, KEY, "request", SECRET)
        assert user == USER
        assert make(server.url, clock, tmp_path, access_token=token).read_book([]).complete
        with pytest.raises(LoginFailed, match="TokenException"):
            access_token(wire, KEY, "request", "another secret")
    finally:
        server.stop()


def test_a_login_into_the_file_is_used_without_a_restart(clock, tmp_path, monkeypatch):
    server, file = a_server(clock), tmp_path / "zerodha.token"
    broker = make(server.url, clock, tmp_path, access_token="", login_file=file)
    monkeypatch.setattr("getpass.getpass", lambda _: SECRET)

    def log_in() -> str:
        answers = iter((KEY, "request"))
        monkeypatch.setattr("builtins.input", lambda _: next(answers))
        assert main(["--file", str(file), "--url", server.url]) == 0
        return file.read_text().strip()

    try:
        with pytest.raises(ReadFailed, match=r"zerodha\.token cannot be read.*python -m broker\.zerodha"):
            broker.read_book([])
        first = log_in()
        assert file.stat().st_mode & 0o777 == 0o600
        clock.advance(minutes=1)
        assert broker.read_book([]).complete
        server.simulator.sessions.end(first)  # the next morning
        with pytest.raises(ReadFailed):
            broker.read_book([])
        assert log_in() != first
        clock.advance(minutes=1)
        assert broker.read_book([]).complete
    finally:
        server.stop()


@pytest.mark.parametrize("content", ["", "two words", "line\nbreak", "caf\u00e9"])
def test_a_file_without_a_token_sends_nothing(clock, tmp_path, stub, content):
    file = tmp_path / "zerodha.token"
    file.write_text(content)
    broker = make(stub.url, clock, tmp_path, access_token="", login_file=file)
    with pytest.raises(NotSent, match=r"zerodha\.token"):
        broker.place(a_command())
    assert not stub.calls
