"""The secret is found where a body carries it, whether the body can be read or not."""

import json

import pytest

from alerts.decoding import decode
from alerts.formats.secret_field import SecretField
from tests.alerts.fakes import SECRET

FIELD = SecretField("secret_key")


def found(raw: bytes) -> str | None:
    return FIELD.find(decode(raw))


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (b'{"Secret_Key": "a"}', "a"), (b'{"secret_key": ""}', None), (b'{"secret_key": null}', None), (b"{}", None),
        (b'{"secret_key": 5}', ""), (b'{"secret_key": ["a"]}', ""), (b'{"secret_key": false}', ""),
        (b'{"a": {"secret_key": "a"}}', None), (b'{"a": "secret_key=a"}', None),
    ],
)  # fmt: skip
def test_in_a_document_it_is_the_value_of_its_key(raw: bytes, secret: str | None) -> None:
    assert found(raw) == secret


FOUND = {
    "trailing comma": f'{{"secret_key": "{SECRET}", "legs": [],}}',
    "any case": f'{{"Secret_KEY":"{SECRET}" oops',
    "smart quotes": f"{{“secret_key”: “{SECRET}”}}",
    "single quotes": f"{{'secret_key': '{SECRET}'}}",
    "wrapped in quotes": json.dumps(json.dumps({"secret_key": SECRET})),
    "twice the same": f'{{"secret_key": "{SECRET}", "SECRET_KEY": "{SECRET}"}}',
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND)
def test_the_secret_is_found_in_what_is_no_json(text: str) -> None:
    assert found(text.encode()) == SECRET


def test_a_bare_secret_is_found_and_none_or_two_are_told_apart() -> None:
    assert found(b"qty=1&secret_key=abc-123&side=buy") == "abc-123"
    assert found(b"\xff not json") is None
    assert found(b"") is None
    assert found(b'{"secret_key": "a", "secret_key": "b"}') == ""


def test_another_key_is_read_in_the_same_way() -> None:
    other = SecretField("pass.phrase")
    assert other.find(decode(b'{"PASS.phrase": "a"}')) == "a"
    assert other.find(decode(b"pass.phrase=a&secret_key=b")) == "a"
    assert other.find(decode(b"pass-phrase=a")) is None


@pytest.mark.parametrize(
    ("kept", "emptied"),
    [
        ('{"secret_key": "***", "a": "***"}', '{"secret_key": "", "a": "***"}'),
        ('{"SECRET_KEY" : "***"}', '{"SECRET_KEY" : ""}'),
        ('{"secret_key": "x***"}', '{"secret_key": "x***"}'),
        ("secret_key=***", "secret_key=***"),
    ],
)
def test_the_masked_secret_of_a_kept_body_is_emptied(kept: str, emptied: str) -> None:
    assert FIELD.empty_masked(kept) == emptied
