"""JSON that can be read in one way only."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.decoding import Form, decode
from domain.errors import InvalidAlert


def parse(raw: bytes) -> dict[str, object]:
    """The document of a body, through its decoding, as in life."""
    body = decode(raw)
    assert (body.document is None) == (body.error is not None)
    if body.error is not None:
        raise body.error
    return body.document or {}


def test_keys_are_lowered_at_every_depth_and_fractions_are_exact() -> None:
    read = parse(b'\xef\xbb\xbf {"A": [{"bC": 0.1, "N": 1800.8000000000002}], "i": 7, "d": "\xc3\xa9"}')
    assert read == {"a": [{"bc": Decimal("0.1"), "n": Decimal("1800.8000000000002")}], "i": 7, "d": "é"}
    assert type(read["i"]) is int


BAD = {
    "empty": (b"", "empty body"),
    "blank": (b" \r\n", "empty body"),
    "no JSON": (b"not valid json {", "line 1, column 1: Expecting value, got 'n'"),
    "form": (b"secret_key=abc&qty=1", "Expecting value"),
    "trailing comma": (b'{"a": 1,}', "line 1, column"),
    "smart quotes": ("{“a”: 1}".encode(), "line 1, column 2: expected a plain quote"),
    "raw newline": (b'{"a": "x\ny"}', "Invalid control character"),
    "unfinished": (b'{"a": 1', "got the end"),
    "wrapped in quotes": (b'"{\\"a\\": 1}"', "wrapped in quotes"),
    "array": (b'[{"a": 1}]', "got a list"),
    "text": (b'"buy"', "got 'buy'"),
    "null": (b"null", "got null"),
    "true": (b"true", "got true"),
    "several": (b'{"a": 1}{"a": 2}', "column 9: expected the end after one JSON object"),
    "NaN": (b'{"a": NaN}', "got NaN"),
    "Infinity": (b'{"a": -Infinity}', "got -Infinity"),
    "duplicate": (b'{"a": 1, "a": 1}', "'a' twice"),
    "duplicate in another case": (b'{"q": {"Qty": 1, "QTY": 2}}', "'qty' twice"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "expected UTF-8 text, got byte 0xff at 0"),
    "Latin-1": (b'{"a": "\xe9"}', "got byte 0xe9 at 7"),
    "two marks": (b"\xef\xbb\xbf\xef\xbb\xbf{}", "Expecting value"),
    "deep": (b'{"a":' * 17 + b"1" + b"}" * 17, "16 levels"),
    "very deep": (b"[" * 100_000, "10000 texts, commas and brackets"),
    "long integer": (b'{"a": ' + b"9" * 5000 + b"}", "at most 64 characters, got one of 5000"),
    "long fraction": (b'{"a": 0.' + b"9" * 5000 + b"}", "at most 64 characters"),
    "exponent": (b'{"a": 1e99999999999999999999}', "beyond all bounds"),
}


@pytest.mark.parametrize(("raw", "says"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said(raw: bytes, says: str) -> None:
    with pytest.raises(InvalidAlert) as caught:
        parse(raw)
    assert caught.value.code == "UNREADABLE"
    assert caught.value.field
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"\xef\xbb\xbfbuy \xc3\xa9", "buy é"), (b"{}", "{}"), (b" \r\n", None), (b"\xff", None)],
)
def test_the_text_is_there_whether_or_not_it_is_json(raw: bytes, text: str | None) -> None:
    body = decode(raw)
    assert (body.raw, body.text) == (raw, text)
    assert (body.unreadable_as(Form.TEXT) is None) == (text is not None)
    assert (body.unreadable_as(Form.JSON) is None) == (raw == b"{}")


def test_wide_is_not_deep_and_sixteen_levels_are_allowed() -> None:
    assert len(parse(b'{"legs": [' + b",".join([b"{}"] * 50) + b"]}")["legs"]) == 50  # type: ignore[arg-type]
    assert parse(b'{"a":' * 16 + b"1" + b"}" * 16)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(InvalidAlert):
        assert isinstance(parse(raw), dict)


@pytest.mark.parametrize(
    "text", ["," * 90_000, r"\"," * 40_000, r"\\," * 40_000, "[{" * 40_000, r"\\\"," * 20_000]
)
def test_what_stands_in_a_text_is_no_member(text: str) -> None:
    assert len(str(parse(b'{"a": "%s"}' % text.encode())["a"])) >= 60_000


@pytest.mark.parametrize("text", [r'"\\",', r'"\"",', '"a,b",', "[],", "{},", "1,", r'"\\\\\"",'])
def test_members_are_counted_whatever_the_texts_between_them_hold(text: str) -> None:
    assert len(parse(b'{"a": [%s 1]}' % (text * 3_000).encode())["a"]) == 3_001  # type: ignore[arg-type]
    with pytest.raises(InvalidAlert, match="10000 texts"):
        parse(b'{"a": [%s 1]}' % (text * 10_000).encode())
