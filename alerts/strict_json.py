"""JSON from the bytes of an alert, whatever their content type, and nothing that could be read in two ways."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from alerts.sanitising import shown, shown_key
from domain.errors import InvalidAlert

MAX_DEPTH = 16
MAX_NUMBER_LENGTH = 64
MAX_MARKS = 10_000
"""Texts, commas and opening brackets in one body: each costs time before anybody knows who sent it."""

_BOM = b"\xef\xbb\xbf"
# A comma inside a text is no mark. Nothing is tried twice (`+` behind each count), and after the last mark it ends.
_MANY_MARKS = re.compile(r"""(?:[^",{\[]*+(?:[,{\[]|"[^"]*+"))""" f"{{{MAX_MARKS + 1}}}+")
_TYPOGRAPHIC = "“”„‟‘’‚‛«»″′"


def parse(raw: bytes) -> dict[str, object]:
    """Read one JSON object. Keys come back in lower case at every depth, fractions as `Decimal`.

    Refused are: another encoding than UTF-8, NaN and Infinity, a key that occurs twice (in any case), nesting
    deeper than MAX_DEPTH, numbers longer than MAX_NUMBER_LENGTH, more than MAX_MARKS members, anything else
    than one object. The time taken grows with the body's length and no faster, since nobody knows yet who sent it.

    Raises:
        InvalidAlert: code `UNREADABLE`; the message says where, and what was expected there.
    """
    text = _text(raw)
    _check_marks(text)
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _unreadable(_reason(text, error)) from None
    except RecursionError:
        raise _too_deep() from None
    if type(document) is not dict:
        raise _unreadable(_not_an_object(document))
    # So many opening brackets are needed to nest that deep; most alerts have fewer.
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth_exceeds(document, MAX_DEPTH):
        raise _too_deep()
    return document


def _check_marks(text: str) -> None:
    """Refuse a body of too many members before anything is made of them."""
    if len(text) <= MAX_MARKS:
        return
    if "\\" not in text and sum(map(text.count, '",{[')) <= MAX_MARKS:  # the quicker way, where it is one
        return
    # Without the backslashes that escape one another, and the quotes that are escaped, each quote left is a text's end.
    if _MANY_MARKS.match(text.replace(r"\\", "").replace(r"\"", "")):
        raise _unreadable(f"expected at most {MAX_MARKS} texts, commas and brackets, got more")


def _text(raw: bytes) -> str:
    try:
        text = raw.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise _unreadable(
            f"expected UTF-8 text, got byte 0x{raw[error.start]:02x} at {error.start}"
        ) from None
    if not text or text.isspace():
        raise _unreadable("expected a JSON object, got an empty body")
    return text


def _unreadable(message: str, field: str = "body") -> InvalidAlert:
    return InvalidAlert("UNREADABLE", message, field)


def _too_deep() -> InvalidAlert:
    return _unreadable(f"expected at most {MAX_DEPTH} levels of nesting, got more")


def _reason(text: str, error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno}, column {error.colno}"
    found = text[error.pos : error.pos + 1]
    if found and found in _TYPOGRAPHIC:
        return f'{where}: expected a plain quote ("), got the typographic {found}'
    if error.msg == "Extra data":
        return f"{where}: expected the end after one JSON object, got {shown(found)}"
    return f"{where}: {error.msg}, got {shown(found) if found else 'the end'}"


def _not_an_object(document: object) -> str:
    if isinstance(document, str) and document.lstrip().startswith("{"):
        return "expected a JSON object, got one wrapped in quotes"
    return f"expected a JSON object, got {shown(document)}"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = {key.lower(): value for key, value in pairs}
    if len(found) != len(pairs):
        _refuse_duplicate(pairs)
    return found


def _refuse_duplicate(pairs: list[tuple[str, object]]) -> NoReturn:
    seen: set[str] = set()
    for twice in (key.lower() for key, _ in pairs):
        if twice in seen:
            break
        seen.add(twice)
    key = shown_key(twice)
    raise _unreadable(f"expected each key once (in any case), got {key!r} twice", key)


def _fraction(numeral: str) -> Decimal:
    if len(numeral) > MAX_NUMBER_LENGTH:
        _refuse_number(numeral)
    try:
        return Decimal(numeral)
    except InvalidOperation:
        raise _unreadable(f"expected a number, got {numeral}: its exponent is beyond all bounds") from None


def _integer(numeral: str) -> int:
    if len(numeral) > MAX_NUMBER_LENGTH:
        _refuse_number(numeral)
    return int(numeral)


def _refuse_number(numeral: str) -> NoReturn:
    raise _unreadable(
        f"expected a number of at most {MAX_NUMBER_LENGTH} characters, got one of {len(numeral)}"
    )


def _constant(word: str) -> NoReturn:
    raise _unreadable(f"expected a number, got {word}: a placeholder had no value")


def _depth_exceeds(document: object, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [child for node in level for child in _members(node) if type(child) in (dict, list)]
        if not level:
            return False
    return True


def _members(node: object) -> Iterable[object]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)
