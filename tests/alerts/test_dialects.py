"""What every dialect promises, and what the registry makes of them; also with a second one, made of text."""

import hashlib
import hmac
import json
import random
import time
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.decoding import Body, Form, decode
from alerts.formats.description import UNKNOWN, AskedFor, Dialect, Dialects
from alerts.formats.registry import DIALECTS
from alerts.formats.secret_field import SecretField
from alerts.reading import MAX_TEXT
from domain.alert import LegRequest, ParsedAlert, kind_of
from domain.alert_defaults import NO_DEFAULTS, AlertDefaultsBook
from domain.enums import ExecutionType, OrderType, Side
from domain.errors import InvalidAlert
from tests.alerts.dialect_samples import DEFAULTS, NO_ORDER, OF_NO_DIALECT, SAMPLES
from tests.alerts.fakes import SECRET, FakeDesk, web_client
from tests.alerts.hostile_bodies import SHAPES

GIVEN = "asecretofletters"
EACH = pytest.mark.parametrize(
    "dialect", [each for each in DIALECTS if each.name not in NO_ORDER], ids=lambda each: each.name
)


def samples(dialect: Dialect) -> list[Body]:
    return [decode(raw) for raw in SAMPLES[dialect.name](GIVEN)]


def recognises(dialect: Dialect, body: Body) -> bool:
    """As the registry asks it: about bodies of its form alone."""
    return body.unreadable_as(dialect.form) is None and dialect.recognises(body)


# each dialect ------------------------------------------------------------------------------------------------


def test_every_dialect_has_samples() -> None:
    assert SAMPLES.keys() | NO_ORDER == {*DIALECTS.names}


@EACH
def test_it_recognises_its_own_bodies_and_parses_them(dialect: Dialect) -> None:
    for body in samples(dialect):
        assert recognises(dialect, body)
        assert DIALECTS.dialect_of(body) is dialect
        alert = dialect.parse(body, default_client="default", defaults=DEFAULTS)
        assert (alert.format, alert.client_id) == (dialect.name, "default")
        for leg in alert.legs:
            assert leg.kind is kind_of(alert.execution_type, leg.quantity)


@EACH
def test_it_recognises_no_body_of_a_dialect_that_is_tried_after_it(dialect: Dialect) -> None:
    names = list(DIALECTS.names)
    later = names[names.index(dialect.name) + 1 :]
    others = [
        body for each in DIALECTS if each.name in later and each.name in SAMPLES for body in samples(each)
    ]
    for body in [*others, *map(decode, OF_NO_DIALECT)]:
        assert not recognises(dialect, body)


@EACH
def test_it_finds_its_secret_also_where_the_body_was_damaged(dialect: Dialect) -> None:
    carriers = [body for body in samples(dialect) if GIVEN.encode() in body.raw]
    for body in carriers:
        assert dialect.secret.find(body) == GIVEN
        damaged = body.raw[:-1] + b"," if body.document else body.raw + b"\n}"
        assert dialect.secret.find(decode(damaged)) == GIVEN
        assert dialect.secret.find(decode(body.raw.replace(GIVEN.encode(), b"other"))) == "other"
    assert dialect.secret.find(decode(b"")) is None


@EACH
def test_a_kept_body_can_be_sent_again_under_another_way_of_authentication(dialect: Dialect) -> None:
    for body in samples(dialect):
        kept = body.raw.decode().replace(GIVEN, "***")
        again = decode(DIALECTS.empty_masked_secret(kept, dialect.name).encode())
        assert dialect.secret.find(again) is None
        assert dialect.parse(again, default_client="x", defaults=DEFAULTS) == dialect.parse(
            body, default_client="x", defaults=DEFAULTS
        )


@EACH
def test_it_says_what_an_alert_asks_for(dialect: Dialect) -> None:
    for body in samples(dialect):
        alert, asked_for = (
            dialect.parse(body, default_client="default", defaults=DEFAULTS),
            dialect.asked_for(body),
        )
        assert asked_for.strategy_name in (alert.strategy_name, None)
        named = [str(symbol).upper() for symbol in asked_for.symbols]
        assert [
            name.removeprefix(f"{leg.exchange}:") for name, leg in zip(named, alert.legs, strict=True)
        ] == [leg.symbol for leg in alert.legs]
    assert dialect.asked_for(decode(b"")) == AskedFor()


