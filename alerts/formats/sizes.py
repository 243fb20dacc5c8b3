"""Read a size that is not a number of units, where its platform's documents say what it counts. Doubt is refused."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from alerts.formats.layout import Layout, SizeUnit
from alerts.formats.sheet import Found, Sheet, number_at
from alerts.formats.words import Role
from alerts.sanitising import shown
from domain.errors import InvalidAlert
from domain.money import ZERO
from domain.sizing import SizeAsk

_TEXT = re.compile(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*([^\d\s.+-]{0,4})")
_HUNDRED = Decimal(100)
_MOST = Decimal(10) ** 15
_STEP = Decimal("1E-8")


class Asked(NamedTuple):
    """A size, and the plain key under which it stands."""

    ask: SizeAsk
    path: str
    key: str


def size_asked(sheet: Sheet, layout: Layout, quoted_in: str | None) -> Asked | None:
    """The size that a command names in other than units; None where it names none that is certain.

    Raises:
        InvalidAlert: it names two, or one that is no number that could be used.
    """
    found = [
        Asked(_ask(each, number, unit, quoted_in), path, each.key)
        for path, each in sheet
        if not each.is_nested and each.asks
        for number, unit in _measured(path, each, sheet, layout)
    ]
    if len(found) > 1:
        raise InvalidAlert(
            "AMBIGUOUS",
            f"expected one size, got {found[0].key} and {found[1].key}: leave one out",
            found[1].key,
        )
    if not found:
        return None
    sheet.at(found[0].path)
    leverage = sheet.at("leverage", "lev")
    if leverage is not None and leverage.asks and leverage.word() not in ("1", "1x"):
        message = "with a leverage a size may be of the position or of its margin: leave the leverage out"
        raise InvalidAlert("AMBIGUOUS", message, leverage.key)
    return found[0]


def _measured(path: str, found: Found, sheet: Sheet, layout: Layout) -> list[tuple[Found, SizeUnit]]:
    """The number in a field and what it counts, if that is certain."""
    units = layout.sizes.get(path)
    if units is not None:
        said = _TEXT.fullmatch(found.value.strip()) if isinstance(found.value, str) else None
        number, suffix = (found.value, "") if said is None else (said[1], said[2].lower())
        unit = units.get(suffix)
        return [] if unit is None else [(Found(found.key, number), unit)]
    named = sheet.find(Role.SIZE_UNIT)
    unit = None if named is None else layout.size_units.get(named.word())
    roles = {role for role, _ in layout.roles.get(path, ())}
    return [] if unit is None or roles.isdisjoint((Role.QUANTITY, Role.SIZE)) else [(found, unit)]


def _ask(found: Found, number: Found, unit: SizeUnit, quoted_in: str | None) -> SizeAsk:
    value = number_at(number)
    most = _HUNDRED if unit.mode.is_percent else _MOST
    if not ZERO < value <= most or value % _STEP:
        expected = "percent above 0, of 100 at most" if unit.mode.is_percent else "a size above 0"
        raise InvalidAlert("INVALID", f"expected {expected}, got {shown(found.value)}", found.key)
    is_said = isinstance(found.value, str) and found.value.strip().endswith("%")
    if unit.mode.is_percent and value < 1 and not is_said:
        message = f"{shown(found.value)} may be percent or a fraction: send it as a text with % behind it"
        raise InvalidAlert("AMBIGUOUS", message, found.key)
    return replace(SizeAsk(unit.mode, value, unit.currency), quoted_in=quoted_in)
