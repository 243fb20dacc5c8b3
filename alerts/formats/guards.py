"""Read what is to protect an entry, where a platform's own documents make its unit and its meaning certain.

A bare `stop_loss: 150` may be a price, points, pips or percent: it is refused, as it always was. So is everything that
protects and is not read here.
"""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import Enum, auto
from typing import NamedTuple

from alerts.formats.sheet import Found, Sheet, number_at
from alerts.formats.words import OFF
from alerts.sanitising import shown
from domain.enums import Side
from domain.errors import InvalidAlert
from domain.money import ZERO
from domain.protection_terms import Level, LevelUnit, Terms, TrailingType

_HUNDRED = Decimal(100)


class Part(Enum):
    """What a field of a protection is."""

    STOP = auto()
    TARGET = auto()
    TRAIL = auto()
    KIND = auto()  # a word for which of them the stop is


class Guard(NamedTuple):
    """A field of a protection.

    - `unit`: of its number. None: its text has to say it (`2%`).
    - `certain`: False where a number below 1 may be a fraction, and percent with a leverage a part of the margin.
    """

    part: Part
    unit: LevelUnit | None = None
    certain: bool = True


class Guards(NamedTuple):
    """What protects an entry, and the plain keys that were read for it."""

    terms: Terms | None
    read: frozenset[str]


NO_GUARDS = Guards(None, frozenset())
"""Nothing protects it."""


def _guards(guard: Guard, keys: str) -> dict[str, Guard]:
    return dict.fromkeys(keys.split(), guard)


USUAL: Mapping[str, Guard] = {
    **_guards(Guard(Part.STOP, LevelUnit.PRICE), "stoplossprice slprice"),
    **_guards(Guard(Part.TARGET, LevelUnit.PRICE), "takeprofitprice tpprice targetprice"),
    **_guards(
        Guard(Part.STOP, LevelUnit.PERCENT, certain=False),
        "stoplosspercent stoplosspercentage stoplosspct slpercent slpct",
    ),
    **_guards(
        Guard(Part.TARGET, LevelUnit.PERCENT, certain=False),
        "takeprofitpercent takeprofitpercentage takeprofitpct tppercent tppct",
    ),
    **_guards(Guard(Part.STOP, certain=False), "stoploss sl"),
    **_guards(Guard(Part.TARGET, certain=False), "takeprofit tp"),
}
"""Keys that name their unit themselves, or whose text does."""

_KINDS = {"stop": Part.STOP, "trailingstop": Part.TRAIL}
_MORE = re.compile(
    r"(use|enabled?|is|has|with|set|update)?(sl(?![oi])|tp(?!o)|tsl|stop|trail).*|.*(stoploss|takeprofit|trailing).*"
)
_SWITCH = re.compile(r"use|enable|active")
_TRAILS = {LevelUnit.POINTS: TrailingType.POINTS, LevelUnit.PERCENT: TrailingType.PERCENT}


def guards_of(sheet: Sheet, guards: Mapping[str, Guard], side: Side | None, known: Collection[str]) -> Guards:
    """Read what protects an entry of this side. `known`: plain keys that are read for something else.

    Raises:
        InvalidAlert: a level is none, two fields contradict each other, or a number could be meant in two ways.
    """
    levels: dict[Part, Level] = {}
    read: set[str] = set()
    kind: Found | None = None
    for path, found in sheet:
        guard = guards.get(path)
        if guard is None or found.is_nested or not found.asks or found.word() in ("nan", "null"):
            continue
        if guard.part is Part.KIND:
            kind = found
            read.add(path)
            continue
        level = _level(found, guard, sheet)
        if level is None:
            continue
        if levels.setdefault(guard.part, level) != level:
            message = f"expected one {guard.part.name.lower()}, got {shown(found.value)} too: leave one out"
            raise InvalidAlert("AMBIGUOUS", message, found.key)
        sheet.at(path)
        read.add(path)
    if any(guard.part is Part.KIND for guard in guards.values()):
        _refuse_kind(kind, levels)
    if levels:
        _refuse_more(sheet, read, known)
    return Guards(_terms(levels, side), frozenset(read))


