"""How the day's access token is got."""

import pytest

from broker.http_calls import Timeouts
from broker.sessions import LoginFailed
from broker.zerodha.__main__ import main
from broker.zerodha.session import access_token, checksum
from broker.zerodha.wire import wire_of
from domain.errors import ReadFailed
from tests.broker.zerodha.making import KEY, SECRET, USER, a_server, make


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
