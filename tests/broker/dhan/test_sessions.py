"""The access token: whose it is, when it ends, and how a new one comes."""

import pytest

from domain.errors import NotSent, ReadFailed
from tests.broker.dhan.making import CLIENT, make
from tests.broker.dhan.stub import INVALID_TOKEN, PLACED, fails
from tests.broker.zerodha.stub import hangs_up, says
from tests.contract.broker_contract import a_command


def test_a_token_of_another_client_is_never_used(broker, stub, clock):
    stub.tell("GET profile", says({"dhanClientId": "1100000009"}))
    stub.tell("POST orders", PLACED)
    for _ in range(2):
        with pytest.raises(NotSent, match=f"1100000009.*{CLIENT}") as caught:
            broker.place(a_command())
        clock.advance(hours=1)
    assert caught.value.code == "401" and not stub.made("POST")
    assert broker.traits.account == CLIENT


def test_a_token_is_checked_once_and_then_used(broker, stub):
    stub.tell("POST orders", PLACED)
    broker.place(a_command())
    broker.place(a_command("second"))
    assert [call.path for call in stub.made("GET")] == ["profile"]


@pytest.mark.parametrize("answer", [hangs_up, fails(503, "DH-909", "down"), says({}), says([])])
def test_a_token_that_cannot_be_checked_is_not_used_and_tried_again(broker, stub, clock, answer):
    stub.tell("GET profile", answer)
    stub.tell("POST orders", PLACED)
    with pytest.raises(NotSent):
        broker.place(a_command())
    stub.tell("GET profile", says({"dhanClientId": CLIENT}))
    clock.advance(seconds=6)
    assert broker.place(a_command()).broker_order_id


@pytest.mark.parametrize(
    "answer",
    [
        INVALID_TOKEN,
        fails(401, "DH-901", "Client ID or user generated access token is invalid or expired."),
        says({"status": "failed", "data": {"807": "Access token expired"}}, 401),
    ],
)
def test_an_expired_token_is_told_with_its_cause_and_what_to_do(broker, stub, answer):
    stub.tell("GET profile", answer)
    with pytest.raises(ReadFailed, match=r"access token.*24 hours.*web\.dhan\.co") as caught:
        broker.read_book([])
    assert caught.value.code == "401"


def test_a_token_that_ends_in_the_day_stops_every_call(broker, stub):
    stub.tell("POST orders", INVALID_TOKEN)
    with pytest.raises(NotSent, match=r"web\.dhan\.co") as caught:
        broker.place(a_command())
    assert caught.value.look_first
    stub.tell("POST orders", PLACED)
    with pytest.raises(NotSent, match="access token"):
        broker.place(a_command("second"))
    assert len(stub.made("POST")) == 1


def test_a_new_token_in_the_file_is_used_without_a_restart(clock, tmp_path, stub):
    file = tmp_path / "dhan.token"
    broker = make(stub.url, clock, tmp_path, access_token="", login_file=file)
    stub.tell("GET orders", says([]))
    with pytest.raises(ReadFailed, match=r"dhan\.token cannot be read.*web\.dhan\.co"):
        broker.read_book([])
    file.write_text("eyJ.first\n")
    clock.advance(minutes=1)
    assert broker.read_book([]).complete
    stub.tell("GET orders", INVALID_TOKEN)
    with pytest.raises(ReadFailed):
        broker.read_book([])
    file.write_text("e" * 900)
    stub.tell("GET orders", says([]))
    clock.advance(minutes=1)
    assert broker.read_book([]).complete
    assert {name.lower(): value for name, value in stub.calls[-1].headers.items()}[
        "access-token"
    ] == "e" * 900


@pytest.mark.parametrize("content", ["", "two words", "line\nbreak", "caf\u00e9"])
def test_a_file_without_a_token_sends_nothing(clock, tmp_path, stub, content):
    file = tmp_path / "dhan.token"
    file.write_text(content)
    broker = make(stub.url, clock, tmp_path, access_token="", login_file=file)
    with pytest.raises(NotSent, match=r"dhan\.token"):
        broker.place(a_command())
    assert not stub.calls
