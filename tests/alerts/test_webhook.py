"""The webhook, from bytes to answers."""

import hashlib
import hmac
import io
import json
import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from alerts.auth import Secrets
from domain.enums import Outcome
from domain.errors import InvalidAlert, SignalReused, StoreUnavailable
from domain.receipt import Receipt
from domain.states import Status
from tests.alerts.fakes import (
    NOW,
    OTHER_SECRET,
    SECRET,
    FakeDesk,
    Seconds,
    a_document,
    order_of,
    web_client,
    with_leg,
)
from tests.alerts.test_native import parse
from tests.alerts.test_strict_json import BAD


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


def post(desk: FakeDesk, body: Any, path: str = "/webhook", **options: Any) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return web_client(desk).post(path, data=raw, **options)


def told(answer: TestResponse) -> Any:
    """The answer's JSON."""
    assert answer.is_json
    return answer.json


def error_of(answer: TestResponse) -> tuple[int, str, str | None]:
    error = told(answer)["error"]
    assert set(error) == {"code", "message", "field"}
    assert error["message"]
    return answer.status_code, error["code"], error["field"]


def without_secret() -> dict[str, Any]:
    return {key: value for key, value in a_document().items() if key != "secret_key"}


# accepted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/webhook", "/webhook/", "/webhook/native", "/webhook/native/"])
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
)
def test_an_alert_is_answered_with_its_legs(desk: FakeDesk, path: str, content_type: str) -> None:
    answer = post(desk, a_document(), path, content_type=content_type)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert told(answer) == {
        "status": "accepted",
        "alert_id": "a1",
        "legs": [
            {
                "command_id": "a1-1",
                "client_id": "default",
                "symbol": "NIFTY26NOV24500CE",
                "side": "BUY",
                "quantity": 50,
                "status": "CREATED",
                "tag": None,
            }
        ],
    }
    [(alert, delivery)] = desk.accepted
    assert alert == parse(a_document())
    assert (delivery.received_at, delivery.remote_addr, delivery.format) == (NOW, "127.0.0.1", "native")
    assert json.loads(delivery.raw_body) == a_document(secret_key="***")


def test_a_quantity_that_is_not_whole_is_exact_text(desk: FakeDesk) -> None:
    assert told(post(desk, with_leg(qty="0.10")))["legs"][0]["quantity"] == "0.1"
    assert told(post(desk, with_leg(qty="1e3")))["legs"][0]["quantity"] == 1000


def test_a_duplicates_legs_name_the_first_ones(desk: FakeDesk) -> None:
    alert = parse(a_document())
    first = order_of(alert, alert.legs[0], "a1-1")
    again = replace(
        first, command_id="a2-1", status=Status.FAILED, tag="DUPLICATE_BLOCKED:SIGNAL_ALREADY_SEEN"
    )
    desk.receipt = Receipt("a1", Outcome.DUPLICATE, (again,), (first,))
    answer = post(desk, a_document())
    assert answer.status_code == 200
    assert (told(answer)["status"], told(answer)["alert_id"]) == ("duplicate", "a1")
    [leg] = told(answer)["legs"]
    assert (leg["command_id"], leg["duplicate_of"], leg["status"]) == ("a2-1", "a1-1", "FAILED")
    desk.receipt = Receipt("a1", Outcome.DUPLICATE, (again,))
    assert "duplicate_of" not in told(post(desk, a_document()))["legs"][0]


# who sent it -------------------------------------------------------------------------------------------------


