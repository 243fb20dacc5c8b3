"""The fields of one command, found by what they mean, whatever their platform calls them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from alerts.formats.fields import number
from alerts.formats.words import CONTAINERS, NOTES, OFF, Role
from alerts.reading import plain
from alerts.sanitising import shown, shown_key
from domain.errors import InvalidAlert

_MOST = 400  # fields of one alert
DEEPEST = 4
"""Levels of nesting that are looked into."""
_NOISE = 15  # significant digits from which on a fraction may be a float's noise
_TOO_LARGE = Decimal("1E18")
_TAKES_BACK = re.compile(r"[?\[\]{}<>=\\\x00-\x1f]|^[!~¬]|\w[^\w\s.\-/:()&']++\w")
"""In a word: `buy?`, `!buy`, `["buy"]`, and one that was damaged, such as `b;uy`. A stranger's
words are looked at as well: no part of it may be tried twice at one place."""
_EMPTY = ("", "none", "null", "nan", "na", "false")

Scalar = str | int | Decimal | bool | None


class Found(NamedTuple):
    """A field: its key as it was sent, and its value."""

    key: str
    value: object

    @property
    def is_nested(self) -> bool:
        """True where the value is an object or a list."""
        return isinstance(self.value, dict | list)

    @property
    def is_empty(self) -> bool:
        """True where no value was given, in whatever way the platform writes that."""
        return self.value is None or (isinstance(self.value, str) and self.value.strip().lower() in _EMPTY)

    @property
    def asks(self) -> bool:
        """True where the value asks for something: it is not empty, not 0, and not a word such as `no` or `off`."""
        if self.value is False or self.is_empty or self.word() in OFF:
            return False
        try:
            return bool(number(self.value))
        except ValueError:
            return True

    def word(self) -> str:
        """The value as `plain` writes words; itself where what is beside the letters may take back what they say."""
        if not isinstance(self.value, str):
            return str(self.value)
        return _short_word(self.value) if len(self.value) <= _SHORT else _word(self.value)


def _word(text: str) -> str:
    return text if _TAKES_BACK.search(text.strip()) else plain(text)


_SHORT = 40  # characters of a word that is remembered
_short_word = lru_cache(2048)(_word)


class Sheet:
    """The fields of one command.

    Args:
        parts: the command's own fields, then those that it shares with others; the first that has a field wins.
        roles: the roles of each key, as `plain` writes it, with its place among the keys of the role.

    Raises:
        InvalidAlert: there are too many fields, or a placeholder was not replaced.
    """

    def __init__(
        self, parts: Iterable[Mapping[str, object]], roles: Mapping[str, tuple[tuple[Role, int], ...]]
    ) -> None:
        self._read: set[str] = set()
        self._fields: dict[str, list[Found]] = {}
        for part in parts:
            own: dict[str, list[Found]] = {}
            for path, key, value in _walk(part):
                own.setdefault(path, []).append(Found(key, value))
                if len(own) > _MOST:
                    raise InvalidAlert("INVALID", f"expected at most {_MOST} fields, got more", "body")
                _refuse_placeholder(path, key, value)
            self._fields = own | self._fields
        by_role: dict[Role, list[tuple[int, list[Found]]]] = {}
        for path, found in self._fields.items():
            for role, place in roles.get(path, ()):
                by_role.setdefault(role, []).append((place, found))
        self._by_role = {
            role: [each for _, found in sorted(places, key=_place) for each in found if not each.is_nested]
            for role, places in by_role.items()
        }

    def find(self, role: Role) -> Found | None:
        """The field of this role; of several that say the same the first; None where there is none, or an empty one.

        Raises:
            InvalidAlert: `AMBIGUOUS`: two fields of the role say different things.
        """
        return next((each for each in self.given(role) if not each.is_empty), None)

    def given(self, role: Role) -> list[Found]:
        """As `find`, with fields that are empty.

        Raises:
            InvalidAlert: `AMBIGUOUS`.
        """
        found = self.every(role)
        said = [each for each in found if not each.is_empty]
        for each in said[1:]:
            alike = _same_symbol if role is Role.SYMBOL else _same
            if not alike(said[0].value, each.value):
                message = f"expected one value, got {shown(said[0].value)} here and {shown(each.value)} as {each.key}"
                raise InvalidAlert("AMBIGUOUS", f"{message}: leave one out", said[0].key)
        return found

    def every(self, role: Role) -> list[Found]:
        """All fields of the role, whether they agree or not."""
        found = self._by_role.get(role, [])
        self._read.update(each.key for each in found)
        return found

    def at(self, *keys: str) -> Found | None:
        """The first field with a value under one of these keys."""
        for key in keys:
            for each in self._fields.get(key, ()):
                self._read.add(each.key)
                if not each.is_empty:
                    return each
        return None

    def leave(self, found: Found) -> None:
        """Count a field as not read: nothing was understood in it."""
        self._read.discard(found.key)

    def __iter__(self) -> Iterator[tuple[str, Found]]:
        """Each plain key with its fields."""
        for path, found in self._fields.items():
            for each in found:
                yield path, each

    def unread(self) -> tuple[str, ...]:
        """The keys that nothing was read from."""
        keys = dict.fromkeys(each.key for _, each in self if not isinstance(each.value, dict | list))
        return tuple(key for key in keys if key not in self._read)


def _place(item: tuple[int, object]) -> int:
    return item[0]


def is_number(found: Found) -> bool:
    """Whether the field's value is a number."""
    try:
        number(found.value)
    except ValueError:
        return False
    return True


