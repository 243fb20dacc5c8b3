"""To find out that a sender is a stranger takes a short time, which grows with the length of the body alone."""

import json
import time

import pytest

from alerts.auth import Secrets
from alerts.decoding import decode
from alerts.formats.registry import DIALECTS
from tests.alerts.hostile_bodies import SHAPES

SIZE = 262_144
TEXT = 40_960  # of a body that is not JSON no more is read
SECRETS = Secrets({"default": "a secret of some length", "other": "another one as long"}, "default")


def before_authentication(raw: bytes) -> None:
    """What the webhook does until it knows the client."""
    body = decode(raw)
    dialect = DIALECTS.dialect_of(body)
    secret = dialect.secret.find(body)
    dialect.client_of(body)
    SECRETS.authenticate(raw, body_secret=secret, path_token=None, signature="sha256=" + "0" * 64)


def cost(raw: bytes, times: int = 5) -> float:
    """Seconds of processor time, the least of several: what else runs on the machine only adds to it."""
    least = float("inf")
    for _ in range(times):
        began = time.thread_time()
        before_authentication(raw)
        least = min(least, time.thread_time() - began)
    return least


@pytest.mark.parametrize("shape", SHAPES)
def test_a_body_of_twice_the_size_costs_twice_as_much_and_no_more(shape: str) -> None:
    make = SHAPES[shape]
    for _ in range(3):  # what else runs on the machine may fall on one of the two alone
        half, whole = cost(make(SIZE // 2)), cost(make(SIZE))
        if whole < 0.002 or whole / half <= 2.5:
            return
    pytest.fail(f"{1000 * whole:.1f} ms, and {1000 * half:.1f} for half as much")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_body_costs_little(shape: str) -> None:
    # The aim is five milliseconds (`make bench` prints them); this finds what is far beyond, on a busy machine too.
    assert cost(SHAPES[shape](SIZE)) < 0.015


@pytest.mark.parametrize("shape", SHAPES)
def test_the_longest_text_that_is_read_costs_little(shape: str) -> None:
    assert cost(SHAPES[shape](TEXT)) < 0.015


@pytest.mark.parametrize(
    "text",
    [
        "txn:" + "ab:cd" * 11 + "|",
        "A" * 5 + " " * 1_900 + ";",
        "a(" + " " * 1_900,
        "ENTER-LONG_" + "a" * 1_900,
        "k=v," * 450 + "x",
        "trade:a:b" + " a=b" * 480,
    ],
)
def test_a_text_that_is_nearly_of_a_dialect_costs_little(text: str) -> None:
    assert cost(text.encode(), times=1) < 0.015


def test_words_are_looked_for_in_no_more_text_than_a_platform_sends() -> None:
    def dialect_of(length: int) -> str:
        padding = length - len(json.dumps({"message": "the session ended "}))
        return DIALECTS.dialect_of(
            decode(json.dumps({"message": "the session ended " + "x" * padding}).encode())
        ).name

    assert (dialect_of(TEXT), dialect_of(TEXT + 1)) == ("info-only", "native")


def test_the_key_that_stands_twice_is_found_in_one_pass() -> None:
    keys = b",".join(b'"%x":1' % number for number in range(3_000))  # as many as are taken
    assert cost(b"{" + keys + b',"A":1,"a":1}') < 0.015


@pytest.mark.parametrize("inner", [0, 8, 20])
@pytest.mark.parametrize("many", [10, 190])
def test_a_notice_with_many_ordinary_keys_costs_little(many: int, inner: int) -> None:
    """The words of a key are looked at once and remembered; a stranger sends new ones each time."""
    for attempt in range(3):
        bar = {f"candle_close_{number}_{attempt}_{inner}_{many}": "flat" for number in range(inner)}
        fields = {f"trend_of_candle_{number}_{attempt}_{inner}": bar or "flat" for number in range(many)}
        raw = json.dumps(fields | {"message": "the session ended"}).encode()
        if cost(raw, times=1) < 0.015:
            return
    pytest.fail("too long, three times")