def shuffled(body: bytes, seed: int) -> bytes:
    """The body with some of its bytes taken out, doubled or replaced."""
    chance, changed = random.Random(seed), bytearray(body)
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(changed))
        changed[at : at + chance.randrange(3)] = chance.choice(
            [b"", b'"', b"{", b"null", b"=", b"\xff", b"7"]
        )
    return bytes(changed)


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def any_bodies(dialect: Dialect) -> "st.SearchStrategy[bytes]":
    own = [body.raw for body in samples(dialect)]
    keys = sorted({key for body in samples(dialect) for key in body.document or {}}) or ["a"]
    return (
        st.binary(max_size=300)
        | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
        | st.tuples(st.sampled_from(own), st.integers(0, 2**32)).map(lambda pair: shuffled(*pair))
        | st.dictionaries(st.sampled_from(keys), values).map(lambda document: json.dumps(document).encode())
    )


def promise_on_any_body(dialect: Dialect, raw: bytes) -> None:
    body = decode(raw)
    recognises(dialect, body)
    secret, client, asked_for = (
        dialect.secret.find(body),
        dialect.client_of(body),
        dialect.asked_for(body),
    )
    assert secret is None or isinstance(secret, str)
    assert client is None or client.strip() == client != ""
    assert isinstance(asked_for.symbols, list | tuple)
    with suppress(InvalidAlert):
        alert = dialect.parse(body, default_client="default", defaults=DEFAULTS)
        assert alert.legs and alert.format == dialect.name


@EACH
def test_it_raises_nothing_but_invalid_alert(dialect: Dialect) -> None:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
    @given(any_bodies(dialect))
    def on_any_body(raw: bytes) -> None:
        promise_on_any_body(dialect, raw)

    on_any_body()
    for shape in SHAPES.values():
        promise_on_any_body(dialect, shape(3_000))


def time_of(dialect: Dialect, body: Body) -> float:
    began = time.thread_time()
    recognises(dialect, body)
    dialect.secret.find(body)
    dialect.client_of(body)
    return time.thread_time() - began


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [MAX_TEXT, 262_144])  # the longest text that is read, and the largest body
def test_what_runs_before_authentication_takes_little(shape: str, size: int) -> None:
    body = decode(SHAPES[shape](size))  # the decoding itself: tests/alerts/test_before_authentication.py
    for dialect in DIALECTS:
        assert (
            min(time_of(dialect, body) for _ in range(3)) < 0.010
        )  # on a busy machine; the aim is 5 ms in all


# the registry, with a second dialect -----------------------------------------------------------------------


def _words(body: Body) -> dict[str, str]:
    return dict(part.split("=", 1) for part in (body.text or "").split(";") if part.count("="))


def _parse_words(
    body: Body, *, default_client: str, defaults: AlertDefaultsBook = NO_DEFAULTS
) -> ParsedAlert:
    words = _words(body)
    if words.get("side") not in ("BUY", "SELL"):
        raise InvalidAlert("INVALID", "expected BUY or SELL", "side")
    leg = LegRequest(words.get("symbol", ""), "NSE", Side(words["side"]), Decimal(1), "MIS", OrderType.MARKET)
    return ParsedAlert("words", default_client, "W", ExecutionType.ENTRY, (leg,))


WORDS = Dialect(
    name="words",
    form=Form.TEXT,
    recognises=lambda body: (body.text or "").startswith("symbol="),
    secret=SecretField("passphrase"),
    client_of=lambda body: _words(body).get("account"),
    asked_for=lambda body: AskedFor("W", symbols=[_words(body).get("symbol")]),
    parse=_parse_words,
)
FIRST = next(iter(DIALECTS))
BOTH = Dialects(FIRST, WORDS)