def number_at(found: Found) -> Decimal:
    """The field's number, without the noise that a float's last digits are.

    Raises:
        InvalidAlert: it is none.
    """
    try:
        value = number(found.value)
    except ValueError:
        raise InvalidAlert("INVALID", f"expected a number, got {shown(found.value)}", found.key) from None
    if abs(value) >= _TOO_LARGE:
        raise InvalidAlert("INVALID", f"expected a number below 10^18, got {shown(found.value)}", found.key)
    exponent = value.as_tuple().exponent
    if len(value.as_tuple().digits) < _NOISE or not isinstance(exponent, int) or exponent >= 0:
        return value
    rounded = value.quantize(Decimal(1).scaleb(exponent + 4)) if exponent < -4 else value
    near = abs(rounded - value) < abs(value) * Decimal("1E-14")
    return rounded.normalize() if near and rounded else value


def _walk(
    part: Mapping[str, object], path: str = "", key: str = "", depth: int = 0
) -> Iterator[tuple[str, str, object]]:
    for name, value in part.items():
        here, shown_as = path + plain(name), key + shown_key(name)
        yield here, shown_as, value
        if isinstance(value, dict) and depth < DEEPEST:
            yield from _walk(value, f"{here}.", f"{shown_as}.", depth + 1)
            if plain(name) in CONTAINERS:
                yield from _walk(value, path, f"{shown_as}.", depth + 1)


def _same(one: object, other: object) -> bool:
    try:
        return number(one) == number(other)
    except ValueError:
        return str(one).strip().upper() == str(other).strip().upper()


def _same_symbol(one: object, other: object) -> bool:
    """Return True for one name in two spellings: with the exchange before it, or with signs within."""
    names = [str(each).strip().upper().rpartition(":") for each in (one, other)]
    exchanges = {exchange for exchange, _, _ in names if exchange}
    return len(exchanges) < 2 and len({plain(name) for _, _, name in names}) == 1


def _refuse_placeholder(path: str, key: str, value: object) -> None:
    if not isinstance(value, str) or "{" not in value or path.rpartition(".")[2] in NOTES:
        return
    if "{{" in value or (value.startswith("{") and value.rstrip().endswith("}")):
        raise InvalidAlert(
            "PLACEHOLDER_UNRESOLVED",
            f"expected a value, got {shown(value)}: the platform did not replace its placeholder; "
            "TradingView replaces them in the message of a strategy's alert, not in that of alert()",
            key,
        )
