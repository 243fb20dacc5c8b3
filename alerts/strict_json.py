"""Parse the JSON of an alert, and refuse everything that could be read in two ways."""

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
"""The most texts, commas and opening brackets in one body: each costs time before the sender is authenticated."""

# A comma inside a text is no mark. The counts are possessive (`+` behind each), so there is no backtracking. The match
# ends at the first mark too many.
_MANY_MARKS = re.compile(r"""(?:[^",{\[]*+(?:[,{\[]|"[^"]*+"))""" f"{{{MAX_MARKS + 1}}}+")
_TYPOGRAPHIC = "“”„‟‘’‚‛«»″′"


def parse(text: str) -> dict[str, object]:
    """Parse one JSON object. Keys are returned in lower case at every depth, fractions as `Decimal`.

    Refused are:

    - anything else than one object
    - NaN and Infinity
    - a key that occurs twice (in any case)
    - nesting deeper than MAX_DEPTH
    - numbers longer than MAX_NUMBER_LENGTH
    - more than MAX_MARKS texts, commas and opening brackets

    The time taken is linear in the text's length, because the sender is not authenticated yet.

    Raises:
        InvalidAlert: code `UNREADABLE`; the message says where, and what was expected there.
    """
    document = parse_any(text)
    if type(document) is not dict:
        raise unreadable(_not_an_object(document))
    return document


def parse_any(text: str) -> object:
    """Parse one JSON value of any kind, refusing the rest of what `parse` refuses.

    Raises:
        InvalidAlert: code `UNREADABLE`; the message says where, and what was expected there.
    """
    _check_marks(text)
    try:
        document: object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise unreadable(_reason(text, error)) from None
    except RecursionError:
        raise _too_deep() from None
    # Nesting that is too deep needs this many opening brackets. Most alerts have fewer, and need no walk.
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth_exceeds(document, MAX_DEPTH):
        raise _too_deep()
    return document


def _check_marks(text: str) -> None:
    """Refuse a body with too many members before it is parsed."""
    if len(text) <= MAX_MARKS:
        return
    if "\\" not in text and sum(map(text.count, '",{[')) <= MAX_MARKS:  # a quick upper bound
        return
    # Once escaped backslashes and escaped quotes are removed, each quote that is left begins or ends a text.
    if _MANY_MARKS.match(text.replace(r"\\", "").replace(r"\"", "")):
        raise unreadable(f"expected at most {MAX_MARKS} texts, commas and brackets, got more")


def unreadable(message: str, field: str = "body") -> InvalidAlert:
    """The error of a body that nobody can read."""
    return InvalidAlert("UNREADABLE", message, field)


def _too_deep() -> InvalidAlert:
    return unreadable(f"expected at most {MAX_DEPTH} levels of nesting, got more")


def _reason(text: str, error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno}, column {error.colno}"
    found = text[error.pos : error.pos + 1]
    if found and found in _TYPOGRAPHIC:
        return f'{where}: expected a plain quote ("), got the typographic {found}'
    if error.msg == "Extra data":
        return f"{where}: expected the end after one JSON object, got {shown(found)}"
    if error.msg == "Expecting value" and found and not text[: error.pos].strip():
        return f"{where}: {error.msg}, got {shown(found)}; a text has to be in a form that docs/platforms.md names"
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
    raise unreadable(f"expected each key once (in any case), got {key!r} twice", key)


def _fraction(numeral: str) -> Decimal:
    if len(numeral) > MAX_NUMBER_LENGTH:
        _refuse_number(numeral)
    try:
        return Decimal(numeral)
    except InvalidOperation:
        raise unreadable(f"expected a number, got {numeral}: its exponent is beyond all bounds") from None


def _integer(numeral: str) -> int:
    if len(numeral) > MAX_NUMBER_LENGTH:
        _refuse_number(numeral)
    return int(numeral)


def _refuse_number(numeral: str) -> NoReturn:
    raise unreadable(
        f"expected a number of at most {MAX_NUMBER_LENGTH} characters, got one of {len(numeral)}"
    )


def _constant(word: str) -> NoReturn:
    raise unreadable(f"expected a number, got {word}: a placeholder had no value")


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
