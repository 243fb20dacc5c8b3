"""The types of settings that say who may send alerts, and what no secret may be."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, PlainValidator

from domain.senders import EXPECTED, Senders


def _texts(value: object) -> Sequence[str]:
    """Texts from a list, or from one text with commas between them."""
    if isinstance(value, str):
        return [each.strip() for each in value.split(",") if each.strip()]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise ValueError


def _senders(value: object) -> Senders:
    return value if isinstance(value, Senders) else Senders(_texts(value))


def _addresses(value: object) -> Senders:
    found = _senders(value)
    if found.has_subjects:
        raise ValueError
    return found


def _listed(value: object) -> Senders:
    if not isinstance(value, list):
        raise ValueError
    return _senders(value)


SendersText = Annotated[
    Senders, PlainValidator(_senders), Field(description=f"with commas between them: {EXPECTED}")
]
SendersList = Annotated[Senders, PlainValidator(_listed), Field(description=f"a list, each {EXPECTED}")]
Addresses = Annotated[
    Senders,
    PlainValidator(_addresses),
    Field(description="with commas between them: an IP address, or a network such as 10.0.0.0/8"),
]
HeaderName = Annotated[
    str,
    Field(
        pattern=r"^(?i:x-)[A-Za-z0-9-]{1,60}$",
        description="the name of a header of your own, X- and then letters, digits or -",
    ),
]

STRATEGY_SECRET = "STRATEGY_SECRET_"
"""With this begins the name of each variable that holds a strategy's secret."""

_EXAMPLES = {"alongtextthatnobodyguesses", "anothertextthatnobodyguesses", "opensslrand-hex32makesone"}
"""Secrets of our own example files, without blanks."""
_WORDS = re.compile(
    r"(?:your|my|own|the|a|with|change|replace|insert|put|enter|me|this|it|please|default|example|secret|key|token|pass|"
    r"word|phrase|web|hook|trading|view|alert|api|here|long|random|string|text|value)+"
)
_PLACEHOLDER = re.compile(r"your|change|replace|insert|enter|default|example|here")
_FIRST_TRIED = {
    "secret", "secretkey", "mysecret", "mysecretkey", "supersecret", "supersecretkey", "topsecret", "password",
    "mypassword", "passphrase", "webhooksecret", "admin", "letmein", "qwertyuiop", "qwerty",
    "abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz", "abcdef",
}  # fmt: skip


def is_published(secret: str) -> bool:
    """Whether a secret is one of our own example files."""
    return re.sub(r"\s", "", secret).lower() in _EXAMPLES


def is_default(secret: str) -> bool:
    """Whether a secret is the placeholder of a template, as "your-secret-key-here", or what everybody tries first."""
    text = re.sub(r"[^a-z0-9]", "", secret.lower())
    if text in "01234567890123456789" or text in _FIRST_TRIED:
        return True
    letters = text.rstrip("0123456789")
    return _WORDS.fullmatch(letters) is not None and _PLACEHOLDER.search(letters) is not None


def no_secret(value: str, *, is_real: bool) -> str | None:
    """What is wrong with a secret that others know or try first; None: nothing.

    Args:
        is_real: whether it opens the way to a real broker.
    """
    if is_published(value):
        return "stands in an example file that everybody has, expected a secret of your own"
    if is_real and is_default(value):
        return "is what everybody tries first, expected a secret of your own: openssl rand -hex 32 makes one"
    return None
