"""Read a body that is not plain JSON: damaged JSON, pairs, lines, forms and free text. No dialect is known here.

All of it runs before the sender is authenticated, so it takes a time linear in the body's length, and longer bodies
than any platform's templates make are not read at all.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl

from alerts import strict_json
from alerts.repairing import repaired
from domain.errors import InvalidAlert

MAX_TEXT = 40_960
"""Characters of a body that is not valid JSON: as many as TradingView sends."""
MAX_PAIRS = 200
_MAX_WORDS = 2_000

Fields = Mapping[str, object]
"""Keys in lower case, and their values: of JSON any, of text only texts."""

_PAIR = re.compile(r"\s*+([A-Za-z_][\w.\- ]{0,63}+)=(.*+)", re.DOTALL)
_LINE = re.compile(r"\s*+([A-Za-z_][\w.\- ]{0,63}+):\s++(.*+)")
_ANOTHER_PAIR = re.compile(r"[,;|&\s][A-Za-z_]\w{0,63}+=")
_FORM = re.compile(r"[^=&\s]++=[^&\s]*+(?:&[^=&\s]++=[^&\s]*+)*+")
_SEPARATORS = (";", "\n", "|", ",", " ")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body says, before a dialect reads it.

    - `fields`: of one JSON object, of pairs or of lines; None where the body is free text or a list.
    - `keys`: the keys of `fields`, as `plain` writes them; none where there are more than any platform sends.
    - `items`: the objects of a JSON list; empty otherwise.
    - `said`: the text, without quotes around it.
    - `repairs`: what was repaired, in words.
    - `error`: why there are no fields although the body seems to have some.
    """

    fields: Fields | None
    items: tuple[Fields, ...]
    said: str
    repairs: tuple[str, ...] = ()
    error: InvalidAlert | None = None
    keys: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        fields = self.fields or {}
        keys = {plain(key): key for key in fields} if len(fields) <= MAX_PAIRS else {}
        object.__setattr__(self, "keys", keys)


_SHORT = 40  # characters of a key that is remembered: every alert of a template has the same ones
_LETTERS = re.compile(r"(?:[^\w.]|_)+")  # what is no letter of any script, no digit and no dot


def plain(text: str) -> str:
    """A key or a word without its case and its separators: `orderType`, `order_type` and `Order Type` are the same.

    Letters of other scripts stay, so that what is left of a foreign word is not taken for a short one of ours.
    """
    return _short_plain(text) if len(text) <= _SHORT else _LETTERS.sub("", text.lower())


@lru_cache(2048)
def _short_plain(text: str) -> str:
    return _LETTERS.sub("", text.lower())


def read(text: str | None, document: Fields | None) -> Reading:
    """Read a body: `document` is its JSON object where it has one, `text` its text."""
    if document is not None:
        return Reading(document, (), text or "")
    if text is None or len(text) > MAX_TEXT:
        return Reading(None, (), "")
    stripped = text.strip()
    if stripped[0] in '{["“':
        return _damaged(stripped)
    return _of_text(stripped, ())


def _damaged(text: str) -> Reading:
    """Read what begins like JSON, and is not one plain object."""
    repairs: tuple[str, ...] = ()
    try:
        value = strict_json.parse_any(text)
    except InvalidAlert as error:
        found = repaired(text)
        if found is None:
            return Reading(None, (), text, error=error)
        value, repairs = found
    if isinstance(value, str):
        return _unwrapped(value.strip(), repairs)
    return _of_value(value, text, repairs)


def _unwrapped(text: str, repairs: tuple[str, ...]) -> Reading:
    """Read a body that was put into quotes, once."""
    repairs = (*repairs, "quotes around the body left out")
    if not text.startswith(("{", "[")):
        return _of_text(text, repairs)
    try:
        value = strict_json.parse_any(text)
    except InvalidAlert as error:
        return Reading(None, (), text, repairs, error)
    return _of_value(value, text, repairs)


def _of_value(value: object, text: str, repairs: tuple[str, ...]) -> Reading:
    if isinstance(value, dict):
        return Reading(value, (), text, repairs)
    items = tuple(each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()
    if not items or not isinstance(value, list) or len(items) != len(value):
        return Reading(None, (), text, repairs, strict_json.unreadable("expected one JSON object"))
    if len(items) == 1:
        return Reading(items[0], (), text, (*repairs, "a list around one object left out"))
    return Reading(None, items, text, repairs)


def _of_text(text: str, repairs: tuple[str, ...]) -> Reading:
    try:
        fields = _form(text) or _lines(text) or _pairs(text)
    except InvalidAlert as error:
        return Reading(None, (), text, repairs, error)
    return Reading(fields, (), text, repairs)


def _form(text: str) -> Fields | None:
    if "&" not in text or not _FORM.fullmatch(text):
        return None
    if text.count("&") >= MAX_PAIRS:
        raise strict_json.unreadable(f"expected at most {MAX_PAIRS} pairs, got more")
    return _once([(key.strip().lower(), value) for key, value in parse_qsl(text, keep_blank_values=True)])


def _lines(text: str) -> Fields | None:
    """Lines of `key: value`, two or more."""
    if "\n" not in text or ":" not in text or text.count("\n") >= MAX_PAIRS:
        return None
    found = [_LINE.fullmatch(line) for line in text.splitlines() if line.strip()]
    pairs = [(each[1].strip().lower(), _bare(each[2])) for each in found if each is not None]
    return _once(pairs) if len(pairs) == len(found) > 1 else None


def _pairs(text: str) -> Fields | None:
    """Pieces of `key=value`, two or more, between one kind of separator; a line end may stand for a semicolon."""
    if text.count("=") < 2:
        return None
    separator = next(each for each in _SEPARATORS if each in text or each == " ")
    text = text.replace("\n", ";") if separator == ";" else text
    if text.count(separator) > _MAX_WORDS:
        return None
    pieces = text.split() if separator == " " else [each for each in text.split(separator) if each.strip()]
    found = [_PAIR.fullmatch(piece) for piece in pieces]
    if len(found) < 2 or not all(found):
        return None
    pairs = [(each[1].strip().lower(), _bare(each[2])) for each in found if each is not None]
    for key, value in pairs:
        if _ANOTHER_PAIR.search(value):
            raise strict_json.unreadable("expected one kind of separator between the pairs", key)
    return _once(pairs)


def _bare(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _once(pairs: Sequence[tuple[str, str]]) -> Fields:
    fields = dict(pairs)
    if len(pairs) > MAX_PAIRS or len(fields) != len(pairs):
        raise strict_json.unreadable(f"expected at most {MAX_PAIRS} pairs, each key once")
    return fields