def _refuse_more(sheet: Sheet, read: set[str], known: Collection[str]) -> None:
    """Refuse what says more of a stop or a target that was read: that it is off, of what type, or of which part."""
    for path, found in sheet:
        key = path.rpartition(".")[2]
        if path in read or path in known or found.is_nested or not _MORE.fullmatch(key):
            continue
        is_off = _SWITCH.search(key) and (found.value is False or found.word() in OFF | {"0"})
        if found.asks or is_off:
            message = (
                f"{found.key} {shown(found.value)} beside a stop or a target is not built yet: leave it out"
            )
            raise InvalidAlert("NOT_BUILT", message, found.key)


def _level(found: Found, guard: Guard, sheet: Sheet) -> Level | None:
    """The level that a field names; None where its unit is not certain, so that it is not read."""
    text = found.value.strip() if isinstance(found.value, str) else ""
    value, unit = found, guard.unit
    if unit in (None, LevelUnit.PERCENT) and text.endswith("%"):
        value, unit = Found(found.key, text[:-1].strip()), LevelUnit.PERCENT
    if unit is None:
        return None
    number = number_at(value)
    if number <= ZERO or (unit is LevelUnit.PERCENT and number >= _HUNDRED):
        expected = "percent above 0 and below 100" if unit is LevelUnit.PERCENT else "a number above 0"
        raise InvalidAlert("INVALID", f"expected {expected}, got {shown(found.value)}", found.key)
    if unit is LevelUnit.PERCENT and not guard.certain:
        _refuse_doubt(found, number, sheet, is_said=value is not found)
    return Level(unit, number)


def _refuse_doubt(found: Found, number: Decimal, sheet: Sheet, *, is_said: bool) -> None:
    if number < 1 and not is_said:
        message = f"{shown(found.value)} may be percent or a fraction: send it as a text with % behind it"
        raise InvalidAlert("AMBIGUOUS", message, found.key)
    leverage = sheet.at("leverage", "lev")
    if leverage is not None and leverage.asks and leverage.word() not in ("1", "1x"):
        message = "with a leverage it may be percent of the price or of the margin: send the level as a price"
        raise InvalidAlert("AMBIGUOUS", message, found.key)


def _refuse_kind(kind: Found | None, levels: Mapping[Part, Level]) -> None:
    """Refuse a stop that is of another kind than its fields say."""
    said = None if kind is None else _KINDS.get(kind.word())
    if kind is not None and said is None:
        message = f"a stop of the kind {shown(kind.value)} is not built yet: send stop or trailing_stop"
        raise InvalidAlert("NOT_BUILT", message, kind.key)
    stops = {part for part in levels if part in (Part.STOP, Part.TRAIL)}
    if said is not None and stops != {said}:
        message = f"expected the level of a {shown(kind.value if kind else None)} and no other"
        raise InvalidAlert("CONTRADICTION", message, kind.key if kind else None)
    if said is None and Part.TRAIL in stops and len(stops) > 1:
        raise InvalidAlert(
            "AMBIGUOUS", "expected a stop or a trailing stop, got both: leave one out", "stop_loss"
        )


def _terms(levels: Mapping[Part, Level], side: Side | None) -> Terms | None:
    if not levels:
        return None
    stop, target, trail = (levels.get(part) for part in (Part.STOP, Part.TARGET, Part.TRAIL))
    if stop and target and stop.unit is target.unit is LevelUnit.PRICE:
        way = side.sign if side is not None else 1
        if (target.value - stop.value) * way <= ZERO:
            where = "below" if way > 0 else "above"
            message = f"expected a stop {where} the target, got {stop.text} and {target.text}"
            raise InvalidAlert("CONTRADICTION", message, "stop_loss")
    return Terms(
        stop_loss=stop.text if stop else None,
        target=target.text if target else None,
        trailing_type=_TRAILS[trail.unit] if trail else None,
        trailing_value=trail.value if trail else None,
    )
