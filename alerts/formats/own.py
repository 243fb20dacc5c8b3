"""Dialects that users describe themselves, as data: made from a table of a TOML file, checked at the start."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from alerts.formats.description import NAME, UNKNOWN
from alerts.formats.guards import USUAL, Guard, Part
from alerts.formats.layout import Layout
from alerts.formats.words import Act, Meaning, Role
from alerts.reading import plain
from alerts.sanitising import shown, shown_key
from domain.enums import Side
from domain.protection_terms import LevelUnit

ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "side": Role.SIDE,
        "side_too": Role.SIDE_TOO,
        "symbol": Role.SYMBOL,
        "symbol_too": Role.SYMBOL_TOO,
        "exchange": Role.EXCHANGE,
        "quantity": Role.QUANTITY,
        "size": Role.SIZE,
        "size_unit": Role.SIZE_UNIT,
        "order_type": Role.ORDER_TYPE,
        "limit_price": Role.LIMIT,
        "price": Role.PRICE,
        "reference_price": Role.REFERENCE,
        "trigger_price": Role.TRIGGER,
        "product": Role.PRODUCT,
        "strategy_name": Role.STRATEGY,
        "signal_id": Role.SIGNAL,
        "position": Role.POSITION,
        "previous_position": Role.PREVIOUS,
        "position_size": Role.POSITION_SIZE,
        "previous_position_size": Role.PREVIOUS_SIZE,
    }
)
"""What a field may mean, by the name that a file gives it."""

_UNITS = {"price": LevelUnit.PRICE, "points": LevelUnit.POINTS, "percent": LevelUnit.PERCENT}
GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        f"{name}_{unit}": Guard(part, level)
        for name, part in (("stop_loss", Part.STOP), ("target", Part.TARGET), ("trail", Part.TRAIL))
        for unit, level in _UNITS.items()
        if part is not Part.TRAIL or level is not LevelUnit.PRICE
    }
)
"""What of a field protects an entry, and in which unit."""

MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "BUY": Meaning(Act.ENTRY, Side.BUY),
        "SELL": Meaning(Act.ENTRY, Side.SELL),
        "EXIT": Meaning(Act.CLOSE),
        "EXIT_LONG": Meaning(Act.CLOSE, Side.SELL),
        "EXIT_SHORT": Meaning(Act.CLOSE, Side.BUY),
        "FLAT": Meaning(Act.FLAT),
        "CANCEL": Meaning(Act.CANCEL),
        "CANCEL_BUY": Meaning(Act.CANCEL, Side.BUY),
        "CANCEL_SELL": Meaning(Act.CANCEL, Side.SELL),
    }
)
"""What a word may mean."""

_SWITCHES = ("size_is_units", "price_is_limit", "side_by_strategy", "targets")
_LISTS = ("needs", "marks", "secret", "legs")
_TABLES = ("values", "fields", "words")
_KEYS = (*_LISTS, *_SWITCHES, *_TABLES)


class UnfitFormat(ValueError):
    """A table describes no dialect. `problems`: each key, and what was expected there."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{key}: {complaint}" for key, complaint in problems))
        self.problems = tuple(problems)


def own_layout(name: str, table: Mapping[str, object], taken: Collection[str]) -> Layout:
    """The layout that a table describes; its keys are explained in docs/adding-a-dialect.md.

    Args:
        taken: names of other dialects.

    Raises:
        UnfitFormat: it lists everything that is wrong.
    """
    problems: list[tuple[str, str]] = []
    if name == UNKNOWN or name in taken or not NAME.fullmatch(name):
        expected = "a file name of its own of 1 to 20 small letters, digits, - or _ before .toml"
        problems.append(("", f"got {shown(name)}, expected {expected}"))
    problems += [(shown_key(key), _unknown(key, _KEYS)) for key in table if key not in _KEYS]
    lists = {key: _texts(table[key], key, problems) for key in _LISTS if key in table}
    for key in _SWITCHES:
        if not isinstance(table.get(key, False), bool):
            problems.append((key, f"got {shown(table[key])}, expected true or false"))
    values = _table(table, "values", problems)
    known = {
        plain(key): frozenset(map(plain, _texts(words, f"values.{key}", problems)))
        for key, words in values.items()
    }
    fields, guards = _fields(table, problems)
    words = {}
    for key, meant in _table(table, "words", problems).items():
        if not isinstance(meant, str) or meant not in MEANINGS:
            complaint = f"got {shown(meant)}, expected {', '.join(MEANINGS)}"
            problems.append((f"words.{shown_key(key)}", complaint))
        else:
            words[plain(key)] = MEANINGS[meant]
    if not any(key in table for key in ("needs", "marks")):
        problems.append(
            ("needs", "not set, expected keys that all of its alerts have (or marks, of which one)")
        )
    if problems:
        raise UnfitFormat(problems)
    return Layout(
        name=name,
        needs=tuple(map(plain, lists.get("needs", ()))),
        marks=tuple(map(plain, lists.get("marks", ()))),
        secret=tuple(key.lower() for key in lists.get("secret", ())),
        legs=tuple(map(plain, lists.get("legs", ()))),
        values=known,
        fields=fields,
        guards={**USUAL, **guards},
        words=words,
        size_is_units=table.get("size_is_units") is True,
        price_is_limit=table.get("price_is_limit") is True,
        side_by_strategy=table.get("side_by_strategy") is True,
        targets=table.get("targets") is True,
    )


def _fields(
    table: Mapping[str, object], problems: list[tuple[str, str]]
) -> tuple[dict[Role, tuple[str, ...]], dict[str, Guard]]:
    """The keys of each role, and those of what protects an entry."""
    fields: dict[Role, tuple[str, ...]] = {}
    guards: dict[str, Guard] = {}
    for key, names in _table(table, "fields", problems).items():
        if key not in ROLES and key not in GUARDS:
            problems.append((f"fields.{shown_key(key)}", _unknown(key, [*ROLES, *GUARDS])))
            continue
        keys = tuple(map(plain, _texts(names, f"fields.{key}", problems)))
        if key in ROLES:
            fields[ROLES[key]] = keys
        else:
            guards |= dict.fromkeys(keys, GUARDS[key])
    return fields, guards


def _texts(value: object, place: str, problems: list[tuple[str, str]]) -> tuple[str, ...]:
    """A text or a list of texts, none of them empty."""
    given = [value] if isinstance(value, str) else value
    if isinstance(given, list) and given and all(isinstance(each, str) and plain(each) for each in given):
        return tuple(given)
    problems.append((place, f"got {shown(value)}, expected a key or a list of keys"))
    return ()


def _table(table: Mapping[str, object], key: str, problems: list[tuple[str, str]]) -> Mapping[str, object]:
    value = table.get(key, {})
    if isinstance(value, dict):
        return value
    problems.append((key, f"got {shown(value)}, expected a table [{key}]"))
    return {}


def _unknown(key: str, known: Collection[str]) -> str:
    near = get_close_matches(key, sorted(known), n=1)
    return f"unknown, did you mean {near[0]}?" if near else f"unknown, expected one of {', '.join(known)}"