def test_each_way_of_carrying_the_secret_works(desk: FakeDesk) -> None:
    raw = json.dumps(without_secret()).encode()
    signature = "sha256=" + hmac.new(OTHER_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert post(desk, raw, headers={"X-Signature": signature}).status_code == 200
    assert post(desk, a_document(secret_key=""), f"/webhook/native/{OTHER_SECRET}").status_code == 200
    assert post(desk, a_document(secret_key=OTHER_SECRET, client_id="other")).status_code == 200
    assert [alert.client_id for alert, _ in desk.accepted] == ["other"] * 3


@pytest.mark.parametrize("path", [f"/webhook/native/{SECRET}", f"/webhook/native/{quote(SECRET, safe='')}"])
def test_a_token_may_hold_slashes(desk: FakeDesk, path: str) -> None:
    assert post(desk, without_secret(), path).status_code == 200


@pytest.mark.parametrize(
    ("document", "path", "headers"),
    [
        (without_secret(), "/webhook", {}),
        (a_document(secret_key="wrong"), "/webhook", {}),
        (a_document(secret_key=5), "/webhook", {}),
        (a_document(secret_key=[SECRET]), "/webhook", {}),
        (a_document(), "/webhook/native/wrong", {}),
        (a_document(), "/webhook", {"X-Signature": "sha256=00"}),
        (a_document(client_id="other"), "/webhook", {}),
        (a_document(client_id="nobody"), "/webhook", {}),
        (a_document(secret_key="wrong"), "/webhook/unknown", {}),
        (a_document(secret_key="wrong", legs=None), "/webhook", {}),
    ],
)
def test_a_stranger_is_refused_and_nothing_is_kept(
    desk: FakeDesk, document: dict, path: str, headers: dict
) -> None:
    assert error_of(post(desk, document, path, headers=headers))[:2] == (401, "UNAUTHORIZED")
    assert not desk.accepted
    assert not desk.rejected


def test_wrong_secrets_are_limited_and_the_right_one_still_passes() -> None:
    desk, clock = FakeDesk(), Seconds()
    client = web_client(desk, failures=3, monotonic=clock)
    wrong = json.dumps(a_document(secret_key="wrong")).encode()
    statuses = [client.post("/webhook", data=wrong).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert int(client.post("/webhook", data=wrong).headers["Retry-After"]) >= 1
    assert client.post("/webhook", data=json.dumps(a_document())).status_code == 200
    assert client.post("/webhook", data=wrong, environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 401
    guess = b'{"secret_key": "wrong",}'
    assert client.post("/webhook", data=guess).status_code == 429
    assert client.post("/webhook", data=b"no guess at all").status_code == 400
    clock.at += 21
    assert client.post("/webhook", data=wrong).status_code == 401


def test_a_sender_is_limited() -> None:
    clock = Seconds()
    client = web_client(FakeDesk(), rate=1, monotonic=clock)
    body = json.dumps(a_document())
    assert [client.post("/webhook", data=body).status_code for _ in range(6)] == [200] * 5 + [429]
    answer = client.post("/webhook", data=body)
    assert error_of(answer) == (429, "RATE_LIMITED", None)
    assert answer.headers["Retry-After"] == "1"
    assert client.post("/webhook", data=body, environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 200


# refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [raw for raw, _ in BAD.values() if len(raw) <= 4096], ids=repr)
def test_what_nobody_can_read_is_kept_only_for_those_we_know(desk: FakeDesk, raw: bytes) -> None:
    assert error_of(post(desk, raw))[:2] == (400, "UNREADABLE")
    assert error_of(post(desk, raw, "/webhook/native/wrong"))[:2] == (401, "UNAUTHORIZED")
    assert not desk.rejected
    answer = post(desk, raw, f"/webhook/native/{OTHER_SECRET}")
    assert (error_of(answer)[:2], told(answer).get("alert_id")) in [
        ((400, "UNREADABLE"), "r1"),
        ((401, "UNAUTHORIZED"), None),  # the body brings a wrong secret of its own
    ]


def test_an_unreadable_body_is_kept_when_the_secret_stands_in_it(desk: FakeDesk) -> None:
    answer = post(desk, f'{{"SECRET_KEY": "{OTHER_SECRET}", "legs": [],}}'.encode())
    assert error_of(answer) == (400, "UNREADABLE", "body")
    assert told(answer)["alert_id"] == "r1"
    [(client_id, delivery, error, strategy, signal)] = desk.rejected
    assert (client_id, error.code, strategy, signal) == ("other", "UNREADABLE", None, None)
    assert delivery.raw_body == '{"SECRET_KEY": "***", "legs": [],}'


def test_an_invalid_alert_is_kept_and_its_field_named(desk: FakeDesk) -> None:
    answer = post(desk, with_leg(qty=0))
    assert error_of(answer) == (400, "INVALID", "legs[0].qty")
    assert told(answer)["alert_id"] == "r1"
    [(client_id, delivery, error, strategy, signal)] = desk.rejected
    assert (client_id, error.field, strategy, signal) == ("default", "legs[0].qty", "NIFTY_STRADDLE", "bar-1")
    assert SECRET not in delivery.raw_body
    assert not desk.accepted


def test_labels_that_are_no_labels_are_not_kept_as_such(desk: FakeDesk) -> None:
    post(desk, a_document(strategy_name=["x"], signal_id="\ud800"))
    post(desk, a_document(strategy_name="a\nb", signal_id=7))
    assert [kept[3:] for kept in desk.rejected] == [(None, None), (None, "7")]


def test_an_unknown_format_is_kept(desk: FakeDesk) -> None:
    answer = post(desk, a_document(), "/webhook/tradersday")
    assert error_of(answer) == (400, "UNKNOWN_FORMAT", "format")
    assert desk.rejected[0][1].format == "unknown"


@pytest.mark.parametrize("secret", ['it\'s "quoted" \\ and + spaced', "s" * 64])
def test_a_secret_in_the_wrong_place_is_never_repeated(desk: FakeDesk, secret: str, caplog: Any) -> None:
    client = web_client(desk, secrets=Secrets({"default": secret}, "default"))
    bodies = [with_leg(direction=secret), with_leg(**{secret: 1}), a_document(signal_id=[secret]),
              a_document(strategy_name=secret + "x" * 64), a_document(execution_type=secret),
              with_leg(tradingsymbol=secret, qty=0)]  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        answers = [client.post("/webhook", data=json.dumps(body | {"secret_key": secret})) for body in bodies]
        answers.append(
            client.post(f"/webhook/{quote(secret)}", data=json.dumps(a_document(secret_key=secret)))
        )
    assert [answer.status_code for answer in answers] == [400] * 7
    texts = [answer.text for answer in answers] + [repr(kept) + str(kept[2]) for kept in desk.rejected]
    texts += [repr(desk.wishes)]
    for spelling in (secret[:40], json.dumps(secret)[1:-1][:40]):
        assert spelling not in "".join(texts) + caplog.text


def test_a_reused_signal_is_kept_and_a_conflict(desk: FakeDesk) -> None:
    desk.error = SignalReused("SIGNAL_REUSED", "used before", "signal_id")
    answer = post(desk, a_document())
    assert error_of(answer) == (409, "SIGNAL_REUSED", "signal_id")
    assert told(answer)["alert_id"] == "r1"
    assert desk.rejected[0][3:] == ("NIFTY_STRADDLE", "bar-1")


def test_what_a_rejected_alert_asked_for_is_handed_on_as_far_as_it_can_be_read(desk: FakeDesk) -> None:
    legs = [{"tradingsymbol": "INFY"}, {"tradingsymbol": "TCS", "qty": 0}, {"tradingsymbol": "INFY"}]
    for changes in (
        {"execution_type": "EXIT", "legs": legs},
        {"execution_type": ["EXIT"], "legs": [{"tradingsymbol": 7.5}, "x", {}]},
        {"execution_type": "exit", "legs": {"tradingsymbol": "INFY"}},
    ):
        assert error_of(post(desk, a_document(**changes)))[0] == 400
    post(desk, f'{{"secret_key": "{SECRET}", "execution_type": "EXIT",}}'.encode())
    assert desk.wishes == [("EXIT", "INFY", "TCS"), (None,), ("exit",), (None,)]


def test_an_alert_that_the_desk_refuses_is_kept(desk: FakeDesk) -> None:
    desk.error = InvalidAlert("UNKNOWN_CLIENT", "no such client", "client_id")
    assert error_of(post(desk, a_document())) == (400, "UNKNOWN_CLIENT", "client_id")
    assert len(desk.rejected) == 1


@pytest.mark.parametrize("body", [a_document(), with_leg(qty=0)])
def test_what_could_not_be_made_durable_is_asked_for_again(desk: FakeDesk, body: dict) -> None:
    desk.error = desk.keep_error = StoreUnavailable("disk full")
    answer = post(desk, body)
    assert error_of(answer) == (503, "UNAVAILABLE", None)
    assert int(answer.headers["Retry-After"]) > 0


def test_an_error_of_ours_is_answered_as_json_and_logged(desk: FakeDesk, caplog: Any) -> None:
    desk.error = RuntimeError("a defect")
    answer = post(desk, a_document())
    assert error_of(answer) == (500, "INTERNAL_ERROR", None)
    assert "a defect" not in answer.text
    assert "a defect" in caplog.text


# the envelope ------------------------------------------------------------------------------------------------


def test_a_large_body_is_refused_whether_or_not_it_says_its_length(desk: FakeDesk) -> None:
    large = json.dumps(a_document(comment="x" * 5000)).encode()
    assert error_of(post(desk, large)) == (413, "TOO_LARGE", "body")
    assert error_of(post_chunked(desk, large)) == (413, "TOO_LARGE", "body")
    assert post_chunked(desk, json.dumps(a_document()).encode()).status_code == 200
    assert len(desk.accepted) == 1


def post_chunked(desk: FakeDesk, raw: bytes) -> TestResponse:
    return web_client(desk).post(
        "/webhook", input_stream=io.BytesIO(raw), environ_base={"wsgi.input_terminated": True}
    )


def test_a_body_that_breaks_off_is_answered(desk: FakeDesk) -> None:
    raw = json.dumps(a_document()).encode()
    answer = web_client(desk).post("/webhook", input_stream=io.BytesIO(raw[:50]), content_length=len(raw))
    assert error_of(answer)[0] == 400

    class Broken(io.BytesIO):
        def readinto(self, _: Any) -> int:
            raise OSError("broken chunk")

        read = readinto  # type: ignore[assignment]

    answer = web_client(desk).post("/webhook", input_stream=Broken(), content_length=9)
    assert error_of(answer) == (400, "UNREADABLE", "body")


@pytest.mark.parametrize("path", ["/webhook", "/webhook/native", "/webhook/native/token"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_post_is_taken(desk: FakeDesk, path: str, method: str) -> None:
    answer = web_client(desk).open(path, method=method)
    assert error_of(answer) == (405, "METHOD_NOT_ALLOWED", None)
    assert answer.headers["Allow"] == "POST"


# anything ----------------------------------------------------------------------------------------------------

_DESK = FakeDesk()
_CLIENT = web_client(_DESK)
_VALID = json.dumps(a_document()).encode()


@given(
    st.binary(max_size=5000)
    | st.text().map(lambda text: json.dumps({"secret_key": SECRET, text: text}).encode())
)
def test_any_bytes_get_an_answer(raw: bytes) -> None:
    for path in ("/webhook", f"/webhook/native/{SECRET}"):
        assert _CLIENT.post(path, data=raw).status_code in {200, 400, 401, 413}


@given(st.integers(0, len(_VALID)), st.integers(0, 5), st.binary(max_size=5))
def test_a_valid_alert_with_a_wound_gets_an_answer(at: int, cut: int, put: bytes) -> None:
    answer = _CLIENT.post("/webhook", data=_VALID[:at] + put + _VALID[at + cut :])
    assert answer.status_code in {200, 400, 401}
    if answer.status_code == 200:
        assert told(answer)["legs"][0]["quantity"] == _DESK.accepted[-1][0].legs[0].quantity
        assert isinstance(_DESK.accepted[-1][0].legs[0].quantity, Decimal)


class _BrokenChunk(Exception):
    """What gunicorn raises of its own, which is no OSError."""


class _BrokenBody(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, into: object) -> int:
        raise _BrokenChunk


def test_whatever_a_server_raises_over_a_broken_body_is_the_senders_fault(desk: FakeDesk) -> None:
    environ = {
        "wsgi.input": _BrokenBody(),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    assert error_of(web_client(desk).post("/webhook", environ_overrides=environ))[:2] == (400, "UNREADABLE")
