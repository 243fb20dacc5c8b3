"""The secret tells the client, and is never shown."""

import hashlib
import hmac
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.auth import Secrets
from tests.alerts.fakes import OTHER_SECRET, SECRET, SECRETS

RAW = b'{"a": 1}'


def signed(secret: str, raw: bytes = RAW) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def whose(body: str | None = None, token: str | None = None, signature: str | None = None) -> str | None:
    found = SECRETS.authenticate(RAW, body_secret=body, path_token=token, signature=signature)
    return None if found is None else found.client_id


@pytest.mark.parametrize(("secret", "client"), [(SECRET, "default"), (OTHER_SECRET, "other")])
def test_each_way_tells_the_client(secret: str, client: str) -> None:
    assert whose(body=secret) == client
    assert whose(token=secret) == client
    assert whose(signature=signed(secret)) == client
    assert whose(signature=signed(secret).upper()) == client
    assert whose(secret, secret, signed(secret)) == client


@pytest.mark.parametrize(
    "ways",
    [
        (None, None, None),
        ("wrong", None, None),
        ("", None, None),
        (SECRET + " ", None, None),
        ("\ud800", None, None),
        (None, "", None),
        (None, None, signed("wrong")),
        (None, None, signed(SECRET, b"other")),
        (None, None, signed(SECRET).removeprefix("sha256=")),
        (None, None, ""),
        (SECRET, "wrong", None),
        ("wrong", SECRET, None),
        (SECRET, SECRET, signed("wrong")),
        (SECRET, OTHER_SECRET, None),
        (SECRET, None, signed(OTHER_SECRET)),
    ],
)
def test_every_way_that_is_used_must_be_right_and_of_one_client(ways: tuple) -> None:
    assert whose(*ways) is None


def test_the_default_client_wins_a_shared_secret() -> None:
    shared = Secrets({"b": "x", "a": "x"}, "b")
    found = shared.authenticate(RAW, body_secret="x", path_token=None, signature=None)
    assert found is not None and found.client_id == "b"


@pytest.mark.parametrize("by_client", [{}, {"a": ""}])
def test_an_empty_secret_is_no_secret(by_client: dict) -> None:
    with pytest.raises(ValueError, match="secret"):
        Secrets(by_client, "a")


secret_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=20).filter(
    lambda text: text not in "***"
)


@given(secret_texts)
def test_a_secret_is_masked_however_it_is_spelt(secret: str) -> None:
    secrets = Secrets({"a": secret}, "a")
    in_json = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    by_number = "".join(rf"\u{unit:04X}" for unit in _units(secret))
    for spelling in (secret, *in_json, by_number, quote(secret), quote_plus(secret)):
        assert secrets.mask(f"<{spelling}>") == "<***>"
    assert secrets.mask_body(f"<{secret}>".encode()) == "<***>"


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[i : i + 2]) for i in range(0, len(raw), 2)]


def test_bodies_that_are_no_utf8_are_masked_too() -> None:
    assert SECRETS.mask_body(b"\xff" + SECRET.encode()) == r"\xff***"
    assert SECRET not in SECRETS.mask_body(SECRET.encode("utf-16")).replace("\0", "")


def test_a_secret_that_begins_with_another_is_masked_whole() -> None:
    assert Secrets({"a": "abc", "b": "abcdef"}, "a").mask("abcdef abc") == "*** ***"


def test_a_body_full_of_almost_the_secret_is_masked_in_a_time_that_its_length_bounds() -> None:
    almost = f"+ {SECRET[:-1]}" * 2000  # with backtracking each of them would take seconds
    assert SECRETS.mask(almost) == almost
