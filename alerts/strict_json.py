"""JSON from the bytes of an alert, whatever their content type, and nothing that could be read in two ways."""

import json
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from alerts.wording import shown, shown_key
from domain.errors import InvalidAlert

MAX_DEPTH = 16
MAX_NUMBER_LENGTH = 64

_BOM = b"\xef\xbb\xbf"
_TYPOGRAPHIC = "“”„‟‘’‚‛«»″′"


def parse(raw: bytes) -> dict[str, object]:
    """Read one JSON object. Keys come back in lower case at every depth, fractions as `Decimal`.

    Refused are: another encoding than UTF-8, NaN and Infinity, a key that occurs twice (in any case), nesting
    deeper than MAX_DEPTH, numbers longer than MAX_NUMBER_LENGTH, anything else than one object.

    Raises:
        InvalidAlert: code `UNREADABLE`; the message says where, and what was expected there.
    """
    text = _text(raw)
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
    keys = [key.lower() for key, _ in pairs]
    key = shown_key(next(key for index, key in enumerate(keys) if key in keys[:index]))
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
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return any(isinstance(node, dict | list) for node in level)


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)