def post(
    desk: FakeDesk, raw: bytes, path: str = "/webhook", dialects: Dialects = BOTH, **options: Any
) -> tuple[int, Any]:
    answer = web_client(desk, dialects=dialects).post(path, data=raw, **options)
    return answer.status_code, answer.json


def signed(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Signature": "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


def test_an_alert_is_of_the_first_dialect_that_recognises_it() -> None:
    first = replace(WORDS, name="first")
    body = decode(b"symbol=A;side=BUY")
    assert Dialects(FIRST, WORDS, first).dialect_of(body) is WORDS
    assert Dialects(FIRST, first, WORDS).dialect_of(body) is first
    for raw in OF_NO_DIALECT:  # the first of all, whose errors help
        assert BOTH.dialect_of(decode(raw)) is next(iter(DIALECTS))


def test_the_name_in_the_path_decides_before_the_content() -> None:
    body = decode(b"symbol=A;side=BUY")
    assert [BOTH.dialect_of(body, name).name for name in (None, "words", DIALECTS.names[0], "nobody")] == [
        "words", "words", DIALECTS.names[0], "words",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [UNKNOWN, "", "a b", "a/b", "ä", "A", "-a", "x" * 21, DIALECTS.names[0]])
def test_a_name_that_is_taken_or_fits_no_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names of their own"):
        Dialects(*DIALECTS, replace(WORDS, name=name))


def test_no_dialect_is_no_registry() -> None:
    with pytest.raises(ValueError, match="names of their own"):
        Dialects()


@pytest.mark.parametrize("path", ["/webhook", "/webhook/words"])
def test_text_is_received_with_its_own_secret_and_kept_under_its_own_name(path: str) -> None:
    desk, raw = FakeDesk(), f"symbol=INFY;side=BUY;passphrase={GIVEN}".encode()
    assert post(desk, raw, path)[0] == 401
    status, told = post(desk, b"symbol=INFY;side=BUY", path, headers=signed(b"symbol=INFY;side=BUY"))
    assert (status, told["legs"][0]["symbol"]) == (200, "INFY")
    [(alert, delivery)] = desk.accepted
    assert (alert.format, delivery.format, alert.client_id) == ("words", "words", "default")


def test_the_secret_of_a_stranger_is_asked_for_by_the_dialects_own_name() -> None:
    status, told = post(FakeDesk(), b"symbol=INFY;side=BUY;passphrase=wrong")
    assert (status, told["error"]["field"]) == (401, "passphrase")
    assert "as passphrase in the body" in told["error"]["message"]


def test_a_rejected_alert_says_what_it_asked_for_in_its_dialect() -> None:
    desk, raw = FakeDesk(), b"symbol=INFY;side=HOLD"
    assert post(desk, raw, headers=signed(raw))[1]["error"]["code"] == "INVALID"
    assert (desk.rejected[0][3], desk.wishes) == ("W", [(None, "INFY")])


def test_a_client_that_a_body_names_must_be_the_one_of_the_secret() -> None:
    for account, status in (("default", 200), ("other", 401)):
        raw = f"symbol=INFY;side=BUY;account={account}".encode()
        assert post(FakeDesk(), raw, headers=signed(raw))[0] == status


def test_an_unknown_name_lists_those_there_are() -> None:
    desk, raw = FakeDesk(), b"symbol=INFY;side=BUY"
    status, told = post(desk, raw, "/webhook/nobody", headers=signed(raw))
    assert (status, told["error"]["code"], desk.rejected[0][1].format) == (400, "UNKNOWN_FORMAT", UNKNOWN)
    assert ", ".join(BOTH.names) in told["error"]["message"]


def test_a_text_of_no_dialect_is_unreadable_as_ever() -> None:
    for dialects in (DIALECTS, BOTH):
        for raw in (b"", b"\xff", b"[]", b"buy INFY"):
            desk = FakeDesk()
            assert post(desk, raw, dialects=dialects)[1]["error"]["code"] == "UNREADABLE"
            assert post(desk, raw, dialects=dialects, headers=signed(raw))[0] == 400
            assert desk.rejected[0][2].code == "UNREADABLE"
