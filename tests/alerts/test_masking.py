"""A secret is hidden among many as it is alone, and costs the same."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import auth
from alerts.auth import Secrets, StrategySecret
from alerts.masking import SecretMask
from domain.credentials import timed_signature

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
OTHERS = [f"{number:02d}-of-the-other-secrets" for number in range(50)]
tokens = st.text(ALPHABET, min_size=16, max_size=40)


@given(
    tokens,
    st.sampled_from(["", "x", "-", " ", "é", '"', "%", "\\n", "4"]),
    st.sampled_from(["", "y", " +", "\\"]),
)
def test_one_of_many_is_hidden_however_it_is_spelt(secret: str, before: str, behind: str) -> None:
    alone, among = SecretMask([secret]), SecretMask([*OTHERS, secret])
    in_numbers = "".join(f"\\u{ord(char):04X}" for char in secret)
    in_form = "".join(f"%{ord(char):02x}" for char in secret)
    for spelling in (
        secret,
        quote(secret),
        json.dumps(secret)[1:-1],
        in_numbers,
        in_form,
        secret[:9] + in_form[27:],
    ):
        text = f"{before}{spelling}{behind}"
        assert among.mask(text) == alone.mask(text)
        assert secret not in among.mask(text) and in_numbers not in among.mask(text)
        assert secret not in among.mask_body(text.encode()) and secret not in among.mask_body(
            text.encode("utf-16")
        ).replace("\0", "")


@given(st.text(ALPHABET + '{}":, .%\\+&', max_size=200))
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert SecretMask(OTHERS).mask(text) == text


def test_of_two_of_which_one_begins_with_the_other_nothing_is_left() -> None:
    longer = OTHERS[0] + "-and-more"
    assert SecretMask([*OTHERS, longer]).mask(f"{longer} {OTHERS[0]}") == "*** ***"


SECRETS = Secrets(
    {"default": "the client's", "other": "another's"},
    "default",
    {f"S{n}": StrategySecret(text, "default", frozenset(("default",))) for n, text in enumerate(OTHERS)},
)


def test_one_secret_is_compared_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, signed = [], []

    def is_same(given: bytes, secret: bytes) -> bool:
        compared.append(secret)
        return given == secret

    def signature(secret: bytes, stamp: str | None, raw: bytes) -> str:
        signed.append(secret)
        return timed_signature(secret, stamp, raw)

    monkeypatch.setattr(auth, "is_same", is_same)
    monkeypatch.setattr(auth, "timed_signature", signature)

    def whose(body: str | None, header: str | None) -> str | None:
        compared.clear()
        signed.clear()
        found = SECRETS.authenticate(b"body", body_secret=body, path_token=None, signature=header)
        return None if found is None else found.strategy_name

    assert (whose(OTHERS[7], None), len(compared)) == ("S7", 1)
    assert (whose(OTHERS[7] + "x", None), len(compared)) == (None, 0)
    assert (whose(None, "sha256=" + "0" * 64), len(signed)) == (None, 2)  # the two clients'
    mac = timed_signature(OTHERS[7].encode(), None, b"body")
    assert (whose(None, f"strategy=S7,sha256={mac}"), len(signed)) == ("S7", 1)
    assert (whose(None, f"strategy=S8,sha256={mac}"), len(signed)) == (None, 1)
    assert (whose(None, f"strategy=unknown,sha256={mac}"), len(signed)) == (
        None,
        1,
    )  # as long as for a known one


@pytest.mark.parametrize("text", ["the client's", OTHERS[0], ""])
def test_no_strategy_has_the_secret_of_somebody_else(text: str) -> None:
    one = {
        "A": StrategySecret(text, "default", frozenset()),
        "B": StrategySecret(OTHERS[0], "default", frozenset()),
    }
    with pytest.raises(ValueError, match="secret"):
        Secrets({"default": "the client's"}, "default", one)
